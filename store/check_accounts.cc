// Everything that begins with an account: its row and names, its mailboxes (check_mailbox.cc),
// subscriptions, what was removed and imported.
#include <algorithm>

#include "store/check_mailbox.h"
#include "store/damaged_records.h"
#include "store/names.h"

namespace twinpost::store {

namespace {

constexpr std::size_t kAccountOctets = 4;
constexpr std::size_t kLeastNoteKey = 12;  // without a name

// The lowest number above `after` (from 0: nullopt) that an entry of these tables has behind
// `prefix`.
std::optional<std::uint32_t> next_number(Census& census, std::span<const engine::Table> tables,
                                         const Key& prefix, std::optional<std::uint32_t> after) {
  if (after == ~std::uint32_t{0}) return std::nullopt;
  const std::string_view head = prefix.view();
  const Key from = Key().octets(head).u32(after ? *after + 1 : 0);
  std::optional<std::uint32_t> lowest;
  for (const engine::Table table : tables) {
    Rows rows(census, table);
    const std::size_t octets = census.key_octets(table);
    for (bool there = rows.seek(from.view()); there && rows.key().starts_with(head);
         there = rows.next()) {
      const std::string_view key = rows.key().substr(head.size());
      if (octets == 0 ? key.size() <= sizeof(std::uint32_t) : rows.key().size() != octets) {
        census.misplaced(table, rows.key(), rows.value());
        continue;
      }
      const std::uint32_t number = Reader(key).key_u32();
      lowest = std::min(lowest.value_or(number), number);
      break;
    }
  }
  return lowest;
}

class AccountCheck {
 public:
  AccountCheck(Census& census, AccountId id)
      : census_(census), id_(id), unit_(RepairUnit::of_account(id.value())) {}

  void run() {
    read_row();
    check_name();
    check_mailboxes();
    check_mailbox_names();
    check_texts();
    check_removed();
    check_shown();
    compare();
  }

 private:
  void wrong(const std::string& what) {
    census_.findings.add(Severity::kDerived, name_, what, unit_);
  }

  void read_row() {
    name_ = "account " + std::to_string(id_.value());
    const Key key = account_key(id_);
    const auto value = find_value(census_, tables().accounts, key.view());
    if (!value) {
      if (!census_.lost.contains(tables().accounts)) {
        census_.findings.add(Severity::kStore, name_, "its record is missing", unit_);
      }
      return;
    }
    auto row = decode_account(key.view(), *value);
    if (!row) {
      census_.findings.add(Severity::kStore, name_, row.error().message, unit_);
      return;
    }
    ++census_.report.accounts;
    row_ = std::move(*row);
    name_ = row_->info.name;
    census_.needed.next_account = std::max(census_.needed.next_account, id_.next());
  }

  void check_name() {
    if (!row_) return;
    if (row_->info.name.empty() || row_->info.name.size() > kMaxNameOctets) {
      return wrong("its name can't be used");
    }
    const auto value = find_value(census_, tables().account_names, row_->info.name);
    if (census_.lost.contains(tables().account_names)) return;
    const auto named = value ? decode_number(row_->info.name, *value, "account name")
                             : Result<std::uint64_t>(fail(ErrorCode::kNotFound, "not there"));
    if (!named) return wrong("its name is not listed: " + named.error().message);
    if (*named != id_.value()) wrong("its name is listed for another account");
  }

  void check_mailboxes() {
    const engine::Table of_mailboxes[] = {tables().mailboxes, tables().messages, tables().expunged,
                                          tables().keywords};
    const Key prefix = account_key(id_);
    std::optional<std::uint32_t> mailbox;
    while ((mailbox = next_number(census_, of_mailboxes, prefix, mailbox)) && !census_.ended) {
      const MailboxKey key{id_, MailboxId(*mailbox)};
      const CountedMailbox counted = check_mailbox(census_, key, name_);
      const bool is_listed = row_ && row_->info.removed_mailbox == key.mailbox;
      if (counted.shows_removed || (is_listed && !counted.has_row)) {
        if (is_listed || removed_mailbox_.value() == 0) removed_mailbox_ = key.mailbox;
      } else {
        messages_ += counted.messages;
        bytes_ += counted.bytes;
        if (counted.has_row) ++mailboxes_;
      }
      if (!counted.has_row) continue;
      if (row_ && key.mailbox >= row_->next_mailbox) {
        wrong("its next mailbox's number is used by mailbox " + std::to_string(*mailbox));
      }
    }
  }

