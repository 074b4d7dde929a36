#include "imap/mailbox_changes.h"

#include <algorithm>
#include <vector>

#include "imap/list_walk.h"
#include "imap/mailbox_name.h"

namespace twinpost::imap {

namespace {

constexpr std::string_view kInbox = "INBOX";

Result<bool> exists(const store::ReadView& view, store::AccountId account, std::string_view name) {
  const auto found = view.find_mailbox(account, name);
  if (found) return true;
  if (found.error().code == ErrorCode::kNotFound) return false;
  return tl::unexpected(found.error());
}

Result<std::vector<std::string_view>> missing_parents(const store::ReadView& view,
                                                      store::AccountId account,
                                                      std::string_view name) {
  std::vector<std::string_view> missing;
  for (auto end = name.find(kDelimiter); end != std::string_view::npos;
       end = name.find(kDelimiter, end + 1)) {
    const std::string_view parent = name.substr(0, end);
    const auto is_there = exists(view, account, parent);
    if (!is_there) return tl::unexpected(is_there.error());
    if (!*is_there) missing.push_back(parent);
  }
  return missing;
}

Result<void> check_room(const store::ReadView& view, store::AccountId account,
                        std::uint64_t new_mailboxes, std::uint64_t most) {
  if (most == 0 || new_mailboxes == 0) return {};
  const auto info = view.account(account);
  if (!info) return tl::unexpected(info.error());
  if (info->mailboxes + new_mailboxes <= most) return {};
  return fail(ErrorCode::kOverQuota,
              "The account may have " + std::to_string(most) + " mailboxes, not more");
}

// The missing ones above `name`; `others` are made after it, and must have room beside them.
Result<void> make_parents(store::WriteTxn& txn, store::AccountId account, std::string_view name,
                          std::uint64_t others, std::uint64_t most) {
  const auto parents = missing_parents(txn, account, name);
  if (!parents) return tl::unexpected(parents.error());
  if (auto fits = check_room(txn, account, parents->size() + others, most); !fits) return fits;
  for (const std::string_view parent : *parents) {
    const auto made = txn.create_mailbox(account, parent, store::SpecialUse::kNone);
    if (!made) return tl::unexpected(made.error());
  }
  return {};
}

Result<void> check_use(const store::ReadView& view, store::AccountId account,
                       store::SpecialUse use) {
  if (use == store::SpecialUse::kNone) return {};
  const auto mailboxes = view.mailboxes(account);
  if (!mailboxes) return tl::unexpected(mailboxes.error());
  const bool taken =
      std::any_of(mailboxes->begin(), mailboxes->end(),
                  [use](const store::MailboxInfo& info) { return info.special_use == use; });
  if (taken) return fail(ErrorCode::kConflict, "Another mailbox has this special use");
  return {};
}

// Names of the mailboxes below, in hierarchical order.
Result<std::vector<std::string>> names_below(const store::ReadView& view, store::AccountId account,
                                             std::string_view name) {
  const auto mailboxes = view.mailboxes(account);
  if (!mailboxes) return tl::unexpected(mailboxes.error());
  std::vector<std::string> names;
  for (const store::MailboxInfo& info : *mailboxes) {
    if (is_below(info.name, name)) names.push_back(info.name);
  }
  std::sort(names.begin(), names.end(), hierarchical_less);
  return names;
}

std::size_t depth_of(std::string_view name) {
  return 1 + static_cast<std::size_t>(std::count(name.begin(), name.end(), kDelimiter));
}

// What is below must still have names that a client can send (kMaxDepth).
Result<void> check_depth(const std::vector<std::string>& below, std::string_view from,
                         std::string_view to) {
  for (const std::string& name : below) {
    if (depth_of(name) - depth_of(from) + depth_of(to) > kMaxDepth) {
      return fail(ErrorCode::kInvalid, "What is below it would have names of more than 50 levels");
    }
  }
  return {};
}

// Of a name that is no mailbox itself: the mailboxes right below go, each with what is below it.
Result<void> rename_descendants(store::WriteTxn& txn, store::AccountId account,
                                const std::vector<std::string>& below, const std::string& from,
                                const std::string& to) {
  std::string_view moved;
  for (const std::string& name : below) {
    if (!moved.empty() && is_below(name, moved)) continue;
    moved = name;
    auto done = txn.rename_mailbox(account, name, to + name.substr(from.size()));
    if (!done) return done;
  }
  return {};
}

}  // namespace

Result<bool> has_mailboxes_below(const store::ReadView& view, store::AccountId account,
                                 std::string_view name) {
  const auto below = names_below(view, account, name);
  if (!below) return tl::unexpected(below.error());
  return !below->empty();
}

Result<store::MailboxInfo> create_mailbox(store::WriteTxn& txn, store::AccountId account,
                                          const std::string& name, store::SpecialUse use,
                                          std::uint64_t most_mailboxes) {
  const auto is_there = exists(txn, account, name);
  if (!is_there) return tl::unexpected(is_there.error());
  if (*is_there) return fail(ErrorCode::kExists, "A mailbox of this name exists already");
  if (auto free = check_use(txn, account, use); !free) return tl::unexpected(free.error());
  auto made = make_parents(txn, account, name, 1, most_mailboxes);
  if (!made) return tl::unexpected(made.error());
  return txn.create_mailbox(account, name, use);
}

Result<store::MailboxId> delete_mailbox(store::WriteTxn& txn, store::AccountId account,
                                        const std::string& name, const store::Remover& remover) {
  if (name == kInbox) return fail(ErrorCode::kInvalid, "INBOX can't be deleted");
  const auto info = txn.find_mailbox(account, name);
  if (!info) return tl::unexpected(info.error());
  auto deleted = txn.delete_mailbox({account, info->id}, remover);
  if (!deleted) return tl::unexpected(deleted.error());
  return info->id;
}

Result<void> rename_mailbox(store::WriteTxn& txn, store::AccountId account, const std::string& from,
                            const std::string& to, std::uint64_t most_mailboxes) {
  const auto is_there = exists(txn, account, from);
  if (!is_there) return tl::unexpected(is_there.error());
  const auto is_taken = exists(txn, account, to);
  if (!is_taken) return tl::unexpected(is_taken.error());
  std::vector<std::string> below;
  if (from != kInbox) {
    auto names = names_below(txn, account, from);
    if (!names) return tl::unexpected(names.error());
    below = *std::move(names);
  }
  if (!*is_there && below.empty()) return fail(ErrorCode::kNotFound, "No such mailbox");
  if (*is_taken) return fail(ErrorCode::kExists, "A mailbox of the new name exists already");
  if (from != kInbox && (to == from || is_below(to, from))) {
    return fail(ErrorCode::kInvalid, "A mailbox can't be moved below itself");
  }
  if (auto fits = check_depth(below, from, to); !fits) return fits;
  const std::uint64_t made_for_inbox = from == kInbox ? 1 : 0;
  auto made = make_parents(txn, account, to, made_for_inbox, most_mailboxes);
  if (!made) return made;
  if (!*is_there) return rename_descendants(txn, account, below, from, to);
  return txn.rename_mailbox(account, from, to);
}

}  // namespace twinpost::imap
