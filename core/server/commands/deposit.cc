// deposit: messages of an import or a restore.
//
// Order matters for what a fault may leave: everything is checked and prepared before anything is
// written, then all of it goes in one transaction. Only where that fails (a quota that has room for
// some) is each written by itself.
#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/base/ascii.h"
#include "core/server/commands/commands.h"
#include "core/server/commands/request.h"
#include "store/prepare.h"
#include "store/records.h"

namespace twinpost::server {

namespace {

constexpr std::size_t kMostItems = 10'000;
constexpr std::uint32_t kLastUid = ~std::uint32_t{0};
constexpr std::int64_t kFirstDate = -62'167'219'200;  // year 0000 to 9999: what IMAP can show
constexpr std::int64_t kLastDate = 253'402'300'799;
constexpr std::int64_t kMostZoneMinutes = 24 * 60 - 1;

struct Item {
  std::string mailbox;
  std::uint64_t octets = 0;
  std::uint64_t prefix_octets = 0;
  store::AppendRequest request;
  std::optional<Error> error;  // found before the store was asked
};

// --- what the request says

store::FlagBits read_flags(Members& members) {
  constexpr std::array<std::pair<std::string_view, store::Flag>, 5> kFlags = {{
      {"\\Seen", store::Flag::kSeen},
      {"\\Answered", store::Flag::kAnswered},
      {"\\Flagged", store::Flag::kFlagged},
      {"\\Deleted", store::Flag::kDeleted},
      {"\\Draft", store::Flag::kDraft},
  }};
  store::FlagBits bits = 0;
  for (const std::string& text : members.texts("flags")) {
    const auto* const flag = std::find_if(kFlags.begin(), kFlags.end(), [&](const auto& known) {
      return ascii::equals_ignore_case(known.first, text);
    });
    if (flag == kFlags.end()) {
      members.fault("flags", fmt::format("{} is none of RFC 9051's system flags",
                                         ascii::printable(text, 60)));
      return bits;
    }
    bits = static_cast<store::FlagBits>(bits | store::bit(flag->second));
  }
  return bits;
}

// RFC 9051 section 9: flag-keyword = atom. Another octet in it would break every FETCH that shows
// it.
bool is_keyword(std::string_view text) {
  return !text.empty() && text.size() <= store::kMaxKeywordOctets &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return c > ' ' && c < 0x7F &&
                  std::string_view("(){%*\"\\]").find(c) == std::string_view::npos;
         });
}

