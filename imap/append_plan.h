// What an APPEND or REPLACE does to the store, once its messages are here: one transaction, all or
// nothing (RFC 3502, RFC 8508 section 3.4).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/write_txn.h"

namespace twinpost::imap {

// The message that a REPLACE takes out.
struct Replaced {
  store::MailboxKey mailbox;
  store::Uid uid;
  store::Remover remover;
};

struct AppendPlan {
  store::AccountId account;
  std::string mailbox;
  std::vector<store::AppendRequest> messages;  // with the quota in each
  std::optional<Replaced> replaced;
};

struct AppendOutcome {
  store::MailboxKey mailbox;
  store::UidValidity uid_validity;
  std::vector<store::Uid> uids;  // in the order of the messages
};

// kNotFound: no such mailbox. kConflict: the message to replace is gone. Otherwise what
// WriteTxn::append() says.
[[nodiscard]] Result<AppendOutcome> store_messages(store::WriteTxn& txn, const AppendPlan& plan);

// Whether `messages` more of together `octets` would fit, once `replaced_octets` (one message, or
// 0) are gone: RFC 8508 section 3.4 counts the net. A look ahead, so that what can't be stored is
// not sent; store_messages() decides. kOverQuota.
[[nodiscard]] Result<void> check_quota(const store::AccountInfo& account,
                                       const store::Limits& limits, std::uint64_t messages,
                                       std::uint64_t octets,
                                       std::optional<std::uint64_t> replaced_octets);

// "APPENDUID 38505 3955:3957" (RFC 4315 section 3, RFC 3502).
[[nodiscard]] std::string append_uid_code(const AppendOutcome& outcome);

}  // namespace twinpost::imap
