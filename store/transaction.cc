#include "store/transaction.h"

#include <algorithm>
#include <limits>

#include "core/base/ascii.h"
#include "store/names.h"

namespace twinpost::store {

std::vector<Uid> in_order(std::span<const Uid> uids) {
  std::vector<Uid> ordered(uids.begin(), uids.end());
  std::sort(ordered.begin(), ordered.end());
  ordered.erase(std::unique(ordered.begin(), ordered.end()), ordered.end());
  return ordered;
}

void count_in(MailboxInfo& mailbox, const MessageRecord& record) {
  ++mailbox.messages;
  if ((record.flags & bit(Flag::kSeen)) == 0) ++mailbox.unseen;
  if ((record.flags & bit(Flag::kDeleted)) != 0) ++mailbox.deleted;
  mailbox.bytes += record.size;
}

void count_out(MailboxInfo& mailbox, const MessageRecord& record) {
  --mailbox.messages;
  if ((record.flags & bit(Flag::kSeen)) == 0) --mailbox.unseen;
  if ((record.flags & bit(Flag::kDeleted)) != 0) --mailbox.deleted;
  mailbox.bytes -= record.size;
}

Result<void> check_quota(const AccountInfo& account, const Limits& limits, std::uint64_t messages,
                         std::uint64_t bytes) {
  const auto over = [](std::uint64_t used, std::uint64_t more, std::uint64_t limit) {
    return limit != 0 && (used > limit || more > limit - used);
  };
  if (over(account.bytes, bytes, limits.quota_bytes)) {
    return fail(ErrorCode::kOverQuota, account.name + ": over the quota of " +
                                           std::to_string(limits.quota_bytes) + " octets");
  }
  if (over(account.messages, messages, limits.quota_messages)) {
    return fail(ErrorCode::kOverQuota, account.name + ": over the quota of " +
                                           std::to_string(limits.quota_messages) + " messages");
  }
  return {};
}

namespace {

// Use from here on has passed it. Rounded up, so that an empty account has passed none.
std::uint64_t threshold_of(std::uint64_t limit, std::uint64_t percent) {
  // Not a multiplication of the whole: limits may be anything that fits.
  return limit / 100 * percent + (limit % 100 * percent + 99) / 100;
}

// The highest of the thresholds that lie above `before` and not above `now`; 0 where there is none.
std::uint64_t passed(const std::vector<std::uint64_t>& warn_at, std::uint64_t before,
                     std::uint64_t now, std::uint64_t limit) {
  std::uint64_t highest = 0;
  if (limit == 0) return highest;
  for (const std::uint64_t percent : warn_at) {
    const std::uint64_t threshold = threshold_of(limit, percent);
    if (before < threshold && now >= threshold) highest = std::max(highest, percent);
  }
  return highest;
}

}  // namespace

void Transaction::note_use(const AccountInfo& before, const AccountInfo& now,
                           const Limits& limits) {
  const auto note = [&](bool of_messages, std::uint64_t used_before, std::uint64_t used,
                        std::uint64_t limit) {
    const std::uint64_t percent = passed(limits.warn_at, used_before, used, limit);
    if (percent == 0) return;
    batch_.quota_passed(QuotaPassed{now.id, now.name, percent, of_messages, used, limit});
  };
  note(false, before.bytes, now.bytes, limits.quota_bytes);
  note(true, before.messages, now.messages, limits.quota_messages);
}

void Transaction::note_less_use(const AccountInfo& now) {
  batch_.forget_quota_passed([&now](const QuotaPassed& passed) {
    const std::uint64_t used = passed.of_messages ? now.messages : now.bytes;
    return passed.account == now.id && used < threshold_of(passed.limit, passed.percent);
  });
}

void count_out_removed(AccountInfo& account, const RemovedRow& row) {
  if (account.removed_messages > 0) --account.removed_messages;
  if (row.how == Removal::kMoved) return;
  account.removed_bytes -= std::min(account.removed_bytes, row.message.size);
}

bool is_unusable(ErrorCode code) {
  return code == ErrorCode::kCorrupt || code == ErrorCode::kNotFound ||
         code == ErrorCode::kUnsupported || code == ErrorCode::kLimit;
}

std::vector<std::string> keyword_names(const std::vector<std::string>& names, KeywordBits bits) {
  std::vector<std::string> found;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (bits.test(i)) found.push_back(names[i]);
  }
  return found;
}

