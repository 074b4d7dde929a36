#include <algorithm>

#include "store/damaged_records.h"
#include "store/names.h"
#include "store/repair.h"
#include "store/transaction.h"

namespace twinpost::store {

namespace {

// Mailbox ids that may have been given, where the row that knew is lost.
constexpr std::uint32_t kSpareMailboxes = 1000;

class AccountRepair {
 public:
  AccountRepair(Repair& repair, AccountId id)
      : batch_(repair.batch),
        queries_(batch_.txn(), batch_.tables(), &batch_.coder()),
        id_(id),
        key_(account_key(id)) {}

  Result<bool> run() {
    if (auto read = read_row(); !read) return failed(read);
    if (auto counted = count(); !counted) return failed(counted);
    if (auto named = settle_name(); !named) return failed(named);
    auto put = batch_.txn().put(tables().accounts, key_.view(), encode_account(key_.view(), row_));
    if (!put) return failed(put);
    auto inbox = queries_.mailbox_id(id_, kInbox);
    const bool lacks_inbox = inbox && !*inbox;
    if (lacks_inbox) {
      auto made = Transaction(batch_).create_mailbox(id_, kInbox, SpecialUse::kNone);
      if (!made) return failed(made);
    }
    return inbox.has_value();
  }

 private:
  [[nodiscard]] const Tables& tables() const { return batch_.tables(); }

  Result<void> read_row() {
    auto value = batch_.txn().get(tables().accounts, key_.view());
    if (!value) return failed(value);
    row_.info.id = id_;
    // Who deleted a mailbox that every account gets does not get it back.
    row_.info.provisioned = true;
    if (!*value) return {};
    auto row = decode_account(key_.view(), **value);
    if (row) {
      row_ = std::move(*row);
      sound_ = true;
    } else if (row.error().code == ErrorCode::kNewerFormat) {
      return failed(row);
    }
    return {};
  }

  Result<void> count() {
    AccountInfo& info = row_.info;
    info.messages = info.bytes = info.removed_messages = info.removed_bytes = 0;
    info.mailboxes = 0;
    const MailboxId listed = info.removed_mailbox;
    info.removed_mailbox = MailboxId();
    MailboxId last;
    auto scanned = queries_.scan(tables().mailboxes, key_.view(), key_.view(),
                                 [&](auto key, auto value) -> Result<bool> {
                                   auto row = decode_mailbox(key, value);
                                   if (!row) return true;
                                   if (row->info.shows_removed) {
                                     const MailboxId id = row->info.id;
                                     const bool is_first = info.removed_mailbox.value() == 0;
                                     if (is_first || id == listed) info.removed_mailbox = id;
                                   } else {
                                     ++info.mailboxes;
                                     info.messages += row->info.messages;
                                     info.bytes += row->info.bytes;
                                   }
                                   last = std::max(last, row->info.id);
                                   return true;
                                 });
    if (!scanned) return scanned;
    if (info.removed_mailbox != listed) info.removed_shown = false;
    MailboxId last_removed;
    scanned = queries_.scan(tables().removed, key_.view(), key_.view(),
                            [&](auto key, auto value) -> Result<bool> {
                              Reader in(key.substr(key_.view().size()));
                              in.key_u64();
                              last_removed = std::max(last_removed, MailboxId(in.key_u32()));
                              auto row = decode_removed(key, value);
                              if (!row) return true;
                              ++info.removed_messages;
                              if (row->how != Removal::kMoved)
                                info.removed_bytes += row->message.size;
                              return true;
                            });
    if (!scanned) return scanned;
    if (sound_) {
      row_.next_mailbox = std::max(row_.next_mailbox, last.next());
    } else {
      row_.next_mailbox = MailboxId(std::max(last, last_removed).value() + kSpareMailboxes);
    }
    return {};
  }

  Result<void> settle_name() {
    std::string& name = row_.info.name;
    if (!sound_) {
      auto scanned =
          queries_.scan(tables().account_names, {}, {}, [&](auto key, auto value) -> Result<bool> {
            const auto id = decode_number(key, value, "account name");
            if (!id || *id != id_.value()) return true;
            name = std::string(key);
            return false;
          });
      if (!scanned) return scanned;
    }
    const std::string base = "recovered-" + std::to_string(id_.value());
    for (unsigned attempt = 1;; ++attempt) {
      auto good = is_free(name);
      if (!good) return failed(good);
      if (*good) break;
      name = attempt == 1 ? base : base + "-" + std::to_string(attempt);
    }
    return batch_.txn().put(tables().account_names, name, encode_number(name, id_.value()));
  }

  // No other account has it.
  Result<bool> is_free(const std::string& name) {
    if (name.empty() || name.size() > kMaxNameOctets) return false;
    auto value = batch_.txn().get(tables().account_names, name);
    if (!value) return failed(value);
    if (!*value) return true;
    const auto id = decode_number(name, **value, "account name");
    if (!id || *id == id_.value()) return true;
    const auto other = queries_.account_row(AccountId(static_cast<std::uint32_t>(*id)));
    return !other || other->info.name != name;
  }

  Batch& batch_;
  Queries queries_;
  AccountId id_;
  Key key_;
  AccountRow row_;
  bool sound_ = false;
};

}  // namespace

Result<bool> repair_account(Repair& repair, AccountId id) {
  return AccountRepair(repair, id).run();
}

}  // namespace twinpost::store