// RFC 1939 section 7: 0x21 to 0x7E. Servers have given longer ones than its 70 octets, so those are
// kept too.
bool is_uidl(std::string_view text) {
  return !text.empty() && text.size() <= store::kMaxUidlOctets &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

std::uint64_t read_id(Members& members, const char* name) {
  const auto octets = members.optional_hex(name, sizeof(std::uint64_t));
  std::uint64_t id = 0;
  for (const char c : octets.value_or("")) id = id << 8 | static_cast<unsigned char>(c);
  return id;
}

void read_origin(Members& members, store::Origin& origin) {
  origin.uid = store::Uid(
      static_cast<std::uint32_t>(members.optional_number("uid", 1, kLastUid).value_or(0)));
  if (const auto date = members.optional_signed("save_date", kFirstDate, kLastDate)) {
    origin.save_date = UnixTime(std::chrono::seconds(*date));
  }
  origin.pop3_hidden = members.flag("hidden");
  origin.pop3_retrieved = members.flag("retrieved");
  origin.email_id = store::EmailId(read_id(members, "email_id"));
  origin.thread_id = store::ThreadId(read_id(members, "thread_id"));
  if (const auto key = members.optional_hex("key", sizeof(store::ImportKey))) {
    std::copy(key->begin(), key->end(), origin.key.emplace().begin());
  }
}

// All but the message itself.
void read_request(Members& members, store::AppendRequest& request) {
  request.flags = read_flags(members);
  request.keywords = members.texts("keywords");
  for (const std::string& keyword : request.keywords) {
    if (is_keyword(keyword)) continue;
    members.fault("keywords", fmt::format("\"{}\" is no keyword (RFC 9051: an atom of at most {} "
                                          "octets)",
                                          ascii::printable(keyword, 60), store::kMaxKeywordOctets));
  }
  const auto date = members.optional_signed("date", kFirstDate, kLastDate);
  if (!date) members.fault("date", "is missing");
  request.internal_date.time = UnixTime(std::chrono::seconds(date.value_or(0)));
  request.internal_date.zone_minutes = static_cast<std::int16_t>(
      members.optional_signed("zone", -kMostZoneMinutes, kMostZoneMinutes).value_or(0));
  if (auto uidl = members.optional_text("uidl")) {
    if (!is_uidl(*uidl)) {
      members.fault("uidl",
                    fmt::format("must be 1 to {} visible ASCII characters", store::kMaxUidlOctets));
    }
    request.imported_uidl = *std::move(uidl);
  }
  read_origin(members, request.origin);
}

Item read_item(const Json& element, std::size_t index) {
  Item item;
  Members members(element, fmt::format("items[{}]", index));
  item.mailbox = mailbox_member(members);
  item.octets = members.number("octets", 0, kAdminPayload);
  item.prefix_octets = members.optional_number("prefix_octets", 0, kAdminPayload).value_or(0);
  if (item.prefix_octets > item.octets) members.fault("prefix_octets", "are more than the octets");
  if (item.prefix_octets > store::kMaxPrefixOctets) {
    members.fault("prefix_octets", fmt::format("can be {} at most", store::kMaxPrefixOctets),
                  ErrorCode::kTooLarge);
  }
  read_request(members, item.request);
  if (auto good = members.finish(); !good) item.error = good.error();
  return item;
}

// An item's octets say where the next one's begin, so what is wrong with one of them is wrong with
// the whole payload.
Result<std::vector<Item>> read_items(const Json& list, std::uint64_t payload_octets) {
  std::vector<Item> items;
  std::uint64_t sum = 0;
  for (const Json& element : list) {
    const std::string place = fmt::format("items[{}].octets", items.size());
    const bool has = element.is_object() && element.contains("octets");
    if (!has || !element.at("octets").is_number_integer()) {
      return fail(ErrorCode::kInvalid, place + ": is missing, or no whole number");
    }
    const Json& octets = element.at("octets");
    const bool negative = !octets.is_number_unsigned() && octets.get<std::int64_t>() < 0;
    if (negative || octets.get<std::uint64_t>() > payload_octets - sum) {
      return fail(ErrorCode::kInvalid, place + ": more than the payload has");
    }
    sum += octets.get<std::uint64_t>();
    items.push_back(read_item(element, items.size()));
  }
  if (sum != payload_octets) {
    return fail(ErrorCode::kInvalid,
                fmt::format("items: {} octets together, the payload has {}", sum, payload_octets));
  }
  return items;
}

// --- the messages

bool ends_in_crlf(std::string_view text) { return text.empty() || text.ends_with("\r\n"); }

Result<void> prepare_item(const AdminJob& job, std::string_view octets, Item& item) {
  const std::string_view prefix = octets.substr(0, static_cast<std::size_t>(item.prefix_octets));
  const std::string_view body = octets.substr(prefix.size());
  if (!ends_in_crlf(prefix) || !ends_in_crlf(body)) {
    return fail(ErrorCode::kInvalid, "the message, or its prefix, does not end in CRLF");
  }
  auto prepared = store::prepare_message(job.payload, body, job.store.coder());
  if (!prepared) return tl::unexpected(prepared.error());
  item.request.message = *std::move(prepared);
  item.request.prefix = std::string(prefix);
  return {};
}

Result<void> prepare_items(const AdminJob& job, std::vector<Item>& items) {
  const auto octets = job.payload->view();
  if (!octets) return tl::unexpected(octets.error());
  std::uint64_t begin = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    Item& item = items[i];
    if (!tell(job, "messages", i, items.size())) return ended();
    const std::string_view message =
        octets->substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(item.octets));
    begin += item.octets;
    if (item.error) continue;
    if (auto prepared = prepare_item(job, message, item); !prepared) {
      item.error =
          Error{prepared.error().code, fmt::format("items[{}]: {}", i, prepared.error().message)};
    }
  }
  return {};
}

