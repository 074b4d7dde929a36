#include "pop3/maildrop.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/base/log.h"
#include "core/config/uidl_template.h"
#include "pop3/show_from.h"

namespace twinpost::pop3 {
namespace {

constexpr std::size_t kMaxUidl = 70;  // RFC 1939 section 7

bool is_valid_uidl(std::string_view uidl) {
  return !uidl.empty() && uidl.size() <= kMaxUidl &&
         std::all_of(uidl.begin(), uidl.end(), [](char c) { return c >= 0x21 && c <= 0x7e; });
}

// Texts packed into one string, equal ones once.
class Packer {
 public:
  explicit Packer(std::string& out) : out_(out) {}
  // kTooLarge when 32-bit offsets do not reach.
  Result<std::uint32_t> add_shared(const std::string& text) {
    const auto known = known_.find(text);
    if (known != known_.end()) return known->second;
    const auto offset = add(text);
    if (offset) known_.emplace(text, *offset);
    return offset;
  }
  Result<std::uint32_t> add(const std::string& text) {
    if (text.size() > std::numeric_limits<std::uint32_t>::max() - out_.size()) {
      return fail(ErrorCode::kTooLarge, "the maildrop has too many header fields of its own");
    }
    const auto offset = static_cast<std::uint32_t>(out_.size());
    out_ += text;
    return offset;
  }

 private:
  std::string& out_;
  std::unordered_map<std::string, std::uint32_t> known_;
};

Task<Result<store::AccountId>> find_or_make_account(store::Store& store, std::string name) {
  auto found =
      co_await store.read([&name](const store::ReadView& view) { return view.account(name); });
  if (!found && found.error().code == ErrorCode::kNotFound) {
    found =
        co_await store.write([&name](store::WriteTxn& txn) { return txn.ensure_account(name); });
  }
  if (!found) co_return tl::unexpected(found.error());
  co_return found->id;
}

using What = config::Pop3Show::What;

// Which messages the option `show` lets in, as things are now.
class Shown {
 public:
  Shown(const config::Pop3Show& show, std::optional<ShowFrom> from, UnixTime now)
      : what_(show.what) {
    if (what_ == What::kRecentDays) since_ = now - std::chrono::days(show.days);
    if (what_ == What::kSince) since_ = UnixTime(show.since);
    if (what_ == What::kFromNowOn && from) {
      since_ = from->time;
      first_ = from->uid;
    }
  }
  [[nodiscard]] bool has(const store::MessageRecord& record) const {
    switch (what_) {
      case What::kAll: return true;
      case What::kUnseen: return (record.flags & store::bit(store::Flag::kSeen)) == 0;
      case What::kRecentDays:
      case What::kSince: return record.internal_date.time >= since_;
      case What::kFromNowOn: {
        const UnixTime date = record.internal_date.time;
        return date > since_ || (date == since_ && record.uid >= first_);
      }
    }
    return true;
  }