  void check_mailbox_names() {
    const Key prefix = account_key(id_);
    bool inbox = false;
    for_each_row(census_, tables().mailbox_names, prefix.view(), [&](auto key, auto value) {
      const std::string name(key.substr(kAccountOctets));
      const std::string where = name_ + "/" + name;
      const RepairUnit entry = RepairUnit::name(tables().mailbox_names, key);
      if (name.empty()) return census_.misplaced(tables().mailbox_names, key, value);
      const auto mailbox = decode_number(key, value, "mailbox name");
      if (!mailbox) {
        return census_.findings.add(Severity::kDerived, where, mailbox.error().message, entry);
      }
      if (name == kInbox) inbox = true;
      const Key row_key = mailbox_key({id_, MailboxId(static_cast<std::uint32_t>(*mailbox))});
      const auto stored = find_value(census_, tables().mailboxes, row_key.view());
      if (census_.lost.contains(tables().mailboxes)) return;
      if (!stored) {
        // Where the mailbox has messages, its row is made anew by check_mailbox()'s unit first.
        return census_.findings.add(Severity::kDerived, where, "its name stands for no mailbox",
                                    entry);
      }
      const auto row = decode_mailbox(row_key.view(), *stored);
      if (row && row->info.name != name) {
        census_.findings.add(Severity::kDerived, where,
                             "its name stands for a mailbox that is called " + row->info.name,
                             entry);
      }
    });
    if (!inbox && row_ && !census_.lost.contains(tables().mailbox_names)) {
      wrong("it has no INBOX");
    }
  }

  void check_texts() {
    const Key prefix = account_key(id_);
    for_each_row(census_, tables().subscriptions, prefix.view(), [&](auto key, auto value) {
      const auto text = decode_text(key, value, "subscription");
      if (text) return;
      census_.findings.add(Severity::kDerived,
                           name_ + "/" + std::string(key.substr(kAccountOctets)),
                           text.error().message, RepairUnit::entry(tables().subscriptions, key));
    });
    for_each_row(census_, tables().imports, prefix.view(), [&](auto key, auto value) {
      if (key.size() != kAccountOctets + sizeof(ImportKey)) {
        return census_.misplaced(tables().imports, key, value);
      }
      const auto time = decode_number(key, value, "import");
      if (time) return;
      census_.findings.add(Severity::kDerived, name_, time.error().message,
                           RepairUnit::entry(tables().imports, key));
    });
    for_each_row(census_, tables().notes, prefix.view(), [&](auto key, auto value) {
      if (key.size() < kLeastNoteKey || key.size() > kLeastNoteKey + kMaxNoteName) {
        return census_.misplaced(tables().notes, key, value);
      }
      const auto text = decode_text(key, value, "note");
      if (text) return;
      census_.findings.add(Severity::kDerived, name_, text.error().message,
                           RepairUnit::entry(tables().notes, key));
    });
  }

  void check_removed() {
    constexpr std::size_t kKeyOctets = 20;
    const Key prefix = account_key(id_);
    for_each_row(census_, tables().removed, prefix.view(), [&](auto key, auto value) {
      if (key.size() != kKeyOctets) return census_.misplaced(tables().removed, key, value);
      Reader in(key.substr(kAccountOctets));
      RemovedId removed;
      removed.time = UnixTime(std::chrono::seconds(static_cast<std::int64_t>(in.key_u64())));
      removed.mailbox = MailboxId(in.key_u32());
      removed.uid = Uid(in.key_u32());
      const std::string where = name_ + " removed " + to_string(removed);
      auto row = decode_removed(key, value);
      const bool sound = row.has_value();
      if (!sound) {
        census_.findings.add(Severity::kMessage, where, row.error().message,
                             RepairUnit::entry(tables().removed, key));
        auto guessed = guess_removed(key, value);
        if (!guessed || !is_trustworthy(census_, guessed->message)) return;
        row = std::move(*guessed);
      } else if (row->message.uid != removed.uid) {
        census_.findings.add(Severity::kMessage, where, "it stands under another UID than its own",
                             RepairUnit::entry(tables().removed, key));
      }
      ++census_.report.removed;
      ++removed_messages_;
      if (row->how != Removal::kMoved) removed_bytes_ += row->message.size;
      note_serial(census_, row->message);
      const bool is_shown = row->shown_as.value() != 0 && row->shown_in == removed_mailbox_;
      if (is_shown) shown_.push_back(row->shown_as.value());
      count_body(census_, row->message, where, false);
    });
  }

  // Each message of the mailbox that shows removed ones has its removal. (A removal need not be
  // shown.)
  void check_shown() {
    if (removed_mailbox_.value() == 0 || census_.lost.contains(tables().removed)) return;
    std::sort(shown_.begin(), shown_.end());
    const Key prefix = mailbox_key({id_, removed_mailbox_});
    for_each_row(census_, tables().messages, prefix.view(), [&](auto key, auto) {
      if (key.size() != census_.key_octets(tables().messages)) return;  // told of already
      const std::uint32_t uid = Reader(key.substr(prefix.view().size())).key_u32();
      if (std::binary_search(shown_.begin(), shown_.end(), uid)) return;
      census_.findings.add(Severity::kDerived, name_,
                           "UID " + std::to_string(uid) +
                               " of the mailbox that shows removed messages is none of them",
                           RepairUnit::entry(tables().messages, key));
    });
  }

