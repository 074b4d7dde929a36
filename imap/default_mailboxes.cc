#include "imap/default_mailboxes.h"

#include <algorithm>
#include <array>
#include <vector>

namespace twinpost::imap {

namespace {

struct DefaultMailbox {
  std::string_view name;
  store::SpecialUse use;
};
constexpr std::array kDefaults = {
    DefaultMailbox{"Sent", store::SpecialUse::kSent},
    DefaultMailbox{"Drafts", store::SpecialUse::kDrafts},
    DefaultMailbox{"Trash", store::SpecialUse::kTrash},
    DefaultMailbox{"Junk", store::SpecialUse::kJunk},
    DefaultMailbox{"Archive", store::SpecialUse::kArchive},
};

// The name of the mailbox that was made for the use; empty where there is one already, or room for
// none. One that is there already was made by an import, or by POP3, and is subscribed or not as that
// left it.
Result<std::string> provide(store::WriteTxn& txn, store::AccountId account,
                            const std::vector<store::MailboxInfo>& existing,
                            const DefaultMailbox& wanted) {
  const auto same_use =
      std::find_if(existing.begin(), existing.end(),
                   [&](const store::MailboxInfo& info) { return info.special_use == wanted.use; });
  if (same_use != existing.end()) return std::string{};
  const auto same_name =
      std::find_if(existing.begin(), existing.end(),
                   [&](const store::MailboxInfo& info) { return info.name == wanted.name; });
  if (same_name != existing.end()) {
    if (same_name->special_use == store::SpecialUse::kNone) {
      const store::MailboxKey key{account, same_name->id};
      if (auto set = txn.set_special_use(key, wanted.use); !set) {
        return tl::unexpected(set.error());
      }
    }
    return std::string{};
  }
  auto made = txn.create_mailbox(account, wanted.name, wanted.use);
  if (made) return made->name;
  if (made.error().code == ErrorCode::kLimit) return std::string{};
  return tl::unexpected(made.error());
}

}  // namespace

bool is_prepared(const store::AccountInfo& account) { return account.provisioned; }

Result<store::AccountInfo> prepare_account(store::WriteTxn& txn, std::string_view account) {
  auto info = txn.ensure_account(account);
  if (!info || is_prepared(*info)) return info;
  auto existing = txn.mailboxes(info->id);
  if (!existing) return tl::unexpected(existing.error());
  std::vector<std::string> names = {"INBOX"};
  for (const DefaultMailbox& wanted : kDefaults) {
    auto name = provide(txn, info->id, *existing, wanted);
    if (!name) return tl::unexpected(name.error());
    if (!name->empty()) names.push_back(*std::move(name));
  }
  for (const std::string& name : names) {
    if (auto done = txn.set_subscribed(info->id, name, true); !done) {
      return tl::unexpected(done.error());
    }
  }
  if (auto done = txn.set_provisioned(info->id); !done) return tl::unexpected(done.error());
  return txn.account(info->id);
}

}  // namespace twinpost::imap
