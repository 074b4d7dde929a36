// GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208).
#include <cstdint>
#include <string>
#include <string_view>

#include "imap/commands.h"
#include "imap/quote.h"
#include "imap/session.h"

namespace twinpost::imap::commands {

namespace {

// An account has one quota root, which every mailbox of it is in. The name is the one that Dovecot
// gives its only root: mail programs show it to people, and some take an empty one for none.
constexpr std::string_view kRoot = "User quota";

// RFC 9208 5.1: STORAGE is in units of 1024 octets. Both figures go up, so that what is within its limit never looks as if it
// were beyond, and no limit becomes 0, which would forbid everything (3.1.2).
std::uint64_t units(std::uint64_t octets) {
  constexpr std::uint64_t kUnit = 1024;
  return octets / kUnit + (octets % kUnit != 0 ? 1 : 0);
}

// What is not limited is not named (4.2.1).
void add_resource(std::string& list, std::string_view name, std::uint64_t used,
                  std::uint64_t limit) {
  if (limit == 0) return;
  if (!list.empty()) list += ' ';
  list += name;
  list += ' ' + std::to_string(used) + ' ' + std::to_string(limit);
}

std::string quota_line(const store::AccountInfo& use, const config::Account& account) {
  std::string list;
  add_resource(list, "STORAGE", units(use.bytes), units(account.quota));
  add_resource(list, "MESSAGE", use.messages, account.quota_messages);
  add_resource(list, "MAILBOX", use.mailboxes, account.quota_mailboxes);
  std::string line = "QUOTA ";
  append_quoted(line, kRoot);
  return line + " (" + list + ")";
}

Task<Result<std::string>> look_up(Session& session) {
  const store::AccountId id = session.account_id();
  const auto use =
      co_await session.store().read([id](const store::ReadView& view) { return view.account(id); });
  if (!use) co_return tl::unexpected(use.error());
  co_return quota_line(*use, session.account());
}

}  // namespace

Task<Reply> get_quota(Session& session, const Command& command) {
  const auto& arguments = std::get<GetQuota>(command.arguments);
  if (arguments.root != kRoot) co_return Reply::no("No such quota root", "NONEXISTENT");
  const auto line = co_await look_up(session);
  if (!line) co_return reply_for(line.error(), "GETQUOTA");
  session.untagged(*line);
  co_return Reply::ok("GETQUOTA completed");
}

// RFC 9208 4.1.2: of a mailbox that is not there too, since its root would be the same.
Task<Reply> get_quota_root(Session& session, const Command& command) {
  const auto& arguments = std::get<GetQuotaRoot>(command.arguments);
  const auto name = session.mailbox_name(arguments.mailbox, NameUse::kExisting);
  if (!name) co_return reply_for(name.error(), "GETQUOTAROOT");
  const auto line = co_await look_up(session);
  if (!line) co_return reply_for(line.error(), "GETQUOTAROOT");
  std::string roots = "QUOTAROOT ";
  append_mailbox(roots, *name, session.style());
  roots += ' ';
  append_quoted(roots, kRoot);
  session.untagged(roots);
  session.untagged(*line);
  co_return Reply::ok("GETQUOTAROOT completed");
}

// QUOTASET is not offered, but clients of RFC 2087, where QUOTA itself promised the command, may send it: they
// get the refusal that it has.
Task<Reply> set_quota(Session&, const Command&) {
  co_return Reply::no("Quotas are set by the administrator", "NOPERM");
}

}  // namespace twinpost::imap::commands
