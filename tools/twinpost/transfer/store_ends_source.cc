// The store as a source: short reads, so that a server beside is never held up.
#include <fmt/format.h>
#include <set>

#include "core/base/ascii.h"
#include "tools/twinpost/transfer/store_ends.h"

namespace twinpost::tools {

namespace {

constexpr std::size_t kRecordsPerRead = 2'000;
constexpr std::uint32_t kLastUid = ~std::uint32_t{0};

class StoreSource final : public MailSource {
 public:
  StoreSource(store::Store& store, store::AccountInfo account)
      : store_(store), account_(std::move(account)) {}

  [[nodiscard]] std::string description() const override { return "account " + account_.name; }
  [[nodiscard]] Result<std::vector<MailFolder>> folders() override;
  [[nodiscard]] Result<std::vector<MailItem>> items(const MailFolder& folder) override;
  [[nodiscard]] Result<std::string> read(const MailFolder& folder, const MailItem& item,
                                         std::span<const MailItem> next) override;

 private:
  // By id: a mailbox that is renamed meanwhile is still the same.
  [[nodiscard]] store::MailboxKey key_of(const MailFolder& folder) const {
    const auto id = ascii::parse_number<std::uint32_t>(folder.native_name);
    return {account_.id, store::MailboxId(id.value_or(0))};
  }
  [[nodiscard]] MailItem make_item(const store::MessageRecord& record,
                                   const std::vector<std::string>& keywords) const;

  store::Store& store_;
  store::AccountInfo account_;
};

Result<std::vector<MailFolder>> StoreSource::folders() {
  using Folders = std::vector<MailFolder>;
  return store_.read_now([&](const store::ReadView& view) -> Result<Folders> {
    auto mailboxes = view.mailboxes(account_.id);
    if (!mailboxes) return tl::unexpected(mailboxes.error());
    auto names = view.subscriptions(account_.id);
    if (!names) return tl::unexpected(names.error());
    const std::set<std::string> subscribed(names->begin(), names->end());
    Folders folders;
    for (const store::MailboxInfo& mailbox : *mailboxes) {
      if (mailbox.shows_removed) continue;
      MailFolder folder;
      folder.name = mailbox.name;
      folder.uid_validity = mailbox.uid_validity;
      folder.uid_next = mailbox.uid_next;
      folder.highest_modseq = mailbox.highest_modseq;
      folder.mailbox_guid = mailbox.mailbox_guid;
      folder.special_use = mailbox.special_use;
      folder.subscribed = subscribed.contains(mailbox.name);
      folder.native_name = std::to_string(mailbox.id.value());
      folders.push_back(std::move(folder));
    }
    return folders;
  });
}

MailItem StoreSource::make_item(const store::MessageRecord& record,
                                const std::vector<std::string>& keywords) const {
  MailItem item;
  item.uid = record.uid;
  item.flags = record.flags;
  for (std::size_t i = 0; i < keywords.size(); ++i) {
    if (record.keywords.test(i)) item.keywords.push_back(keywords[i]);
  }
  item.date = record.internal_date;
  item.save_date = record.save_date;
  item.uidl = store::uidl_of(record, store_.store_id());
  item.pop3_hidden = record.pop3_hidden;
  item.pop3_retrieved = record.pop3_retrieved;
  item.size = record.size;
  item.prefix_octets = static_cast<std::uint32_t>(record.prefix.size());
  item.email_id = record.email_id;
  item.thread_id = record.thread_id;
  return item;
}

Result<std::vector<MailItem>> StoreSource::items(const MailFolder& folder) {
  const store::MailboxKey key = key_of(folder);
  std::vector<MailItem> items;
  std::uint32_t next = 1;
  for (bool more = true; more;) {
    using Slice = std::vector<MailItem>;
    auto slice = store_.read_now([&](const store::ReadView& view) -> Result<Slice> {
      const auto mailbox = view.mailbox(key);
      if (!mailbox) return tl::unexpected(mailbox.error());
      Slice some;
      auto walked = view.for_each_message(key, {store::Uid(next), store::Uid(kLastUid)},
                                          [&](const store::MessageRecord& record) {
                                            some.push_back(make_item(record, mailbox->keywords));
                                            return some.size() < kRecordsPerRead;
                                          });
      if (!walked) return tl::unexpected(walked.error());
      return some;
    });
    if (!slice) return tl::unexpected(slice.error());
    more = slice->size() == kRecordsPerRead && slice->back().uid.value() != kLastUid;
    if (more) next = slice->back().uid.value() + 1;
    for (MailItem& item : *slice) items.push_back(std::move(item));
  }
  return items;
}

Result<std::string> StoreSource::read(const MailFolder& folder, const MailItem& item,
                                      std::span<const MailItem>) {
  const store::MailboxKey key = key_of(folder);
  // The whole in one read, since only that verifies the checksum: memory to memory, some milliseconds even for the largest.
  return store_.read_now([&](const store::ReadView& view) -> Result<std::string> {
    const auto record = view.message(key, item.uid);
    if (!record) return tl::unexpected(record.error());
    std::string octets;
    auto read = view.read_message(*record, 0, record->size, octets);
    if (!read) return tl::unexpected(read.error());
    if (octets.size() != record->size) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("{} octets instead of {}", octets.size(), record->size));
    }
    return octets;
  });
}

}  // namespace

Result<std::unique_ptr<MailSource>> make_store_source(store::Store& store,
                                                      const std::string& account) {
  auto found = store.read_now(
      [&](const store::ReadView& view) { return view.account(ascii::lower(account)); });
  if (!found) {
    if (found.error().code != ErrorCode::kNotFound) return tl::unexpected(found.error());
    return fail(ErrorCode::kNotFound,
                fmt::format("{} has no mailboxes: no mail has come for it and nobody has logged in",
                            account));
  }
  return std::make_unique<StoreSource>(store, *std::move(found));
}

}  // namespace twinpost::tools