  void compare() {
    if (!row_ || census_.ended || census_.findings.lost_tables()) return;
    const auto expect = [&](const char* what, std::uint64_t counted, std::uint64_t stored) {
      if (counted == stored) return;
      wrong(std::string("it has ") + std::to_string(counted) + " " + what + ", its record says " +
            std::to_string(stored));
    };
    expect("messages", messages_, row_->info.messages);
    expect("octets in messages", bytes_, row_->info.bytes);
    expect("mailboxes", mailboxes_, row_->info.mailboxes);
    if (removed_mailbox_ != row_->info.removed_mailbox) {
      wrong("removed messages are shown in mailbox " + std::to_string(removed_mailbox_.value()) +
            ", its record says " + std::to_string(row_->info.removed_mailbox.value()));
    }
    expect("removed messages", removed_messages_, row_->info.removed_messages);
    expect("octets in removed messages", removed_bytes_, row_->info.removed_bytes);
  }

  [[nodiscard]] const Tables& tables() const { return census_.access.tables; }

  Census& census_;
  AccountId id_;
  RepairUnit unit_;
  std::optional<AccountRow> row_;
  std::string name_;
  std::uint64_t messages_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t mailboxes_ = 0;
  MailboxId removed_mailbox_;         // the one that shows removed messages
  std::vector<std::uint32_t> shown_;  // UIDs in it that removals name
  std::uint64_t removed_messages_ = 0;
  std::uint64_t removed_bytes_ = 0;
};

void check_account_names(Census& census) {
  const Tables& tables = census.access.tables;
  for_each_row(census, tables.account_names, {}, [&](auto key, auto value) {
    const std::string where = "account name " + std::string(key);
    const RepairUnit entry = RepairUnit::name(tables.account_names, key);
    const auto id = decode_number(key, value, "account name");
    if (!id) return census.findings.add(Severity::kDerived, where, id.error().message, entry);
    const Key row_key = account_key(AccountId(static_cast<std::uint32_t>(*id)));
    const auto stored = find_value(census, tables.accounts, row_key.view());
    if (census.lost.contains(tables.accounts)) return;
    if (!stored) {
      return census.findings.add(Severity::kDerived, where, "it stands for no account", entry);
    }
    const auto row = decode_account(row_key.view(), *stored);
    if (row && row->info.name != key) {
      census.findings.add(Severity::kDerived, where,
                          "it stands for an account that is called " + row->info.name, entry);
    }
  });
}

}  // namespace

void check_accounts(Census& census) {
  const Tables& t = census.access.tables;
  const engine::Table of_accounts[] = {t.accounts, t.mailboxes, t.mailbox_names, t.subscriptions,
                                       t.keywords, t.messages,  t.expunged,      t.removed,
                                       t.imports,  t.notes};
  if (census.only) {
    AccountCheck(census, *census.only).run();
    return;
  }
  std::optional<std::uint32_t> account;
  while ((account = next_number(census, of_accounts, Key(), account)) && !census.ended) {
    AccountCheck(census, AccountId(*account)).run();
  }
  check_account_names(census);
}

void check_counters(Census& census) {
  if (census.ended) return;
  const auto value = find_value(census, census.access.tables.meta, kCountersKey);
  const RepairUnit unit = RepairUnit::counters();
  const std::string where = "store";
  if (census.lost.contains(census.access.tables.meta)) return;
  if (!value) {
    return census.findings.add(Severity::kDerived, where, "its counters are missing", unit);
  }
  const auto counters = decode_counters(kCountersKey, *value);
  if (!counters) {
    return census.findings.add(Severity::kDerived, where, counters.error().message, unit);
  }
  const auto expect = [&](const char* what, auto stored, auto needed) {
    if (stored >= needed) return;
    census.findings.add(Severity::kDerived, where,
                        std::string("its counter of ") + what + " is " +
                            std::to_string(stored.value()) + ", what is in use needs " +
                            std::to_string(needed.value()),
                        unit);
  };
  expect("accounts", counters->next_account, census.needed.next_account);
  expect("UIDVALIDITYs", counters->last_uid_validity, census.needed.last_uid_validity);
  expect("bodies", counters->next_blob, census.needed.next_blob);
  expect("serials", counters->next_serial, census.needed.next_serial);
}

}  // namespace twinpost::store
