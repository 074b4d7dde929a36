#include "pop3/show_from.h"

#include <string>
#include <utility>
#include <vector>

#include "core/base/ascii.h"
#include "core/base/log.h"

namespace twinpost::pop3 {
namespace {

// Accounts looked at in one read.
constexpr std::size_t kAtOnce = 256;

using What = config::Pop3Show::What;

store::NoteKey note_key(store::MailboxId mailbox) {
  return {mailbox, store::NoteKind::kPop3ShowFrom, {}};
}

// "1795500000 4711"
std::optional<ShowFrom> parse(std::string_view text) {
  const std::size_t blank = std::min(text.find(' '), text.size());
  const auto time = ascii::parse_number<std::uint64_t>(text.substr(0, blank));
  const auto uid = ascii::parse_number<std::uint32_t>(blank < text.size() ? text.substr(blank + 1)
                                                                          : std::string_view());
  if (!time || !uid) return std::nullopt;
  return ShowFrom{UnixTime(std::chrono::seconds(static_cast<std::int64_t>(*time))),
                  store::Uid(*uid)};
}

struct Wanted {
  const config::Account* account = nullptr;
  bool show_from = false;
};

// True where what is noted differs from what is wanted.
Result<bool> differs(const store::ReadView& view, const Wanted& wanted) {
  const auto account = view.account(wanted.account->name);
  if (!account) {
    if (account.error().code == ErrorCode::kNotFound) return wanted.show_from;
    return tl::unexpected(account.error());
  }
  const auto mailbox = view.find_mailbox(account->id, wanted.account->pop3.maildrop);
  if (!mailbox) {
    if (mailbox.error().code == ErrorCode::kNotFound) return false;
    return tl::unexpected(mailbox.error());
  }
  const auto noted = read_show_from(view, {account->id, mailbox->id});
  if (!noted) return tl::unexpected(noted.error());
  return noted->has_value() != wanted.show_from;
}

Result<void> settle(store::WriteTxn& txn, const Wanted& wanted) {
  const auto account = txn.ensure_account(wanted.account->name);
  if (!account) return tl::unexpected(account.error());
  const auto mailbox = txn.find_mailbox(account->id, wanted.account->pop3.maildrop);
  if (!mailbox) {
    if (mailbox.error().code == ErrorCode::kNotFound) return {};
    return tl::unexpected(mailbox.error());
  }
  if (wanted.show_from) return note_show_from(txn, {account->id, mailbox->id});
  return txn.put_note(account->id, note_key(mailbox->id), {});
}

}  // namespace

Result<std::optional<ShowFrom>> read_show_from(const store::ReadView& view,
                                               store::MailboxKey maildrop) {
  const auto text = view.note(maildrop.account, note_key(maildrop.mailbox));
  if (!text) return tl::unexpected(text.error());
  return *text ? parse(**text) : std::nullopt;
}

Result<void> note_show_from(store::WriteTxn& txn, store::MailboxKey maildrop) {
  const auto noted = read_show_from(txn, maildrop);
  if (noted && *noted) return {};
  const auto mailbox = txn.mailbox(maildrop);
  if (!mailbox) return tl::unexpected(mailbox.error());
  return txn.put_note(maildrop.account, note_key(maildrop.mailbox),
                      std::to_string(unix_now().time_since_epoch().count()) + " " +
                          std::to_string(mailbox->uid_next.value()));
}

Task<void> note_show_from(store::Store& store, config::AccountsConfigPtr accounts) {
  auto next = accounts->accounts.begin();
  while (next != accounts->accounts.end()) {
    std::vector<Wanted> some;
    for (; next != accounts->accounts.end() && some.size() < kAtOnce; ++next) {
      some.push_back({&next->second, next->second.pop3.show.what == What::kFromNowOn});
    }
    auto to_settle =
        co_await store.read([&some](const store::ReadView& view) -> Result<std::vector<Wanted>> {
          std::vector<Wanted> found;
          for (const Wanted& wanted : some) {
            const auto is_other = differs(view, wanted);
            if (!is_other) return tl::unexpected(is_other.error());
            if (*is_other) found.push_back(wanted);
          }
          return found;
        });
    if (!to_settle) {
      log::error("pop3-show", {{"error", to_settle.error().message}});
      co_return;
    }
    for (const Wanted& wanted : *to_settle) {
      auto settled =
          co_await store.write([&wanted](store::WriteTxn& txn) { return settle(txn, wanted); });
      if (!settled) {
        log::error("pop3-show",
                   {{"account", wanted.account->name}, {"error", settled.error().message}});
      }
    }
  }
}

}  // namespace twinpost::pop3