// --- into the store

// What became of an item, in one transaction.
struct Outcome {
  store::Uid uid;
  bool known = false;
  std::optional<Error> error;
};

using Names = std::unordered_set<std::string>;

// What tells whether a message with the same UIDL is the same message.
struct Likeness {
  std::uint64_t octets = 0;
  UnixTime received{};
  friend bool operator==(const Likeness&, const Likeness&) = default;
};
using Uidls = std::unordered_map<std::string, Likeness>;

Likeness likeness_of(const Item& item) { return {item.octets, item.request.internal_date.time}; }

// Of `wanted`, those that messages of the mailbox have now.
Result<Uidls> uidls_there(const store::ReadView& view, store::MailboxKey mailbox,
                          const Names& wanted, std::uint64_t store_id) {
  Uidls there;
  // Making up the UIDL of every message is what costs; only a text of its length can be one.
  const bool generated = std::any_of(wanted.begin(), wanted.end(), [](const std::string& uidl) {
    return uidl.size() == 4 * sizeof(std::uint64_t);
  });
  const auto walked = view.for_each_message(
      mailbox, {store::Uid(1), store::Uid(kLastUid)}, [&](const store::MessageRecord& record) {
        if (record.imported_uidl.empty() && !generated) {
          return true;
        }
        std::string uidl = store::uidl_of(record, store_id);
        if (wanted.count(uidl) != 0) {
          there.emplace(std::move(uidl), Likeness{record.size, record.internal_date.time});
        }
        return true;
      });
  if (!walked) return tl::unexpected(walked.error());
  return there;
}

// One transaction's work.
class Deposit {
 public:
  Deposit(store::WriteTxn& txn, std::uint64_t store_id, store::AccountInfo account)
      : txn_(txn), store_id_(store_id), account_(std::move(account)) {}

  // What the store could not take is an error: the transaction must go back then. What is the
  // item's own is said in the outcome.
  Result<Outcome> put(std::span<const Item> all, const Item& item) {
    Outcome outcome;
    const auto mailbox = mailbox_of(item.mailbox);
    if (!mailbox) {
      if (mailbox.error().code != ErrorCode::kNotFound) return tl::unexpected(mailbox.error());
      outcome.error = mailbox.error();
      return outcome;
    }
    if (item.request.origin.key) {
      const auto was = txn_.was_imported(account_.id, *item.request.origin.key);
      if (!was) return tl::unexpected(was.error());
      outcome.known = *was;
      if (*was) return outcome;
    }
    const std::string& uidl = item.request.imported_uidl;
    if (!uidl.empty()) {
      auto there = uidls_of(all, item.mailbox, *mailbox);
      if (!there) return tl::unexpected(there.error());
      // One that came with this very request is like none: it may well be there twice.
      const auto [same, is_new] = (*there)->emplace(uidl, Likeness{});
      // An import whose source has numbered its messages anew (another UIDVALIDITY) has other keys
      // for those that came before.
      if (!is_new && item.request.origin.key && same->second == likeness_of(item)) {
        outcome.known = true;
        return outcome;
      }
      if (!is_new) {
        outcome.error = Error{ErrorCode::kExists, fmt::format("{} has a message with this UIDL: {}",
                                                              item.mailbox, uidl)};
        return outcome;
      }
    }
    const auto appended = txn_.append(*mailbox, item.request);
    if (!appended) return tl::unexpected(appended.error());
    outcome.uid = appended->uid;
    return outcome;
  }

 private:
  Result<store::MailboxKey> mailbox_of(const std::string& name) {
    if (const auto known = mailboxes_.find(name); known != mailboxes_.end()) return known->second;
    const auto info = find_mailbox(txn_, account_, name);
    if (!info) return tl::unexpected(info.error());
    const store::MailboxKey key{account_.id, info->id};
    mailboxes_.emplace(name, key);
    return key;
  }

