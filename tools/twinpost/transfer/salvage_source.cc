#include "tools/twinpost/transfer/salvage_source.h"

#include <algorithm>
#include <utility>

namespace twinpost::tools {

namespace {

class SalvageSource final : public MailSource {
 public:
  SalvageSource(const store::Salvage& salvage, const store::Salvage::Account& account,
                OnDamaged on_damaged)
      : salvage_(salvage), account_(account), on_damaged_(std::move(on_damaged)) {}

  std::string description() const override { return "salvaged " + account_.name; }

  Result<std::vector<MailFolder>> folders() override {
    std::vector<MailFolder> folders;
    for (const store::Salvage::Mailbox& mailbox : account_.mailboxes) {
      MailFolder folder;
      folder.name = mailbox.info.name;
      folder.uid_validity = mailbox.info.uid_validity;
      folder.uid_next = mailbox.info.uid_next;
      folder.highest_modseq = mailbox.info.highest_modseq;
      folder.mailbox_guid = mailbox.info.mailbox_guid;
      folder.special_use = mailbox.info.special_use;
      folder.subscribed = mailbox.info.subscribed;
      folder.native_name = mailbox.info.name;
      folders.push_back(std::move(folder));
    }
    return folders;
  }

  Result<std::vector<MailItem>> items(const MailFolder& folder) override {
    std::vector<MailItem> items;
    const store::Salvage::Mailbox* mailbox = find(folder);
    if (mailbox == nullptr) return fail(ErrorCode::kNotFound, "no such mailbox");
    for (const store::Uid uid : mailbox->uids) {
      const auto message = salvage_.message(mailbox->key, uid);
      if (!message) {
        on_damaged_(*mailbox, uid, nullptr, message.error());
        continue;
      }
      items.push_back(make_item(*mailbox, message->record));
    }
    return items;
  }

  Result<std::string> read(const MailFolder& folder, const MailItem& item,
                           std::span<const MailItem>) override {
    const store::Salvage::Mailbox* mailbox = find(folder);
    if (mailbox == nullptr) return fail(ErrorCode::kNotFound, "no such mailbox");
    const auto message = salvage_.message(mailbox->key, item.uid);
    if (!message) return fail(ErrorCode::kCorrupt, message.error().message);
    auto octets = salvage_.read(*message);
    if (octets) return octets;
    on_damaged_(*mailbox, item.uid, &message->record, octets.error());
    return fail(ErrorCode::kCorrupt, octets.error().message);
  }

 private:
  [[nodiscard]] const store::Salvage::Mailbox* find(const MailFolder& folder) const {
    const auto found = std::find_if(
        account_.mailboxes.begin(), account_.mailboxes.end(),
        [&folder](const auto& mailbox) { return mailbox.info.name == folder.native_name; });
    return found == account_.mailboxes.end() ? nullptr : &*found;
  }

  [[nodiscard]] MailItem make_item(const store::Salvage::Mailbox& mailbox,
                                   const store::MessageRecord& record) const {
    MailItem item;
    item.uid = record.uid;
    item.flags = record.flags;
    const std::vector<std::string>& names = mailbox.info.keywords;
    for (std::size_t i = 0; i < store::kMaxKeywords; ++i) {
      if (!record.keywords.test(i)) continue;
      const bool named = i < names.size() && !names[i].empty();
      item.keywords.push_back(named ? names[i] : "keyword-" + std::to_string(i));
    }
    item.date = record.internal_date;
    item.save_date = record.save_date;
    item.uidl = salvage_.uidl(record);
    item.pop3_hidden = record.pop3_hidden;
    item.pop3_retrieved = record.pop3_retrieved;
    item.size = record.size;
    item.prefix_octets = static_cast<std::uint32_t>(record.prefix.size());
    item.native_name = "UID " + std::to_string(record.uid.value());
    return item;
  }

  const store::Salvage& salvage_;
  const store::Salvage::Account& account_;
  OnDamaged on_damaged_;
};

}  // namespace

std::unique_ptr<MailSource> make_salvage_source(const store::Salvage& salvage,
                                                const store::Salvage::Account& account,
                                                OnDamaged on_damaged) {
  return std::make_unique<SalvageSource>(salvage, account, std::move(on_damaged));
}

}  // namespace twinpost::tools
