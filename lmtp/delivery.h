// Delivery: from a complete message and its envelope to one reply for each recipient.
//
// All copies of a message go into the store by one write, so that they share one commit and one
// body. Each recipient has a result of its own: an account over its quota does not fail the others.
// One copy is made for each distinct (account, recipient address): a recipient given twice gets one
// copy and two replies, two aliases of one account get a copy each, because their Delivered-To
// differs. Loop thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/auth/auth.h"
#include "lmtp/lmtp.h"
#include "lmtp/reply.h"
#include "store/prepare.h"

namespace twinpost::lmtp {

struct Recipient {
  std::string address;  // the envelope's, as given
  std::string account;  // whose INBOX it goes to
};

struct Envelope {
  std::string sender;  // empty: <>
  std::vector<Recipient> recipients;
  std::string client_address;  // for the log
};

// The two fields that this recipient's copy begins with, in place of what the envelope told (RFC
// 5321 section 4.4, Return-Path) and for loop detection (Delivered-To).
[[nodiscard]] std::string delivery_prefix(const std::string& sender, const std::string& recipient);

// Why a message of `declared_octets` (0: unknown) could not go into the account now; nothing where
// it could.
Task<std::optional<Reply>> refusal_by_quota(Context& context, config::Account account,
                                            std::uint64_t declared_octets);

// One reply for each recipient, in their order. A success is said after the commit. `envelope` is
// the session's and stays until the task ends.
Task<std::vector<Reply>> deliver(Context& context, const Envelope& envelope, store::Spool spool);

// One refusal for each recipient, logged.
[[nodiscard]] std::vector<Reply> refuse_all(const Envelope& envelope, const Reply& refusal);

void log_refusal(const std::string& recipient, const std::string& sender,
                 const std::string& client_address, const Reply& refusal);

}  // namespace twinpost::lmtp
