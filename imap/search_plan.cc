#include "imap/search_plan.h"

#include <algorithm>
#include <array>

#include "core/base/ascii.h"
#include "core/mail/charset.h"
#include "core/mail/unicode.h"
#include "imap/object_id.h"

namespace twinpost::imap {
namespace {

// What BADCHARSET names (RFC 9051 7.1): the ones that clients use. More are known.
constexpr std::string_view kBadCharset =
    "BADCHARSET (UTF-8 US-ASCII ISO-8859-1 ISO-8859-2 ISO-8859-15 WINDOWS-1251 WINDOWS-1252 KOI8-R"
    " ISO-2022-JP SHIFT_JIS EUC-JP EUC-KR GB18030 BIG5)";

tl::unexpected<SearchRefusal> refuse(std::string text) {
  return tl::unexpected(SearchRefusal{true, {}, std::move(text)});
}

bool is_ascii_name(std::string_view charset) {
  return ascii::equals_ignore_case(charset, "us-ascii") ||
         ascii::equals_ignore_case(charset, "ascii");
}

class Planner {
 public:
  Planner(std::string_view charset, const SearchScope& scope, UnixTime now)
      : charset_(charset), scope_(scope), now_(now) {}

  SearchPlan take() { return std::move(plan_); }
  [[nodiscard]] std::string& error() { return error_; }

  bool build(const SearchKey& key) {
    plan_.needs = needs(key);
    return node(key, plan_.root);
  }

 private:
  bool node(const SearchKey& key, SearchNode& out) {
    out.kind = key.kind;
    switch (key.kind) {
      case SearchKind::kAnd:
      case SearchKind::kOr:
      case SearchKind::kNot:
        out.children.resize(key.children().size());
        for (std::size_t i = 0; i < out.children.size(); ++i) {
          if (!node(key.children()[i], out.children[i])) return false;
        }
        return true;
      case SearchKind::kHeader:
      case SearchKind::kBody:
      case SearchKind::kText: return text(key, out);
      default: break;
    }
    out.needs = needs(key);
    if (out.needs > SearchNeeds::kRecord) out.slot = plan_.slots++;
    value(key, out);
    return true;
  }

  void value(const SearchKey& key, SearchNode& out) {
    switch (key.kind) {
      case SearchKind::kSequence: set(key.set(), scope_.uids->size(), out); break;
      case SearchKind::kUid: {
        const auto last = scope_.uids->last();
        set(key.set(), last ? last->value() : 0, out);
        break;
      }
      case SearchKind::kFlag: {
        const auto& flag = std::get<SearchFlag>(key.value);
        out.number = store::bit(flag.flag);
        out.on = flag.on;
        break;
      }
      case SearchKind::kKeyword: {
        const auto& keyword = std::get<SearchKeyword>(key.value);
        out.name = keyword.name;
        out.on = keyword.on;
        out.is_impossible = true;  // until the mailbox's names are read
        plan_.has_keywords = true;
        break;
      }
      case SearchKind::kInternalDate:
      case SearchKind::kSentDate:
      case SearchKind::kSaveDate: {
        const auto& date = std::get<SearchDate>(key.value);
        out.relation = date.relation;
        out.number = date.day.time_since_epoch().count();
        break;
      }
      case SearchKind::kLarger:
      case SearchKind::kSmaller: out.number = signed_number(key.number()); break;
      case SearchKind::kOlder:
      case SearchKind::kYounger:
        out.number = now_.time_since_epoch().count() - signed_number(key.number());
        break;
      case SearchKind::kModSeq:
        out.number = signed_number(std::get<SearchModSeq>(key.value).at_least);
        break;
      case SearchKind::kEmailId: id(parse_email_id(key.text()), out); break;
      case SearchKind::kThreadId: id(parse_thread_id(key.text()), out); break;
      default: break;
    }
  }

  // The parser takes nothing beyond 63 bits.
  static std::int64_t signed_number(std::uint64_t number) {
    return static_cast<std::int64_t>(std::min(number, ~std::uint64_t{0} >> 1));
  }

  static void set(const SequenceSet& written, std::uint32_t largest, SearchNode& out) {
    out.numbers = written.resolve(largest);
    out.saved = written.saved;
  }

  template <class Id>
  static void id(const std::optional<Id>& found, SearchNode& out) {
    out.is_impossible = !found.has_value();
    if (found) out.number = static_cast<std::int64_t>(found->value());
  }

