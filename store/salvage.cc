#include "store/salvage.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "store/damaged_records.h"
#include "store/names.h"
#include "store/tables.h"

namespace twinpost::store {

Result<std::unique_ptr<Salvage>> Salvage::open(const std::string& data_file, const BodyCoder& coder,
                                               const Progress& progress) {
  auto file = engine::PageFile::open(data_file);
  if (!file) return failed(file);
  std::unique_ptr<Salvage> salvage(new Salvage(std::move(*file), coder));
  salvage->index_ = std::make_unique<SalvageIndex>(salvage->file_);
  if (auto built = salvage->index_->build(progress); !built) return failed(built);
  salvage->arrange();
  return salvage;
}

std::optional<std::uint64_t> Salvage::store_id() const {
  if (!index_->store) return std::nullopt;
  return index_->store->store_id;
}

std::string Salvage::uidl(const MessageRecord& record) const {
  if (!record.imported_uidl.empty()) return record.imported_uidl;
  return index_->store ? uidl_of(record, index_->store->store_id) : std::string();
}

// One that no other mailbox of the account has.
std::string Salvage::mailbox_name(MailboxKey key, const std::set<std::string>& taken) const {
  std::string name;
  if (const auto row = index_->mailboxes.find(key); row != index_->mailboxes.end()) {
    name = row->second.row.info.name;
  } else if (const auto named = index_->mailbox_names.find(key);
             named != index_->mailbox_names.end()) {
    name = named->second;
  }
  const std::string base = "Recovered-" + std::to_string(key.mailbox.value());
  for (unsigned attempt = 1; !check_name(name) || taken.contains(name); ++attempt) {
    name = attempt == 1 ? base : base + "-" + std::to_string(attempt);
  }
  return name;
}

// What is in such a mailbox was removed.
bool Salvage::shows_removed(MailboxKey key) const {
  const auto row = index_->mailboxes.find(key);
  if (row != index_->mailboxes.end()) return row->second.row.info.shows_removed;
  const auto account = index_->accounts.find(key.account.value());
  return account != index_->accounts.end() && account->second.info.removed_mailbox == key.mailbox;
}

void Salvage::arrange() {
  std::map<MailboxKey, std::vector<Uid>> uids;
  for (const auto& [at, found] : index_->messages) uids[at.first].push_back(at.second);
  // A mailbox that only an old row tells of is there if something else knows it.
  for (const auto& [key, found] : index_->mailboxes) {
    if (found.certainty == Certainty::kSound || index_->mailbox_names.contains(key)) uids[key];
  }
  for (const auto& [key, name] : index_->mailbox_names) {
    if (index_->may_lack("mailboxes", mailbox_key(key).view())) uids[key];
  }
  std::map<std::uint32_t, Account> accounts;
  std::map<std::uint32_t, std::set<std::string>> names;
  for (auto& [key, list] : uids) {
    if (shows_removed(key)) continue;
    Mailbox mailbox;
    mailbox.key = key;
    if (const auto row = index_->mailboxes.find(key); row != index_->mailboxes.end()) {
      mailbox.info = row->second.row.info;
    } else {
      mailbox.info.id = key.mailbox;
      mailbox.lost_row = true;
    }
    MailboxInfo& info = mailbox.info;
    std::set<std::string>& taken = names[key.account.value()];
    info.name = mailbox_name(key, taken);
    taken.insert(info.name);
    if (!list.empty()) info.uid_next = std::max(info.uid_next, list.back().next());
    info.subscribed =
        index_->subscriptions.contains(std::string(name_key(key.account, info.name).view()));
    if (const auto keywords = index_->keywords.find(key); keywords != index_->keywords.end()) {
      for (const auto& [bit, name] : keywords->second) {
        if (bit >= kMaxKeywords) continue;
        if (info.keywords.size() <= bit) info.keywords.resize(bit + 1);
        info.keywords[bit] = name;
      }
    }
    mailbox.uids = std::move(list);
    accounts[key.account.value()].mailboxes.push_back(std::move(mailbox));
  }
  for (const auto& [id, row] : index_->accounts) accounts[id];
  std::set<std::string> taken;
  for (auto& [id, account] : accounts) {
    account.id = AccountId(id);
    const auto row = index_->accounts.find(id);
    const auto named = index_->account_names.find(id);
    if (row != index_->accounts.end()) account.name = row->second.info.name;
    if (account.name.empty() && named != index_->account_names.end()) account.name = named->second;
    while (account.name.empty() || taken.contains(account.name)) {
      account.name += "recovered-" + std::to_string(id);
    }
    taken.insert(account.name);
    std::sort(account.mailboxes.begin(), account.mailboxes.end(),
              [](const Mailbox& a, const Mailbox& b) {
                const bool a_later = a.info.name != kInbox;
                const bool b_later = b.info.name != kInbox;
                return std::tie(a_later, a.info.name) < std::tie(b_later, b.info.name);
              });
    accounts_.push_back(std::move(account));
  }
}

Result<Salvage::Message> Salvage::message(MailboxKey mailbox, Uid uid) const {
  const auto found = index_->messages.find({mailbox, uid});
  if (found == index_->messages.end()) return fail(ErrorCode::kNotFound, "no such message");
  std::string value;
  if (auto read = file_.read(found->second.place, value); !read) return failed(read);
  const Key key = message_key(mailbox, uid);
  Message message;
  message.certainty = found->second.certainty;
  if (message.certainty != Certainty::kGuessed) {
    auto decoded = decode_message(key.view(), value, message.record);
    if (!decoded) return failed(decoded);
    return message;
  }
  auto guessed = guess_message(key.view(), value);
  if (!guessed) return fail(ErrorCode::kCorrupt, "message record does not match its checksum");
  message.record = std::move(*guessed);
  return message;
}

}  // namespace twinpost::store
