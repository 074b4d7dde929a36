#include "pop3/maildrop.h"

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>

#include "core/base/log.h"

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

}  // namespace

std::unique_ptr<MaildropLocks::Lock> MaildropLocks::take(store::AccountId account) {
  if (!held_.insert(account).second) return nullptr;
  return std::make_unique<Lock>(this, account);
}

struct Maildrop::Snapshot {
  store::MailboxKey inbox;
  std::vector<Entry> entries;
  std::string texts;
  std::unique_ptr<store::Store::Pin> pin;
};

Result<Maildrop::Snapshot> Maildrop::take_snapshot(store::Store& store, const store::ReadView& view,
                                                   store::AccountId account) {
  const auto inbox = view.find_mailbox(account, "INBOX");
  if (!inbox) return tl::unexpected(inbox.error());
  Snapshot snapshot;
  snapshot.inbox = {account, inbox->id};
  snapshot.entries.reserve(inbox->messages);
  Packer packer(snapshot.texts);
  std::vector<store::BlobId> blobs;
  blobs.reserve(inbox->messages);
  Result<void> packed;

  const auto add = [&](const store::MessageRecord& record) {
    if (record.pop3_hidden) return true;
    Entry entry;
    entry.size = record.size;
    entry.blob = record.blob;
    entry.serial = record.serial;
    entry.uid = record.uid;
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
  if (!packed) return tl::unexpected(std::move(packed.error()));
  snapshot.texts.shrink_to_fit();
  snapshot.entries.shrink_to_fit();
  if (!blobs.empty()) snapshot.pin = store.pin_blobs(std::move(blobs));
  return snapshot;
}

Task<Result<std::unique_ptr<Maildrop>>> Maildrop::open(store::Store& store, MaildropLocks& locks,
                                                       std::string account, bool exclusive) {
  const auto id = co_await find_or_make_account(store, std::move(account));
  if (!id) co_return tl::unexpected(id.error());
  std::unique_ptr<MaildropLocks::Lock> lock;
  if (exclusive) {
    lock = locks.take(*id);
    if (!lock) co_return fail(ErrorCode::kInUse, "another POP3 session has this maildrop");
  }
  auto snapshot = co_await store.read(
      [&store, &id](const store::ReadView& view) { return take_snapshot(store, view, *id); });
  if (!snapshot) co_return tl::unexpected(snapshot.error());
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

std::vector<store::Uid> Maildrop::retrieved_but_not_marked() const {
  return uids_where([](const Entry& entry) { return entry.retrieved && !entry.marked; });
}

}  // namespace twinpost::pop3