  bool text(const SearchKey& key, SearchNode& out) {
    std::string_view octets;
    if (key.kind == SearchKind::kHeader) {
      const auto& header = std::get<SearchHeader>(key.value);
      out.text.field = ascii::lower(header.field);
      octets = header.text;
    } else {
      octets = key.text();
      if (octets.empty()) {  // RFC 9051 6.4.4: the empty string is a substring of anything
        out.kind = SearchKind::kAll;
        return true;
      }
    }
    std::string utf8;
    if (!to_unicode(octets, utf8)) return false;
    out.text.key = mail::unicode_casemap(utf8);
    out.text.header_key = out.text.key;
    std::replace(out.text.header_key.begin(), out.text.header_key.end(), '\t', ' ');
    out.needs = needs(key);
    out.slot = plan_.slots++;
    return true;
  }

  bool to_unicode(std::string_view octets, std::string& utf8) {
    const bool is_plain = std::none_of(octets.begin(), octets.end(), ascii::is_8bit);
    if (is_ascii_name(charset_) && !is_plain) return invalid();
    auto decoder = mail::CharsetDecoder::open(charset_);
    if (!decoder) return invalid();
    decoder->decode(octets, utf8);
    decoder->finish(utf8);
    return !decoder->lossy() || invalid();
  }

  bool invalid() {
    error_ = "The search text is not valid " + ascii::printable(charset_, 40);
    return false;
  }

