#include <algorithm>

#include "core/base/ascii.h"
#include "store/names.h"
#include "store/transaction.h"

namespace twinpost::store {

namespace {

constexpr std::size_t kMostGuidOctets = 255;

// RFC 8474 4: an objectid.
bool is_object_id(std::string_view text) {
  return !text.empty() && text.size() <= kMostGuidOctets &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return ascii::is_alnum(c) || c == '-' || c == '_'; });
}

}  // namespace

// Where no other mailbox of the account has it.
Result<void> Transaction::take_special_use(Open& mailbox, SpecialUse special_use) {
  if (special_use == SpecialUse::kNone) return {};
  auto all = queries_.mailboxes(mailbox.key.account);
  if (!all) return failed(all);
  const bool taken = std::any_of(all->begin(), all->end(), [&](const MailboxInfo& other) {
    return other.special_use == special_use;
  });
  if (!taken && mailbox.row.info.special_use == SpecialUse::kNone) {
    mailbox.row.info.special_use = special_use;
  }
  return {};
}

Result<void> Transaction::take_identity(Open& mailbox, const MailboxIdentity& identity) {
  MailboxInfo& info = mailbox.row.info;
  auto counters = batch_.counters();
  if (!counters) return failed(counters);
  if (identity.uid_validity.value() != 0) {
    info.uid_validity = identity.uid_validity;
    // So that a mailbox that is made later under this name gets another one.
    UidValidity& last = (*counters)->last_uid_validity;
    last = std::max(last, identity.uid_validity);
  }
  if (is_object_id(identity.mailbox_guid)) {
    auto all = queries_.mailboxes(mailbox.key.account);
    if (!all) return failed(all);
    const bool taken = std::any_of(all->begin(), all->end(), [&](const MailboxInfo& other) {
      return other.mailbox_guid == identity.mailbox_guid;
    });
    if (!taken) info.mailbox_guid = identity.mailbox_guid;
  }
  info.highest_modseq = std::max(info.highest_modseq, identity.highest_modseq);
  // Nothing is known of what was removed before: whoever asks compares UIDs (RFC 7162 3.2.5).
  mailbox.row.tombstone_floor = info.highest_modseq;
  return {};
}

Result<MailboxInfo> Transaction::do_adopt_mailbox(AccountId account_id,
                                                  const MailboxIdentity& identity) {
  auto account = queries_.account_row(account_id);
  if (!account) return failed(account);
  const std::string canonical = canonical_name(identity.name);
  auto id = queries_.mailbox_id(account_id, canonical);
  if (!id) return failed(id);
  const bool existed = id->has_value();
  if (!existed) {
    if (auto checked = check_name(canonical); !checked) return failed(checked);
    if (auto good = check_place(account->info, canonical); !good) return failed(good);
    auto made = insert_mailbox(*account, canonical, SpecialUse::kNone);
    if (!made) return failed(made);
    *id = made->id;
  }
  auto mailbox = open_to_change({account_id, **id});
  if (!mailbox) return failed(mailbox);
  const MailboxInfo& info = mailbox->row.info;
  const UidValidity uid_validity = info.uid_validity;
  const bool untouched = info.messages == 0 && info.uid_next == Uid(1);
  if (untouched) {
    if (auto taken = take_identity(*mailbox, identity); !taken) return failed(taken);
  }
  if (auto taken = take_special_use(*mailbox, identity.special_use); !taken) return failed(taken);
  if (auto done = put(*mailbox); !done) return failed(done);
  announce(*mailbox);
  // Sessions that have it open know it by another UIDVALIDITY: for them it is gone.
  if (existed && info.uid_validity != uid_validity) {
    batch_.announce(MailboxChanged{mailbox->key, info.highest_modseq, false});
  }
  return this->mailbox(mailbox->key);
}

Result<void> Transaction::do_advance_uid_next(MailboxKey key, Uid at_least) {
  auto mailbox = open_to_change(key);
  if (!mailbox) return failed(mailbox);
  if (at_least <= mailbox->row.info.uid_next) return {};
  mailbox->row.info.uid_next = at_least;
  announce(*mailbox);
  return put(*mailbox);
}

Result<void> Transaction::do_install_mailbox(MailboxKey key, std::string_view name,
                                             const Remover& remover) {
  auto installed = open_to_change(key);
  if (!installed) return failed(installed);
  const std::string canonical = canonical_name(name);
  if (auto checked = check_name(canonical); !checked) return checked;
  auto account = queries_.account_row(key.account);
  if (!account) return failed(account);
  if (auto good = check_place(account->info, canonical); !good) return good;
  const std::string old_name = installed->row.info.name;
  if (old_name == canonical) return {};
  if (old_name == kInbox) return fail(ErrorCode::kInvalid, "INBOX can't be renamed away");
  auto there = queries_.mailbox_id(key.account, canonical);
  if (!there) return failed(there);
  if (*there) {
    const MailboxKey replaced{key.account, **there};
    auto all = uids(replaced);
    if (!all) return failed(all);
    auto moved = do_move(replaced, *all, key, remover);
    if (!moved) return failed(moved);
    auto emptied = open(replaced);
    if (!emptied) return failed(emptied);
    const SpecialUse special_use = emptied->row.info.special_use;
    if (auto gone = dissolve(*emptied); !gone) return gone;
    installed = open(key);
    if (!installed) return failed(installed);
    if (auto taken = take_special_use(*installed, special_use); !taken) return taken;
    if (auto done = put(*installed); !done) return done;
  }
  return rename_one(key.account, {old_name, key.mailbox}, canonical);
}

}  // namespace twinpost::store