  Result<Uidls*> uidls_of(std::span<const Item> all, const std::string& name,
                          store::MailboxKey mailbox) {
    if (const auto known = uidls_.find(name); known != uidls_.end()) return &known->second;
    Names wanted;
    for (const Item& item : all) {
      if (item.mailbox == name && !item.request.imported_uidl.empty()) {
        wanted.insert(item.request.imported_uidl);
      }
    }
    auto there = uidls_there(txn_, mailbox, wanted, store_id_);
    if (!there) return tl::unexpected(there.error());
    return &uidls_.emplace(name, *std::move(there)).first->second;
  }

  store::WriteTxn& txn_;
  std::uint64_t store_id_;
  store::AccountInfo account_;
  std::map<std::string, store::MailboxKey> mailboxes_;
  std::map<std::string, Uidls> uidls_;
};

Result<std::vector<Outcome>> write_items(store::Store& store, const std::string& account,
                                         std::span<const Item> items) {
  const std::uint64_t store_id = store.store_id();
  return store.write_now([&](store::WriteTxn& txn) -> Result<std::vector<Outcome>> {
    auto found = find_account(txn, account);
    if (!found) return tl::unexpected(found.error());
    Deposit deposit(txn, store_id, *std::move(found));
    std::vector<Outcome> outcomes;
    for (const Item& item : items) {
      if (item.error) {
        outcomes.push_back({{}, false, item.error});
        continue;
      }
      auto outcome = deposit.put(items, item);
      if (!outcome) return tl::unexpected(outcome.error());
      outcomes.push_back(*std::move(outcome));
    }
    return outcomes;
  });
}

std::vector<Outcome> write_one_by_one(const AdminJob& job, const std::string& account,
                                      std::span<const Item> items) {
  std::vector<Outcome> outcomes;
  for (std::size_t i = 0; i < items.size(); ++i) {
    // The disk is full for all of them; a quota may have room for a smaller one.
    const bool full =
        i > 0 && outcomes.back().error && outcomes.back().error->code == ErrorCode::kDiskFull;
    if (full) {
      outcomes.push_back(outcomes.back());
      continue;
    }
    auto one = tell(job, "messages", i, items.size())
                   ? write_items(job.store, account, items.subspan(i, 1))
                   : Result<std::vector<Outcome>>(ended());
    outcomes.push_back(one ? std::move(one->front()) : Outcome{{}, false, one.error()});
  }
  return outcomes;
}

Json to_json(const Outcome& outcome) {
  if (outcome.error) {
    return Json{{"code", to_string(outcome.error->code)}, {"error", outcome.error->message}};
  }
  if (outcome.known) return Json{{"known", true}};
  return Json{{"uid", outcome.uid.value()}};
}

}  // namespace

Result<Json> admin_deposit(AdminJob& job) {
  Members members(job.request);
  const std::string account = account_member(members);
  const bool ignore_quota = members.flag("ignore_quota");
  const Json* const list = members.list("items", kMostItems);
  const std::uint64_t announced = members.number("octets", 0, kAdminPayload);
  if (auto good = members.finish(); !good) return tl::unexpected(good.error());
  if (job.payload == nullptr) return fail(ErrorCode::kInvalid, "octets: there is no payload");
  if (job.payload->size() != announced) {
    // What the spool added: a CR before a bare LF, or the last line's end.
    return fail(ErrorCode::kInvalid,
                "the payload has lines that do not end in CRLF: its octets can't be told apart");
  }
  auto items = read_items(*list, announced);
  if (!items) return tl::unexpected(items.error());
  const store::Limits limits = ignore_quota ? store::Limits{} : limits_of(job, account);
  for (Item& item : *items) item.request.limits = limits;
  if (auto prepared = prepare_items(job, *items); !prepared) {
    return tl::unexpected(prepared.error());
  }
  const auto exists =
      job.store.read_now([&](const store::ReadView& view) { return find_account(view, account); });
  if (!exists) return tl::unexpected(exists.error());
  auto written = write_items(job.store, account, *items);
  const std::vector<Outcome> outcomes =
      written ? *std::move(written) : write_one_by_one(job, account, *items);
  Json answers = Json::array();
  for (const Outcome& outcome : outcomes) answers.push_back(to_json(outcome));
  return Json{{"items", std::move(answers)}};
}

}  // namespace twinpost::server