  std::string_view charset_;
  const SearchScope& scope_;
  UnixTime now_;
  SearchPlan plan_;
  std::string error_;
};

// A leaf of a set: also for how many messages from this one on the answer is the same.
bool test_set(const SearchNode& node, SearchFacts& facts) {
  const auto look = [&facts](const NumberSet& set, std::uint32_t number) {
    const auto& ranges = set.ranges();
    const auto found =
        std::partition_point(ranges.begin(), ranges.end(),
                             [number](const NumberRange& range) { return range.last < number; });
    const bool inside = found != ranges.end() && found->first <= number;
    if (found != ranges.end()) {
      const std::uint32_t last = inside ? found->last : found->first - 1;
      const std::uint64_t until = std::uint64_t{facts.uid.value()} + (last - number);
      if (until < facts.same_until) facts.same_until = static_cast<std::uint32_t>(until);
    }
    return inside;
  };
  const std::uint32_t number =
      node.kind == SearchKind::kSequence ? facts.number : facts.uid.value();
  const bool named = look(node.numbers, number);
  return named || (node.saved && look(*facts.scope.saved, facts.uid.value()));
}

bool test_recent(SearchFacts& facts) {
  const std::uint32_t from = facts.scope.recent_from.value();
  if (from == 0) return false;
  if (facts.uid.value() >= from) return true;
  facts.same_until = std::min(facts.same_until, from - 1);
  return false;
}

bool test_record(const SearchNode& node, const store::MessageRecord& record) {
  const std::int64_t received = record.internal_date.time.time_since_epoch().count();
  switch (node.kind) {
    case SearchKind::kFlag: return ((record.flags & node.number) != 0) == node.on;
    case SearchKind::kKeyword: {
      const bool is_set =
          !node.is_impossible && record.keywords.test(static_cast<std::size_t>(node.number));
      return is_set == node.on;
    }
    case SearchKind::kLarger: return record.size > static_cast<std::uint64_t>(node.number);
    case SearchKind::kSmaller: return record.size < static_cast<std::uint64_t>(node.number);
    case SearchKind::kInternalDate:
      return matches_day(node, day_of(received, record.internal_date.zone_minutes));
    case SearchKind::kSaveDate:
      return matches_day(node, day_of(record.save_date.time_since_epoch().count(), 0));
    case SearchKind::kOlder: return received <= node.number;  // RFC 5032 section 2
    case SearchKind::kYounger: return received >= node.number;
    case SearchKind::kModSeq:
      return record.modseq.value() >= static_cast<std::uint64_t>(node.number);
    case SearchKind::kEmailId:
      return !node.is_impossible &&
             record.email_id.value() == static_cast<std::uint64_t>(node.number);
    case SearchKind::kThreadId:
      return !node.is_impossible &&
             record.thread_id.value() == static_cast<std::uint64_t>(node.number);
    default: return false;
  }
}

// A message number that is larger than the mailbox (RFC 9051 section 9, seq-number), 0 where there
// is none. A set with "*" may name more than an empty mailbox has: clients do ask for 1:* there.
std::uint32_t number_beyond(const SearchKey& key, std::uint32_t messages) {
  if (const auto* children = std::get_if<SearchKey::Children>(&key.value)) {
    for (const SearchKey& child : *children) {
      if (const std::uint32_t number = number_beyond(child, messages); number != 0) return number;
    }
  }
  if (key.kind != SearchKind::kSequence || (messages == 0 && key.set().has_star())) return 0;
  const std::uint32_t largest = key.set().largest_written();
  return largest > messages ? largest : 0;
}

Verdict verdict(bool yes) { return yes ? Verdict::kYes : Verdict::kNo; }

Verdict test_leaf(const SearchNode& node, SearchFacts& facts) {
  switch (node.kind) {
    case SearchKind::kAll:
    case SearchKind::kSaveDateSupported: return Verdict::kYes;
    case SearchKind::kSequence:
    case SearchKind::kUid: return verdict(test_set(node, facts));
    case SearchKind::kRecent: return verdict(test_recent(facts));
    default: break;
  }
  if (node.needs > SearchNeeds::kRecord) {
    return facts.slots != nullptr ? (*facts.slots)[node.slot] : Verdict::kUnknown;
  }
  return facts.record != nullptr ? verdict(test_record(node, *facts.record)) : Verdict::kUnknown;
}

}  // namespace

bool matches_day(const SearchNode& node, std::int64_t day) {
  switch (node.relation) {
    case DateRelation::kBefore: return day < node.number;
    case DateRelation::kOn: return day == node.number;
    case DateRelation::kSince: break;
  }
  return day >= node.number;
}

std::int64_t day_of(std::int64_t seconds, int zone_minutes) {
  constexpr std::int64_t kDay = 86'400;
  const std::int64_t there = seconds + std::int64_t{zone_minutes} * 60;
  return there / kDay - (there % kDay < 0 ? 1 : 0);
}

tl::expected<SearchPlan, SearchRefusal> plan_search(const SearchKey& key,
                                                    std::optional<std::string_view> charset,
                                                    const SearchScope& scope, UnixTime now) {
  if (const std::uint32_t number = number_beyond(key, scope.uids->size()); number != 0) {
    return refuse("There is no message " + std::to_string(number) + ", the mailbox has " +
                  std::to_string(scope.uids->size()));
  }
  const std::string_view name = charset.value_or("UTF-8");
  if (!mail::is_known_charset(name)) {
    return tl::unexpected(SearchRefusal{false, std::string(kBadCharset),
                                        "Unknown charset " + ascii::printable(name, 40)});
  }
  SearchKey sorted = key;
  sort_by_needs(sorted);
  Planner planner(name, scope, now);
  if (!planner.build(sorted)) return refuse(std::move(planner.error()));
  return planner.take();
}

void resolve_keywords(SearchNode& node, const std::vector<std::string>& names) {
  for (SearchNode& child : node.children) resolve_keywords(child, names);
  if (node.kind != SearchKind::kKeyword || !node.is_impossible) return;
  const auto found = std::find_if(names.begin(), names.end(), [&node](const std::string& name) {
    return ascii::equals_ignore_case(name, node.name);
  });
  if (found == names.end()) return;
  node.number = found - names.begin();
  node.is_impossible = false;
}

Verdict test_key(const SearchNode& node, SearchFacts& facts) {
  switch (node.kind) {
    case SearchKind::kNot: {
      const Verdict inner = test_key(node.children.front(), facts);
      if (inner == Verdict::kUnknown) return inner;
      return verdict(inner == Verdict::kNo);
    }
    case SearchKind::kAnd:
    case SearchKind::kOr: {
      // The answer of one child that decides, and the one where none does.
      const Verdict deciding = node.kind == SearchKind::kAnd ? Verdict::kNo : Verdict::kYes;
      Verdict result = node.kind == SearchKind::kAnd ? Verdict::kYes : Verdict::kNo;
      for (const SearchNode& child : node.children) {
        const Verdict one = test_key(child, facts);
        if (one == deciding) return one;
        if (one == Verdict::kUnknown) result = one;
      }
      return result;
    }
    default: return test_leaf(node, facts);
  }
}

void missing_leaves(const SearchNode& node, SearchFacts& facts,
                    std::vector<const SearchNode*>& leaves) {
  if (node.children.empty()) {
    leaves.push_back(&node);
    return;
  }
  for (const SearchNode& child : node.children) {
    if (test_key(child, facts) == Verdict::kUnknown) missing_leaves(child, facts, leaves);
  }
}

}  // namespace twinpost::imap
