#include "tools/twinpost/transfer/pop3_match.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <utility>

#include "core/base/ascii.h"
#include "core/mail/header.h"
#include "tools/twinpost/transfer/maildir_uidl.h"

namespace twinpost::tools {

namespace {

std::optional<std::uint32_t> parse_hex(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint32_t> parse_decimal(std::string_view text) {
  if (text.starts_with('0')) return std::nullopt;  // no format pads
  return ascii::parse_number<std::uint32_t>(text);
}

struct Numbers {
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> uid_validity;
};

Numbers two_hex(std::string_view text, bool uid_first) {
  if (text.size() != 16) return {};
  const auto first = parse_hex(text.substr(0, 8));
  const auto second = parse_hex(text.substr(8));
  return uid_first ? Numbers{first, second} : Numbers{second, first};
}

Numbers two_decimal(std::string_view text, char between, bool uid_first) {
  const auto at = text.find(between);
  if (at == std::string_view::npos) return {};
  const auto first = parse_decimal(text.substr(0, at));
  const auto second = parse_decimal(text.substr(at + 1));
  return uid_first ? Numbers{first, second} : Numbers{second, first};
}

Numbers numbers_in(std::string_view uidl, PopUidlFormat format, std::uint32_t uid_validity) {
  switch (format) {
    case PopUidlFormat::kDovecot: return two_hex(uidl, true);
    case PopUidlFormat::kDovecotReverse: return two_hex(uidl, false);
    case PopUidlFormat::kCyrus: return two_decimal(uidl, '.', false);
    case PopUidlFormat::kCourier:
      return uidl.starts_with("UID") ? two_decimal(uidl.substr(3), '-', true) : Numbers{};
    case PopUidlFormat::kCyrusCourier: return two_decimal(uidl, '-', false);
    case PopUidlFormat::kStalwart: {
      const std::string prefix = std::to_string(uid_validity);
      if (!uidl.starts_with(prefix)) return {};
      return {parse_decimal(uidl.substr(prefix.size())), uid_validity};
    }
    case PopUidlFormat::kUidOnly: return {parse_decimal(uidl), uid_validity};
  }
  return {};
}

// What mbox-based servers keep in the header and show on one side only.
bool is_servers_own(std::string_view name) {
  constexpr std::string_view kNames[] = {
      "Status",     "X-Status",       "X-UID", "X-UIDL",           "X-IMAP",           "X-IMAPbase",
      "X-Keywords", "Content-Length", "Lines", "X-Mozilla-Status", "X-Mozilla-Status2"};
  return std::any_of(std::begin(kNames), std::end(kNames), [&](std::string_view other) {
    return ascii::equals_ignore_case(name, other);
  });
}

}  // namespace

std::string_view name_of(PopUidlFormat format) {
  switch (format) {
    case PopUidlFormat::kDovecot: return "Dovecot (%08Xu%08Xv)";
    case PopUidlFormat::kDovecotReverse: return "Dovecot (%08Xv%08Xu)";
    case PopUidlFormat::kCyrus: return "Cyrus (UIDVALIDITY.UID)";
    case PopUidlFormat::kCourier: return "Courier (UIDn-UIDVALIDITY)";
    case PopUidlFormat::kCyrusCourier: return "Cyrus (UIDVALIDITY-UID)";
    case PopUidlFormat::kStalwart: return "Stalwart (UIDVALIDITY and UID)";
    case PopUidlFormat::kUidOnly: return "the UID alone";
  }
  return {};
}

std::optional<std::uint32_t> uid_in(std::string_view uidl, PopUidlFormat format,
                                    std::uint32_t uid_validity) {
  const Numbers found = numbers_in(uidl, format, uid_validity);
  if (!found.uid || *found.uid == 0 || found.uid_validity != uid_validity) return std::nullopt;
  return found.uid;
}

PopMatch::PopMatch(std::vector<PopMessage> pop, std::vector<InboxMessage> inbox,
                   std::uint32_t uid_validity)
    : pop_(std::move(pop)),
      inbox_(std::move(inbox)),
      uid_validity_(uid_validity),
      matched_(pop_.size()),
      usable_(pop_.size(), true),
      taken_(inbox_.size(), false) {
  std::map<std::string_view, std::size_t> times;
  for (const PopMessage& message : pop_) ++times[message.uidl];
  for (std::size_t i = 0; i < pop_.size(); ++i) {
    usable_[i] = is_usable_uidl(pop_[i].uidl) && times[pop_[i].uidl] == 1;
    if (!usable_[i]) ++unusable_;
  }
}

void PopMatch::match(std::size_t pop, std::size_t inbox) {
  matched_[pop] = inbox;
  taken_[inbox] = true;
}

std::vector<PopMatch::Pair> PopMatch::pairs_of(PopUidlFormat format) const {
  std::vector<Pair> pairs;
  std::size_t parsed = 0;
  std::size_t considered = 0;
  for (std::size_t i = 0; i < pop_.size(); ++i) {
    if (!usable_[i]) continue;
    ++considered;
    const auto uid = uid_in(pop_[i].uidl, format, uid_validity_);
    if (!uid) continue;
    ++parsed;
    const auto at =
        std::lower_bound(inbox_.begin(), inbox_.end(), *uid,
                         [](const InboxMessage& m, std::uint32_t u) { return m.uid < u; });
    if (at == inbox_.end() || at->uid != *uid) continue;
    pairs.push_back({i, static_cast<std::size_t>(at - inbox_.begin())});
  }
  // A number without UIDVALIDITY proves nothing by itself: then all must be there, with equal
  // sizes.
  if (format == PopUidlFormat::kUidOnly && (parsed != considered || pairs.size() != parsed))
    return {};
  return pairs;
}

std::optional<PopUidlFormat> PopMatch::by_format() {
  std::vector<Pair> best;
  std::optional<PopUidlFormat> best_format;
  for (const PopUidlFormat format : kPopUidlFormats) {
    auto pairs = pairs_of(format);
    std::size_t equal_sizes = 0;
    bool ascending = true;
    std::set<std::size_t> seen;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      equal_sizes += pop_[pairs[i].pop].size == inbox_[pairs[i].inbox].size ? 1 : 0;
      ascending = ascending && (i == 0 || pairs[i - 1].inbox < pairs[i].inbox);
      if (!seen.insert(pairs[i].inbox).second) pairs.clear();  // two UIDLs of one message
    }
    // Servers that count sizes otherwise on the two sides at least keep the order.
    const bool holds = format == PopUidlFormat::kUidOnly
                           ? equal_sizes == pairs.size()
                           : ascending || equal_sizes * 10 >= pairs.size() * 9;
    if (!holds || pairs.size() <= best.size()) continue;
    best = std::move(pairs);
    best_format = format;
  }
  accept(best);
  return best_format;
}

std::vector<std::size_t> PopMatch::pop_left() const {
  std::vector<std::size_t> left;
  for (std::size_t i = 0; i < pop_.size(); ++i) {
    if (usable_[i] && !matched_[i]) left.push_back(i);
  }
  return left;
}

std::vector<std::size_t> PopMatch::inbox_left() const {
  std::vector<std::size_t> left;
  for (std::size_t i = 0; i < inbox_.size(); ++i) {
    if (!taken_[i]) left.push_back(i);
  }
  return left;
}

bool PopMatch::counts_agree() const { return pop_.size() == inbox_.size(); }

// Those of no usable UIDL keep their place in the order.
std::vector<PopMatch::Pair> PopMatch::guess_by_order() const {
  std::vector<Pair> pairs;
  const auto inbox = inbox_left();
  std::size_t at = 0;
  for (std::size_t i = 0; i < pop_.size() && at < inbox.size(); ++i) {
    if (matched_[i]) continue;
    const std::size_t other = inbox[at++];
    if (pop_[i].size != inbox_[other].size) return {};
    if (usable_[i]) pairs.push_back({i, other});
  }
  return pairs;
}

void PopMatch::accept(const std::vector<Pair>& pairs) {
  for (const Pair& pair : pairs) match(pair.pop, pair.inbox);
}

PopMatch::HeaderPrint PopMatch::print_of(std::string_view header) {
  HeaderPrint print;
  Sha256 hash;
  std::string id;
  std::string date;
  mail::HeaderReader reader(header);
  while (const auto field = reader.next()) {
    if (is_servers_own(field->name)) continue;
    const std::string value = mail::unfold(field->value);
    hash.update(ascii::lower(field->name));
    hash.update(":");
    hash.update(value);
    hash.update("\n");
    if (id.empty() && ascii::equals_ignore_case(field->name, "Message-ID")) id = value;
    if (date.empty() && ascii::equals_ignore_case(field->name, "Date")) date = value;
  }
  print.digest = hash.finish();
  if (!id.empty() && !date.empty()) print.identity = id + "\n" + date;
  print.known = true;
  return print;
}

bool PopMatch::are_equal(const HeaderPrint& a, const HeaderPrint& b) {
  if (!a.known || !b.known) return false;
  return a.digest == b.digest || (!a.identity.empty() && a.identity == b.identity);
}

void PopMatch::by_headers(const std::vector<HeaderPrint>& pop,
                          const std::vector<HeaderPrint>& inbox) {
  const auto pops = pop_left();
  const auto mails = inbox_left();
  // Each round groups what is left by a key of the message, empty for none. Within a group both
  // sides are in their order. Copies of one message that agree in all that is known may be paired
  // so; of weaker keys only what is alone on both sides.
  const auto round = [&](const auto& key_of, bool pairs_copies) {
    std::map<std::string, std::pair<std::vector<std::size_t>, std::vector<std::size_t>>> groups;
    for (std::size_t i = 0; i < pops.size() && i < pop.size(); ++i) {
      if (matched_[pops[i]] || !pop[i].known) continue;
      const std::string key = key_of(pop[i], pop_[pops[i]].size);
      if (!key.empty()) groups[key].first.push_back(pops[i]);
    }
    for (std::size_t i = 0; i < mails.size() && i < inbox.size(); ++i) {
      if (taken_[mails[i]] || !inbox[i].known) continue;
      const std::string key = key_of(inbox[i], inbox_[mails[i]].size);
      if (!key.empty()) groups[key].second.push_back(mails[i]);
    }
    for (const auto& [key, group] : groups) {
      const auto& [left, right] = group;
      if (!pairs_copies && (left.size() != 1 || right.size() != 1)) continue;
      for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i)
        match(left[i], right[i]);
    }
  };
  const auto digest = [](const HeaderPrint& print) {
    return std::string(reinterpret_cast<const char*>(print.digest.data()), print.digest.size());
  };
  round([&](const HeaderPrint& p, std::uint64_t s) { return digest(p) + std::to_string(s); }, true);
  round([&](const HeaderPrint& p, std::uint64_t) { return digest(p); }, false);
  round(
      [](const HeaderPrint& p, std::uint64_t s) {
        return p.identity.empty() ? std::string() : p.identity + "\n" + std::to_string(s);
      },
      false);
  round([](const HeaderPrint& p, std::uint64_t) { return p.identity; }, false);
}

}  // namespace twinpost::tools