 private:
  What what_;
  UnixTime since_{};
  store::Uid first_;
};

// Notes since when an account is shown, where a login comes before that of the configuration
// (show_from.h).
Task<Result<void>> ensure_show_from(store::Store& store, store::AccountId account,
                                    const std::string& mailbox) {
  auto is_noted = co_await store.read([&](const store::ReadView& view) -> Result<bool> {
    const auto found = view.find_mailbox(account, mailbox);
    if (!found) return tl::unexpected(found.error());
    const auto noted = read_show_from(view, {account, found->id});
    if (!noted) return tl::unexpected(noted.error());
    return noted->has_value();
  });
  if (!is_noted) co_return tl::unexpected(is_noted.error());
  if (*is_noted) co_return Result<void>{};
  auto noted = co_await store.write([&](store::WriteTxn& txn) -> Result<void> {
    const auto found = txn.find_mailbox(account, mailbox);
    if (!found) return tl::unexpected(found.error());
    return note_show_from(txn, {account, found->id});
  });
  co_return noted;
}

// Records changed in one transaction: few enough that nobody waits for them.
constexpr std::size_t kFixedAtOnce = 2000;

// Where this fails the UIDLs are shown all the same: the next login makes the same ones, unless a message is
// moved before that.
Task<void> fix_uidls(store::Store& store, store::MailboxKey maildrop,
                     std::vector<store::FixedUidl> uidls) {
  for (std::size_t i = 0; i < uidls.size(); i += kFixedAtOnce) {
    const auto some = std::span(uidls).subspan(i, std::min(kFixedAtOnce, uidls.size() - i));
    auto fixed =
        co_await store.write([&](store::WriteTxn& txn) { return txn.fix_uidls(maildrop, some); });
    if (fixed) continue;
    log::error("pop3-uidls-not-fixed", {{"error", fixed.error().message}});
    co_return;
  }
}

}  // namespace

std::unique_ptr<MaildropLocks::Lock> MaildropLocks::take(store::AccountId account) {
  if (!held_.insert(account).second) return nullptr;
  return std::make_unique<Lock>(this, account);
}

struct Maildrop::Snapshot {
  store::MailboxKey inbox;
  std::vector<Entry> entries;
  std::string texts;
  store::UidValidity uid_validity;
  std::vector<store::FixedUidl> to_fix;
  std::unique_ptr<store::Store::Pin> pin;
};

Result<Maildrop::Snapshot> Maildrop::take_snapshot(store::Store& store, const store::ReadView& view,
                                                   store::AccountId account,
                                                   const config::Pop3Options& options) {
  const auto inbox = view.find_mailbox(account, options.maildrop);
  if (!inbox) return tl::unexpected(inbox.error());
  std::optional<ShowFrom> from;
  if (options.show.what == What::kFromNowOn) {
    const auto noted = read_show_from(view, {account, inbox->id});
    if (!noted) return tl::unexpected(noted.error());
    from = *noted;
  }
  const Shown shown(options.show, from, unix_now());
  Snapshot snapshot;
  snapshot.inbox = {account, inbox->id};
  snapshot.uid_validity = inbox->uid_validity;
  snapshot.entries.reserve(inbox->messages);
  Packer packer(snapshot.texts);
  std::vector<store::BlobId> blobs;
  blobs.reserve(inbox->messages);
  Result<void> packed;

  const auto add = [&](const store::MessageRecord& record) {
    if (record.pop3_hidden || !shown.has(record)) return true;
    Entry entry;
    entry.size = record.size;
    entry.blob = record.blob;
    entry.serial = record.serial;
    entry.uid = record.uid;
    entry.retrieved_before = record.pop3_retrieved;
    const auto prefix = packer.add_shared(record.prefix);
    if (!prefix) {
      packed = tl::unexpected(prefix.error());
      return false;
    }
    entry.prefix = *prefix;
    entry.prefix_octets = static_cast<std::uint32_t>(record.prefix.size());
    // One that POP3 can't show would break the listing; the message then has the UIDL of any other
    // message.
    if (is_valid_uidl(record.imported_uidl)) {
      const auto uidl = packer.add(record.imported_uidl);
      if (!uidl) {
        packed = tl::unexpected(uidl.error());
        return false;
      }
      entry.uidl = *uidl;
      entry.uidl_octets = static_cast<std::uint8_t>(record.imported_uidl.size());
    }
    blobs.push_back(record.blob);
    snapshot.entries.push_back(entry);
    return true;
  };
  const store::UidRange all{store::Uid{1}, store::Uid{std::numeric_limits<std::uint32_t>::max()}};
  auto walked = view.for_each_message(snapshot.inbox, all, add);
  if (!walked) return tl::unexpected(std::move(walked.error()));
  if (packed) packed = settle_uidls(snapshot, store.store_id(), options);
  if (!packed) return tl::unexpected(std::move(packed.error()));
  snapshot.texts.shrink_to_fit();
  snapshot.entries.shrink_to_fit();
  if (!blobs.empty()) snapshot.pin = store.pin_blobs(std::move(blobs));
  return snapshot;
}

// Gives messages the UIDLs of the account's template, and one of its own to whichever would have that of a
// message before it: what is made of the serial is nobody else's.
Result<void> Maildrop::settle_uidls(Snapshot& snapshot, std::uint64_t store_id,
                                    const config::Pop3Options& options) {
  std::optional<config::UidlTemplate> made_by;
  if (!options.uidl.empty()) {
    auto parsed = config::UidlTemplate::parse(options.uidl);
    if (!parsed) return tl::unexpected(parsed.error());
    made_by = std::move(*parsed);
  }
  std::unordered_set<std::string> taken;
  Packer packer(snapshot.texts);
  const auto give = [&](Entry& entry, std::string uidl) -> Result<void> {
    const auto offset = packer.add(uidl);
    if (!offset) return tl::unexpected(offset.error());
    entry.uidl = *offset;
    entry.uidl_octets = static_cast<std::uint8_t>(uidl.size());
    snapshot.to_fix.push_back({entry.uid, std::move(uidl)});
    return {};
  };
  const auto own = [store_id](const Entry& entry) {
    store::MessageRecord named;
    named.serial = entry.serial;
    return store::uidl_of(named, store_id);
  };
  // Those that were imported or fixed come first: they have been shown.
  for (Entry& entry : snapshot.entries) {
    if (entry.uidl_octets == 0) continue;
    if (taken.insert(snapshot.texts.substr(entry.uidl, entry.uidl_octets)).second) continue;
    if (auto given = give(entry, own(entry)); !given) return given;
    taken.insert(own(entry));
  }
  if (!made_by) return {};
  for (Entry& entry : snapshot.entries) {
    if (entry.uidl_octets != 0) continue;
    std::string uidl = made_by->make(entry.uid.value(), snapshot.uid_validity.value());
    if (!taken.insert(uidl).second) uidl = own(entry);
    if (auto given = give(entry, std::move(uidl)); !given) return given;
  }
  return {};
}

Task<Result<std::unique_ptr<Maildrop>>> Maildrop::open(store::Store& store, MaildropLocks& locks,
                                                       std::string account,
                                                       config::Pop3Options options) {
  const auto id = co_await find_or_make_account(store, std::move(account));
  if (!id) co_return tl::unexpected(id.error());
  std::unique_ptr<MaildropLocks::Lock> lock;
  if (!options.many_sessions) {
    lock = locks.take(*id);
    if (!lock) co_return fail(ErrorCode::kInUse, "another POP3 session has this maildrop");
  }
  if (options.show.what == What::kFromNowOn) {
    auto noted = co_await ensure_show_from(store, *id, options.maildrop);
    if (!noted) co_return tl::unexpected(std::move(noted.error()));
  }
  auto snapshot = co_await store.read(
      [&](const store::ReadView& view) { return take_snapshot(store, view, *id, options); });
  if (!snapshot) co_return tl::unexpected(snapshot.error());
  if (!snapshot->to_fix.empty()) {
    co_await fix_uidls(store, snapshot->inbox, std::move(snapshot->to_fix));
  }
  std::unique_ptr<Maildrop> maildrop(
      new Maildrop(std::move(*snapshot), std::move(lock), store.store_id()));
  co_return maildrop;
}

Maildrop::Maildrop(Snapshot snapshot, std::unique_ptr<MaildropLocks::Lock> lock,
                   std::uint64_t store_id)
    : inbox_(snapshot.inbox),
      store_id_(store_id),
      entries_(std::move(snapshot.entries)),
      texts_(std::move(snapshot.texts)),
      pin_(std::move(snapshot.pin)),
      lock_(std::move(lock)) {
  unmark_all();
}

Maildrop::~Maildrop() = default;

bool Maildrop::contains(MessageNumber number) const {
  return number.value() >= 1 && number.value() <= entries_.size();
}

std::string Maildrop::uidl(MessageNumber number) const {
  const Entry& entry = at(number);
  if (entry.uidl_octets != 0) return texts_.substr(entry.uidl, entry.uidl_octets);
  store::MessageRecord named;
  named.serial = entry.serial;
  return store::uidl_of(named, store_id_);
}

void Maildrop::mark(MessageNumber number) {
  Entry& entry = at(number);
  entry.marked = true;
  --message_count_;
  total_octets_ -= entry.size;
}

void Maildrop::unmark_all() {
  message_count_ = entries_.size();
  total_octets_ = 0;
  for (Entry& entry : entries_) {
    entry.marked = false;
    total_octets_ += entry.size;
  }
}

store::MessageRecord Maildrop::record(MessageNumber number) const {
  const Entry& entry = at(number);
  store::MessageRecord record;
  record.uid = entry.uid;
  record.size = entry.size;
  record.serial = entry.serial;
  record.blob = entry.blob;
  record.prefix = texts_.substr(entry.prefix, entry.prefix_octets);
  return record;
}

std::vector<store::Uid> Maildrop::uids_where(bool (*chosen)(const Entry&)) const {
  std::vector<store::Uid> uids;
  for (const Entry& entry : entries_) {
    if (chosen(entry)) uids.push_back(entry.uid);
  }
  return uids;
}

std::vector<store::Uid> Maildrop::marked() const {
  return uids_where([](const Entry& entry) { return entry.marked; });
}

std::uint64_t Maildrop::last_retrieved() const {
  for (std::uint64_t n = entries_.size(); n > 0; --n) {
    if (entries_[n - 1].retrieved) return n;
  }
  return 0;
}

std::vector<store::Uid> Maildrop::retrieved() const {
  return uids_where([](const Entry& entry) { return entry.retrieved; });
}

std::vector<store::Uid> Maildrop::retrieved_before() const {
  return uids_where([](const Entry& entry) {
    return entry.retrieved_before && !entry.retrieved && !entry.marked;
  });
}

std::vector<ListedUidl> Maildrop::take_listed() {
  std::vector<ListedUidl> listed;
  if (std::exchange(listed_, true)) return listed;
  listed.reserve(entries_.size());
  for (std::uint64_t n = 1; n <= entries_.size(); ++n) {
    const MessageNumber number{n};
    if (is_marked(number)) continue;
    listed.push_back({at(number).uid, digest_of_uidl(uidl(number))});
  }
  return listed;
}

std::vector<store::Uid> Maildrop::retrieved_but_not_marked() const {
  return uids_where([](const Entry& entry) { return entry.retrieved && !entry.marked; });
}

}  // namespace twinpost::pop3
