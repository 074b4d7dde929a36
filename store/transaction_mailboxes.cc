#include <algorithm>
#include <array>
#include <limits>

#include "core/base/encoding.h"
#include "store/names.h"
#include "store/transaction.h"

namespace twinpost::store {

namespace {

// Rows are collected in pieces of this many before they are erased: a cursor's values die with the
// first erase.
constexpr std::size_t kPiece = 1000;

// RFC 8474 4: kept by RENAME, never given again.
std::string new_mailbox_guid() {
  std::array<std::byte, 12> octets{};
  random_octets(octets);
  return "M" + hex_encode({reinterpret_cast<const char*>(octets.data()), octets.size()});
}

// Strictly ascending over the whole store, whatever the clock does: a mailbox that is made under an
// old name never gets an old UIDVALIDITY (RFC 9051 2.3.1.1).
Result<UidValidity> take_uid_validity(Counters& counters, UnixTime now) {
  const std::uint32_t last = counters.last_uid_validity.value();
  if (last == std::numeric_limits<std::uint32_t>::max()) {
    return fail(ErrorCode::kLimit, "no UIDVALIDITY is left");
  }
  const std::int64_t seconds = std::clamp<std::int64_t>(now.time_since_epoch().count(), 1,
                                                        std::numeric_limits<std::uint32_t>::max());
  counters.last_uid_validity = UidValidity(std::max(last + 1, static_cast<std::uint32_t>(seconds)));
  return counters.last_uid_validity;
}

}  // namespace

Result<void> Transaction::check_free_name(AccountId account, std::string_view canonical) const {
  if (auto checked = check_name(canonical); !checked) return checked;
  auto existing = queries_.mailbox_id(account, canonical);
  if (!existing) return failed(existing);
  if (*existing) return fail(ErrorCode::kExists, "a mailbox of this name exists");
  return {};
}

Result<void> Transaction::check_place(const AccountInfo& account,
                                      std::string_view canonical) const {
  if (account.removed_mailbox.value() == 0) return {};
  const auto row = queries_.mailbox_row({account.id, account.removed_mailbox});
  if (!row || !is_below(canonical, row->info.name)) return {};
  return fail(ErrorCode::kInvalid,
              "There can be no mailbox below " + row->info.name + ", which shows removed messages");
}

// Puts the account's row too: it counts its mailboxes.
Result<MailboxInfo> Transaction::insert_mailbox(AccountRow& account, std::string_view canonical,
                                                SpecialUse special_use, bool shows_removed) {
  if ((account.info.mailboxes >= kMostMailboxes && !shows_removed) ||
      account.next_mailbox.value() == std::numeric_limits<std::uint32_t>::max()) {
    return fail(ErrorCode::kLimit, "the account has as many mailboxes as it may have");
  }
  auto counters = batch_.counters();
  if (!counters) return failed(counters);
  auto uid_validity = take_uid_validity(**counters, batch_.now());
  if (!uid_validity) return failed(uid_validity);
  Open mailbox;
  mailbox.key = {account.info.id, account.next_mailbox};
  account.next_mailbox = account.next_mailbox.next();
  if (shows_removed) {
    account.info.removed_mailbox = mailbox.key.mailbox;
    account.info.removed_shown = false;
  } else {
    ++account.info.mailboxes;
  }
  MailboxInfo& info = mailbox.row.info;
  info.id = mailbox.key.mailbox;
  info.name = canonical;
  info.uid_validity = *uid_validity;
  info.uid_next = Uid(1);
  info.first_recent = Uid(1);
  info.highest_modseq = ModSeq(1);
  info.special_use = special_use;
  info.shows_removed = shows_removed;
  info.mailbox_guid = new_mailbox_guid();
  const Key name = name_key(account.info.id, canonical);
  auto done = batch_.txn().put(batch_.tables().mailbox_names, name.view(),
                               encode_number(name.view(), info.id.value()));
  if (done) done = put(mailbox);
  if (done) done = put(account);
  if (!done) return failed(done);
  announce(mailbox);
  return this->mailbox(mailbox.key);
}

Result<MailboxInfo> Transaction::do_create_mailbox(AccountId account, std::string_view name,
                                                   SpecialUse special_use) {
  auto row = queries_.account_row(account);
  if (!row) return failed(row);
  const std::string canonical = canonical_name(name);
  if (auto free = check_free_name(account, canonical); !free) return failed(free);
  if (auto good = check_place(row->info, canonical); !good) return failed(good);
  return insert_mailbox(*row, canonical, special_use);
}

Result<void> Transaction::erase_prefix(engine::Table table, std::string_view prefix) {
  for (;;) {
    std::vector<std::string> keys;
    auto scanned = queries_.scan(table, prefix, prefix, [&](auto key, auto) -> Result<bool> {
      keys.emplace_back(key);
      return keys.size() < kPiece;
    });
    if (!scanned) return scanned;
    for (const std::string& key : keys) {
      auto erased = batch_.txn().erase(table, key);
      if (!erased) return failed(erased);
    }
    if (keys.size() < kPiece) return {};
  }
}

Result<void> Transaction::remove_all_messages(Open& mailbox, const Remover& remover) {
  auto account = queries_.account_row(mailbox.key.account);
  if (!account) return failed(account);
  for (;;) {
    std::vector<MessageRecord> piece;
    auto scanned = queries_.for_each_message(
        mailbox.key, {Uid(1), Uid(std::numeric_limits<std::uint32_t>::max())},
        [&piece](const MessageRecord& record) {
          piece.push_back(record);
          return piece.size() < kPiece;
        });
    if (!scanned) return scanned;
    for (const MessageRecord& record : piece) {
      auto removed = remove(mailbox, *account, record, Removal::kMailboxDeleted, remover);
      if (!removed) return removed;
    }
    if (piece.size() < kPiece) return put(*account);
  }
}

Result<void> Transaction::do_delete_mailbox(MailboxKey key, const Remover& remover) {
  auto mailbox = open_to_change(key);
  if (!mailbox) return failed(mailbox);
  if (mailbox->row.info.name == kInbox) {
    return fail(ErrorCode::kInvalid, "INBOX can't be deleted");
  }
  if (auto removed = remove_all_messages(*mailbox, remover); !removed) return removed;
  return dissolve(*mailbox);
}

// Takes an empty mailbox away.
Result<void> Transaction::dissolve(const Open& mailbox) {
  const MailboxKey key = mailbox.key;
  auto account = queries_.account_row(key.account);
  if (!account) return failed(account);
  if (mailbox.row.info.shows_removed) {
    account->info.removed_mailbox = MailboxId();
    account->info.removed_shown = false;
  } else {
    --account->info.mailboxes;
  }
  if (auto done = put(*account); !done) return done;
  const Tables& tables = batch_.tables();
  const Key prefix = mailbox_key(key);
  for (const engine::Table table : {tables.expunged, tables.keywords, tables.notes}) {
    if (auto erased = erase_prefix(table, prefix.view()); !erased) return erased;
  }
  auto erased =
      batch_.txn().erase(tables.mailbox_names, name_key(key.account, mailbox.row.info.name).view());
  if (erased) erased = batch_.txn().erase(tables.mailboxes, prefix.view());
  if (!erased) return failed(erased);
  batch_.announce(MailboxChanged{key, mailbox.row.info.highest_modseq.next(), false});
  return {};
}

Result<void> Transaction::rename_one(AccountId account, const Queries::NamedMailbox& mailbox,
                                     std::string_view to) {
  auto opened = open({account, mailbox.id});
  if (!opened) return failed(opened);
  opened->row.info.name = to;
  const engine::Table names = batch_.tables().mailbox_names;
  auto erased = batch_.txn().erase(names, name_key(account, mailbox.name).view());
  if (!erased) return failed(erased);
  const Key key = name_key(account, to);
  auto done = batch_.txn().put(names, key.view(), encode_number(key.view(), mailbox.id.value()));
  if (done) done = put(*opened);
  if (!done) return done;
  announce(*opened);
  return {};
}

// RFC 9051 6.3.6: the messages go, INBOX stays and is empty; what is below it stays where it is.
Result<void> Transaction::rename_inbox(AccountRow account, std::string_view to) {
  auto inbox = queries_.mailbox_id(account.info.id, kInbox);
  if (!inbox) return failed(inbox);
  if (!*inbox) return fail(ErrorCode::kCorrupt, "the account has no INBOX");
  auto target = insert_mailbox(account, to, SpecialUse::kNone);
  if (!target) return failed(target);
  const MailboxKey from{account.info.id, **inbox};
  auto all = uids(from);
  if (!all) return failed(all);
  Remover remover;
  remover.protocol = "rename";
  auto moved = do_move(from, *all, {account.info.id, target->id}, remover);
  if (!moved) return failed(moved);
  return {};
}

Result<void> Transaction::do_rename_mailbox(AccountId account, std::string_view from,
                                            std::string_view to) {
  auto row = queries_.account_row(account);
  if (!row) return failed(row);
  const std::string old_name = canonical_name(from);
  const std::string new_name = canonical_name(to);
  auto id = queries_.mailbox_id(account, old_name);
  if (!id) return failed(id);
  if (!*id) return fail(ErrorCode::kNotFound, "no such mailbox");
  if (auto free = check_free_name(account, new_name); !free) return free;
  if (auto good = check_place(row->info, new_name); !good) return good;
  if (old_name == kInbox) return rename_inbox(std::move(*row), new_name);
  if (is_below(new_name, old_name)) {
    return fail(ErrorCode::kInvalid, "a mailbox can't be moved below itself");
  }
  auto moving = queries_.names(account, old_name + kHierarchySeparator);
  if (!moving) return failed(moving);
  moving->insert(moving->begin(), {old_name, **id});
  const auto renamed = [&](const Queries::NamedMailbox& mailbox) {
    return new_name + mailbox.name.substr(old_name.size());
  };
  for (const Queries::NamedMailbox& mailbox : *moving) {
    if (auto free = check_free_name(account, renamed(mailbox)); !free) return free;
    if (mailbox.id == row->info.removed_mailbox) {
      return fail(ErrorCode::kInvalid,
                  mailbox.name + " shows removed messages and can't be renamed");
    }
  }
  for (const Queries::NamedMailbox& mailbox : *moving) {
    if (auto done = rename_one(account, mailbox, renamed(mailbox)); !done) return done;
  }
  return {};
}

Result<void> Transaction::do_set_subscribed(AccountId account, std::string_view name,
                                            bool subscribed) {
  if (auto row = queries_.account_row(account); !row) return failed(row);
  const std::string canonical = canonical_name(name);
  if (auto checked = check_name(canonical); !checked) return checked;
  const Key key = name_key(account, canonical);
  const engine::Table table = batch_.tables().subscriptions;
  if (subscribed) return batch_.txn().put(table, key.view(), encode_text(key.view(), {}));
  auto erased = batch_.txn().erase(table, key.view());
  if (!erased) return failed(erased);
  return {};
}

Result<void> Transaction::do_set_special_use(MailboxKey key, SpecialUse special_use) {
  auto mailbox = open_to_change(key);
  if (!mailbox) return failed(mailbox);
  mailbox->row.info.special_use = special_use;
  announce(*mailbox);
  return put(*mailbox);
}

// No modseq: \Recent is no part of what CONDSTORE tells.
Result<Uid> Transaction::do_claim_recent(MailboxKey key) {
  auto mailbox = open(key);
  if (!mailbox) return failed(mailbox);
  MailboxInfo& info = mailbox->row.info;
  const Uid old = info.first_recent;
  if (old == info.uid_next) return old;
  info.first_recent = info.uid_next;
  if (auto done = put(*mailbox); !done) return failed(done);
  return old;
}

}  // namespace twinpost::store
