#include "tools/twinpost/backup/format.h"

#include <algorithm>
#include <array>
#include <limits>

#include "core/base/ascii.h"
#include "store/names.h"
#include "store/records.h"
#include "store/special_use.h"
#include "tools/twinpost/backup/files.h"
#include "tools/twinpost/backup/format_members.h"

namespace twinpost::tools::backup {

namespace {

constexpr std::uint64_t kMostModSeq =
    std::numeric_limits<std::int64_t>::max();  // RFC 7162: 63 bits
constexpr std::int64_t kMostZoneMinutes = std::numeric_limits<std::int16_t>::max();

constexpr std::array<std::pair<store::Flag, std::string_view>, 5> kFlags{
    {{store::Flag::kSeen, "\\Seen"},
     {store::Flag::kAnswered, "\\Answered"},
     {store::Flag::kFlagged, "\\Flagged"},
     {store::Flag::kDeleted, "\\Deleted"},
     {store::Flag::kDraft, "\\Draft"}}};

std::string_view name_of(Listing listing) {
  switch (listing) {
    case Listing::kFull: return "full";
    case Listing::kDelta: return "delta";
    case Listing::kSame: return "same";
  }
  return "";
}

std::optional<Listing> parse_listing(std::string_view text) {
  for (const Listing listing : {Listing::kFull, Listing::kDelta, Listing::kSame}) {
    if (text == name_of(listing)) return listing;
  }
  return std::nullopt;
}

store::FlagBits flags_member(Members& members) {
  store::FlagBits bits = 0;
  for (const std::string& name : members.texts("flags")) {
    const auto known = std::find_if(kFlags.begin(), kFlags.end(),
                                    [&](const auto& flag) { return flag.second == name; });
    if (known == kFlags.end()) {
      members.fault("flags", "has one that is none");
    } else {
      bits = static_cast<store::FlagBits>(bits | store::bit(known->first));
    }
  }
  return bits;
}

void check_base(Members& members, const MailboxLine& mailbox) {
  if (mailbox.base.has_value() == (mailbox.listing == Listing::kFull)) {
    members.fault("base", "does not fit the kind of listing");
  }
}

}  // namespace

namespace {

Ordered object_of(const AccountLine& account) {
  Ordered object;
  put_text(object, "account", account.name);
  object["id"] = account.id.value();
  if (account.provisioned) object["provisioned"] = true;
  put_texts(object, "subscriptions", account.subscriptions);
  return object;
}

Result<AccountLine> account_of(const Json& json) {
  Members members(json, "account");
  AccountLine account;
  account.name = octets(members, "account", "account_base64");
  account.id = store::AccountId(number32(members, "id"));
  account.provisioned = members.flag("provisioned");
  account.subscriptions = octets_list(members, "subscriptions", "subscriptions_base64");
  if (auto good = finish(members); !good) return tl::unexpected(good.error());
  return account;
}

Ordered object_of(const MailboxLine& mailbox) {
  Ordered object;
  put_text(object, "mailbox", mailbox.name);
  object["id"] = mailbox.id.value();
  put_text(object, "guid", mailbox.guid);
  object["uid_validity"] = mailbox.uid_validity.value();
  object["uid_next"] = mailbox.uid_next.value();
  object["highest_modseq"] = mailbox.highest_modseq.value();
  if (mailbox.special_use != store::SpecialUse::kNone) {
    object["special_use"] = store::to_string(mailbox.special_use);
  }
  if (mailbox.subscribed) object["subscribed"] = true;
  put_texts(object, "keywords", mailbox.keywords);
  object["messages"] = mailbox.messages;
  object["octets"] = mailbox.octets;
  object["kind"] = name_of(mailbox.listing);
  if (mailbox.base) object["base"] = to_string(*mailbox.base);
  object["chain"] = mailbox.chain;
  object["weight"] = mailbox.weight;
  if (!mailbox.gone.empty()) object["gone"] = encode_uids(mailbox.gone);
  object["records"] = mailbox.records;
  object["left_out"] = mailbox.left_out;
  return object;
}

Result<MailboxLine> mailbox_of(const Json& json) {
  Members members(json, "mailbox");
  MailboxLine mailbox;
  mailbox.name = octets(members, "mailbox", "mailbox_base64");
  if (auto good = store::check_name(mailbox.name); !good) members.fault("mailbox", good.error());
  mailbox.id = store::MailboxId(number32(members, "id"));
  mailbox.guid = octets(members, "guid", "guid_base64");
  mailbox.uid_validity = store::UidValidity(number32(members, "uid_validity"));
  mailbox.uid_next = store::Uid(number32(members, "uid_next"));
  mailbox.highest_modseq = store::ModSeq(members.number("highest_modseq", 0, kMostModSeq));
  if (const auto use = members.optional_text("special_use")) {
    const auto known = store::parse_special_use(*use);
    if (!known) members.fault("special_use", "is none that is known");
    mailbox.special_use = known.value_or(store::SpecialUse::kNone);
  }
  mailbox.subscribed = members.flag("subscribed");
  mailbox.keywords = octets_list(members, "keywords", "keywords_base64");
  mailbox.messages = members.number("messages", 0, kLastUid);
  mailbox.octets = members.number("octets", 0, kMost);
  const auto listing = parse_listing(members.text("kind"));
  if (!listing) members.fault("kind", "must be full, delta or same");
  mailbox.listing = listing.value_or(Listing::kFull);
  if (const auto base = members.optional_text("base")) {
    mailbox.base = parse_generation_name(*base);
    if (!mailbox.base) members.fault("base", "is no generation's name");
  }
  check_base(members, mailbox);
  mailbox.chain = number32(members, "chain");
  mailbox.weight = members.number("weight", 0, kMost);
  const auto gone = parse_uids(members.optional_text("gone").value_or(""));
  if (!gone) members.fault("gone", "must be UIDs in order");
  mailbox.gone = gone.value_or(std::vector<store::UidRange>{});
  mailbox.records = members.number("records", 0, kLastUid);
  mailbox.left_out = members.number("left_out", 0, kMost);
  if (auto good = finish(members); !good) return tl::unexpected(good.error());
  return mailbox;
}

// Takes the copy of a line out of an entry of the index.
Json take_line(Json& entry) {
  const auto found = entry.is_object() ? entry.find("line") : entry.end();
  if (found == entry.end()) return {};
  Json line = std::move(*found);
  entry.erase(found);
  return line;
}

}  // namespace

std::string encode_account(const AccountLine& account) { return line_of(object_of(account)); }

Result<AccountLine> decode_account(std::string_view line) {
  const auto json = parse(line, "account");
  if (!json) return tl::unexpected(json.error());
  return account_of(*json);
}

std::string encode_mailbox(const MailboxLine& mailbox) { return line_of(object_of(mailbox)); }

Result<MailboxLine> decode_mailbox(std::string_view line) {
  const auto json = parse(line, "mailbox");
  if (!json) return tl::unexpected(json.error());
  return mailbox_of(*json);
}

std::string encode_entry(const AccountEntry& entry) {
  Ordered object;
  object["account_at"] = entry.at;
  object["mailboxes"] = entry.mailboxes;
  object["messages"] = entry.messages;
  object["size"] = entry.size;
  object["line"] = object_of(entry.line);
  return line_of(object);
}

Result<AccountEntry> decode_account_entry(std::string_view line) {
  auto json = parse(line, "index");
  if (!json) return tl::unexpected(json.error());
  const Json copy = take_line(*json);
  Members members(*json, "index");
  AccountEntry entry;
  entry.at = members.number("account_at", 0, kMost);
  entry.mailboxes = members.number("mailboxes", 0, kMost);
  entry.messages = members.number("messages", 0, kMost);
  entry.size = members.number("size", 0, kMost);
  if (auto good = finish(members); !good) return tl::unexpected(good.error());
  auto account = account_of(copy);
  if (!account) return tl::unexpected(account.error());
  entry.line = *std::move(account);
  return entry;
}

std::string encode_entry(const MailboxEntry& entry) {
  Ordered object;
  object["mailbox_at"] = entry.at;
  object["account_id"] = entry.account.value();
  object["offset"] = entry.offset;
  object["octets"] = entry.octets;
  object["line"] = object_of(entry.line);
  return line_of(object);
}

Result<MailboxEntry> decode_mailbox_entry(std::string_view line) {
  auto json = parse(line, "index");
  if (!json) return tl::unexpected(json.error());
  const Json copy = take_line(*json);
  Members members(*json, "index");
  MailboxEntry entry;
  entry.at = members.number("mailbox_at", 0, kMost);
  entry.account = store::AccountId(number32(members, "account_id"));
  entry.offset = members.number("offset", 0, kMost);
  entry.octets = members.number("octets", 0, kMost);
  if (auto good = finish(members); !good) return tl::unexpected(good.error());
  auto mailbox = mailbox_of(copy);
  if (!mailbox) return tl::unexpected(mailbox.error());
  entry.line = *std::move(mailbox);
  return entry;
}

std::vector<std::string> flag_names(store::FlagBits flags) {
  std::vector<std::string> names;
  for (const auto& [flag, name] : kFlags) {
    if ((flags & store::bit(flag)) != 0) names.emplace_back(name);
  }
  return names;
}

std::string encode_message(const MessageLine& message) {
  Ordered object;
  object["uid"] = message.uid.value();
  if (const auto flags = flag_names(message.flags); !flags.empty()) object["flags"] = flags;
  put_texts(object, "keywords", message.keywords);
  object["modseq"] = message.modseq.value();
  object["date"] = seconds_of(message.date.time);
  if (message.date.zone_minutes != 0) object["zone"] = message.date.zone_minutes;
  object["saved"] = seconds_of(message.save_date);
  object["size"] = message.size;
  if (!message.prefix.empty()) put_text(object, "prefix", message.prefix);
  put_text(object, "uidl", message.uidl);
  if (message.pop3_hidden) object["hidden"] = true;
  if (message.pop3_retrieved) object["retrieved"] = true;
  object["email_id"] = hex_number(message.email_id.value());
  object["thread_id"] = hex_number(message.thread_id.value());
  object["body"] = hex(message.body);
  return line_of(object);
}

Result<MessageLine> decode_message(std::string_view line) {
  auto json = parse(line, "message");
  if (!json) return tl::unexpected(json.error());
  Members members(*json, "message");
  MessageLine message;
  message.uid = store::Uid(static_cast<std::uint32_t>(members.number("uid", 1, kLastUid)));
  message.flags = flags_member(members);
  message.keywords = octets_list(members, "keywords", "keywords_base64");
  if (message.keywords.size() > store::kMaxKeywords) members.fault("keywords", "are too many");
  message.modseq = store::ModSeq(members.number("modseq", 0, kMostModSeq));
  message.date.time = time_member(members, "date");
  message.date.zone_minutes = static_cast<std::int16_t>(
      members.optional_signed("zone", -kMostZoneMinutes, kMostZoneMinutes).value_or(0));
  message.save_date = time_member(members, "saved");
  message.size = members.number("size", 0, kMost);
  message.prefix = optional_octets(members, "prefix", "prefix_base64").value_or("");
  if (message.prefix.size() > store::kMaxPrefixOctets) members.fault("prefix", "is too long");
  message.uidl = octets(members, "uidl", "uidl_base64");
  if (message.uidl.size() > store::kMaxUidlOctets) members.fault("uidl", "is too long");
  message.pop3_hidden = members.flag("hidden");
  message.pop3_retrieved = members.flag("retrieved");
  message.email_id = store::EmailId(hex_member(members, "email_id"));
  message.thread_id = store::ThreadId(hex_member(members, "thread_id"));
  message.body = digest_member(members, "body");
  if (auto good = finish(members); !good) return tl::unexpected(good.error());
  return message;
}

LineKind kind_of(std::string_view line) {
  if (line.starts_with("{\"uid\":")) return LineKind::kMessage;
  if (line.starts_with("{\"mailbox\":") || line.starts_with("{\"mailbox_base64\":")) {
    return LineKind::kMailbox;
  }
  if (line.starts_with("{\"account\":") || line.starts_with("{\"account_base64\":")) {
    return LineKind::kAccount;
  }
  if (line.starts_with("{\"account_at\":")) return LineKind::kAccountEntry;
  if (line.starts_with("{\"mailbox_at\":")) return LineKind::kMailboxEntry;
  return LineKind::kOther;
}

store::Uid uid_of_line(std::string_view line) {
  constexpr std::string_view kBegins = "{\"uid\":";
  if (!line.starts_with(kBegins)) return store::Uid(0);
  line.remove_prefix(kBegins.size());
  const auto number = ascii::parse_number<std::uint32_t>(line.substr(0, line.find_first_of(",}")));
  return store::Uid(number.value_or(0));
}

std::optional<BodyName> body_of_line(std::string_view line) {
  constexpr std::string_view kBegins = "\"body\":\"";
  constexpr std::string_view kEnds = "\"}";
  constexpr std::size_t kDigits = 64;
  if (line.size() < kBegins.size() + kDigits + kEnds.size()) return std::nullopt;
  line.remove_prefix(line.size() - (kBegins.size() + kDigits + kEnds.size()));
  if (!line.starts_with(kBegins) || !line.ends_with(kEnds)) return std::nullopt;
  const auto octets = hex_decode(line.substr(kBegins.size(), kDigits));
  if (!octets) return std::nullopt;
  BodyName name{};
  std::copy(octets->begin(), octets->end(), name.begin());
  return name;
}

std::string encode_uids(const std::vector<store::UidRange>& ranges) {
  std::string text;
  for (const store::UidRange& range : ranges) {
    if (!text.empty()) text += ',';
    text += std::to_string(range.first.value());
    if (range.last != range.first) text += ":" + std::to_string(range.last.value());
  }
  return text;
}

std::optional<std::vector<store::UidRange>> parse_uids(std::string_view text) {
  std::vector<store::UidRange> ranges;
  while (!text.empty()) {
    const auto comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    const auto colon = part.find(':');
    const auto first = ascii::parse_number<std::uint32_t>(part.substr(0, colon));
    const auto last = colon == std::string_view::npos
                          ? first
                          : ascii::parse_number<std::uint32_t>(part.substr(colon + 1));
    if (!first || !last || *first == 0 || *last < *first) return std::nullopt;
    if (!ranges.empty() && *first <= ranges.back().last.value()) return std::nullopt;
    ranges.push_back({store::Uid(*first), store::Uid(*last)});
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
    if (text.empty()) return std::nullopt;
  }
  return ranges;
}

std::vector<store::UidRange> ranges_of(const std::vector<store::Uid>& ascending) {
  std::vector<store::UidRange> ranges;
  for (const store::Uid uid : ascending) {
    if (!ranges.empty() && uid == ranges.back().last) continue;
    if (!ranges.empty() && uid == ranges.back().last.next()) {
      ranges.back().last = uid;
    } else {
      ranges.push_back({uid, uid});
    }
  }
  return ranges;
}

}  // namespace twinpost::tools::backup