// The last UID there could be is never given, so that UIDNEXT stays a number (RFC 9051: nz-number).
Result<Uid> take_uid(MailboxInfo& mailbox) {
  if (mailbox.uid_next.value() == std::numeric_limits<std::uint32_t>::max()) {
    return fail(ErrorCode::kLimit, mailbox.name + ": no UID is left in this mailbox");
  }
  const Uid uid = mailbox.uid_next;
  mailbox.uid_next = uid.next();
  return uid;
}

Result<Transaction::Open> Transaction::open(MailboxKey key) const {
  auto row = queries_.mailbox_row(key);
  if (!row) return failed(row);
  auto keywords = queries_.keywords(key);
  if (!keywords) return failed(keywords);
  return Open{key, std::move(*row), std::move(*keywords)};
}

Result<Transaction::Open> Transaction::open_to_change(MailboxKey key) const {
  auto mailbox = open(key);
  if (mailbox && mailbox->row.info.shows_removed) {
    return fail(ErrorCode::kInvalid,
                "This mailbox shows removed messages and can't be changed; they can be copied "
                "from it");
  }
  return mailbox;
}

Result<void> Transaction::put(const Open& mailbox) {
  const Key key = mailbox_key(mailbox.key);
  return batch_.txn().put(batch_.tables().mailboxes, key.view(),
                          encode_mailbox(key.view(), mailbox.row));
}

Result<void> Transaction::put(const AccountRow& account) {
  const Key key = account_key(account.info.id);
  return batch_.txn().put(batch_.tables().accounts, key.view(),
                          encode_account(key.view(), account));
}

Result<void> Transaction::put(MailboxKey mailbox, const MessageRecord& record) {
  const Key key = message_key(mailbox, record.uid);
  batch_.touched(mailbox, record.modseq, record.uid);
  return batch_.txn().put(batch_.tables().messages, key.view(), encode_message(key.view(), record));
}

ModSeq Transaction::touch(Open& mailbox) {
  ModSeq& highest = mailbox.row.info.highest_modseq;
  const auto [entry, first_time] = touched_.try_emplace(mailbox.key, highest);
  if (first_time) {
    batch_.begin_touching(mailbox.key, highest);
    highest = highest.next();
    entry->second = highest;
  }
  announce(mailbox);
  return highest;
}

void Transaction::announce(const Open& mailbox) {
  batch_.announce(MailboxChanged{mailbox.key, mailbox.row.info.highest_modseq, true});
}

Result<AccountInfo> Transaction::do_ensure_account(std::string_view name) {
  auto id = queries_.account_id(name);
  if (!id) return failed(id);
  if (*id) return account(**id);
  if (name.empty() || name.size() > kMaxNameOctets || !ascii::is_utf8(name) ||
      name.find('\0') != std::string_view::npos) {
    return fail(ErrorCode::kInvalid, "an account name must be UTF-8 of 1 to " +
                                         std::to_string(kMaxNameOctets) + " octets, without NUL");
  }
  auto counters = batch_.counters();
  if (!counters) return failed(counters);
  AccountRow row;
  row.info.id = (*counters)->next_account;
  row.info.name = name;
  if (row.info.id.value() == std::numeric_limits<std::uint32_t>::max()) {
    return fail(ErrorCode::kLimit, "no account id is left");
  }
  (*counters)->next_account = row.info.id.next();
  auto named = batch_.txn().put(batch_.tables().account_names, name,
                                encode_number(name, row.info.id.value()));
  if (!named) return failed(named);
  auto inbox = insert_mailbox(row, kInbox, SpecialUse::kNone);
  if (!inbox) return failed(inbox);
  return std::move(row.info);
}

Result<void> Transaction::do_set_provisioned(AccountId id) {
  auto row = queries_.account_row(id);
  if (!row) return failed(row);
  row->info.provisioned = true;
  return put(*row);
}

}  // namespace twinpost::store
