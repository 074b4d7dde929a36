#include "lmtp/delivery.h"

#include <fmt/format.h>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/log.h"
#include "lmtp/trace.h"

namespace twinpost::lmtp {

namespace {

// One copy of the message for one account.
struct Copy {
  std::string account;
  std::string address;  // the envelope's
  store::AppendRequest request;
  Reply reply;              // what its recipients will hear
  bool is_refused = false;  // before the store was asked
};

struct Copies {
  std::vector<Copy> list;
  std::vector<std::size_t> of_recipient;  // index into `list`, by recipient
};

// A finished message with what the loop checks need.
struct Arrived {
  store::PreparedMessagePtr message;
  Trace trace;
};

using Outcomes = std::vector<Result<store::Appended>>;

std::uint64_t size_of(const Copy& copy) {
  return copy.request.prefix.size() + copy.request.message->octets.size();
}

Reply over_quota_reply(std::uint64_t octets, std::uint64_t quota_octets) {
  // What can never fit is permanent; a full mailbox may be emptied.
  if (quota_octets != 0 && octets > quota_octets) {
    return {552, "5.2.2", "Message is larger than the mailbox's whole quota"};
  }
  return {452, "4.2.2", "Mailbox is full"};
}

Reply failure_reply(const Copy& copy, const Error& error) {
  switch (error.code) {
    case ErrorCode::kOverQuota:
      return over_quota_reply(size_of(copy), copy.request.limits.quota_bytes);
    case ErrorCode::kLimit: return {452, "4.2.2", "Mailbox can't take more messages"};
    default: return trouble_reply(error);
  }
}

Reply arrival_failure(const Error& error) {
  return error.code == ErrorCode::kTooLarge ? too_large_reply() : trouble_reply(error);
}

std::unordered_set<std::string> lower_addresses(const Envelope& envelope) {
  std::unordered_set<std::string> addresses;
  for (const auto& recipient : envelope.recipients)
    addresses.insert(ascii::lower(recipient.address));
  return addresses;
}

// On a worker: ends the spool, reads the trace, hashes, summarises and encodes.
Result<Arrived> arrive(store::Spool& spool, const Envelope& envelope,
                       const store::BodyCoder& coder) {
  if (auto finished = spool.finish(); !finished) return tl::unexpected(std::move(finished.error()));
  const auto octets = spool.view();
  if (!octets) return tl::unexpected(octets.error());
  Arrived arrived;
  arrived.trace = read_trace(*octets, lower_addresses(envelope));
  auto message = store::prepare_message(std::move(spool), coder);
  if (!message) return tl::unexpected(std::move(message.error()));
  arrived.message = std::move(*message);
  return arrived;
}

// Groups the recipients into copies.
Copies make_copies(const Envelope& envelope, const store::PreparedMessagePtr& message) {
  Copies copies;
  std::unordered_map<std::string, std::size_t> known;
  const store::InternalDate now{unix_now(), 0};
  for (const auto& recipient : envelope.recipients) {
    const std::string key =
        fmt::format("{}\n{}", recipient.account, ascii::lower(recipient.address));
    const auto [place, is_new] = known.try_emplace(key, copies.list.size());
    copies.of_recipient.push_back(place->second);
    if (!is_new) continue;
    Copy copy;
    copy.account = recipient.account;
    copy.address = recipient.address;
    copy.request.message = message;
    copy.request.prefix = delivery_prefix(envelope.sender, recipient.address);
    copy.request.internal_date = now;
    copies.list.push_back(std::move(copy));
  }
  return copies;
}

// Loops, and accounts that a reload took away between RCPT and the end of the data.
void check_copies(Context& context, const Trace& trace, Copies& copies) {
  const config::ServerConfigPtr config = context.services.config();
  const std::uint64_t most_hops = config->limits.lmtp_loops;
  for (auto& copy : copies.list) {
    const auto account = context.services.directory.account(copy.account);
    if (most_hops != 0 && trace.received_fields > most_hops) {
      copy.reply = {554, "5.4.6", "Too many hops: the message loops"};
      copy.is_refused = true;
    } else if (trace.delivered_to.contains(ascii::lower(copy.address))) {
      copy.reply = {554, "5.4.6", "Mail loop: the message was delivered to this address before"};
      copy.is_refused = true;
    } else if (!account) {
      copy.reply = {550, "5.1.1", fmt::format("{} is not known here", shown(copy.address))};
      copy.is_refused = true;
    } else {
      copy.request.limits.quota_bytes = account->quota;
      copy.request.limits.quota_messages = account->quota_messages;
      copy.request.limits.warn_at = config->quota.warn_at;
    }
  }
}

Result<store::Appended> append_copy(store::WriteTxn& txn, const Copy& copy) {
  const auto account = txn.ensure_account(copy.account);
  if (!account) return tl::unexpected(account.error());
  const auto inbox = txn.find_mailbox(account->id, "INBOX");
  if (!inbox) return tl::unexpected(inbox.error());
  return txn.append(store::MailboxKey{account->id, inbox->id}, copy.request);
}

// Writer thread. An answer about one mailbox is that copy's own; anything else may have left half a
// change, so it fails the transaction.
Result<Outcomes> append_all(store::WriteTxn& txn, const std::vector<Copy*>& wanted) {
  Outcomes outcomes;
  for (const Copy* copy : wanted) {
    auto appended = append_copy(txn, *copy);
    if (!appended && appended.error().code != ErrorCode::kOverQuota &&
        appended.error().code != ErrorCode::kLimit) {
      return tl::unexpected(std::move(appended.error()));
    }
    outcomes.push_back(std::move(appended));
  }
  return outcomes;
}

void log_delivery(const Copy& copy, const Envelope& envelope, const store::Appended& appended) {
  log::info("delivered", {{"account", copy.account},
                          {"recipient", copy.address},
                          {"size", size_of(copy)},
                          {"uid", appended.uid.value()},
                          {"from", envelope.sender},
                          {"protocol", "lmtp"},
                          {"address", envelope.client_address}});
}

void take_outcome(Copy& copy, const Envelope& envelope, const Result<store::Appended>& outcome) {
  if (outcome) {
    copy.reply = {250, "2.1.5", fmt::format("{} delivered", shown(copy.address))};
    log_delivery(copy, envelope, *outcome);
    return;
  }
  copy.reply = failure_reply(copy, outcome.error());
  if (copy.reply.status == "4.3.0") {
    log::error("delivery-failed", {{"account", copy.account}, {"reason", outcome.error().message}});
  }
}

// One write for all; where that fails for a reason that may be one account's alone, one write for
// each, so that a damaged account does not keep its neighbours' mail out.
Task<void> store_copies(Context& context, const Envelope& envelope, std::vector<Copy*> wanted) {
  if (wanted.empty()) co_return;
  auto write = [&wanted](store::WriteTxn& txn) { return append_all(txn, wanted); };
  const Result<Outcomes> outcomes = co_await context.store.write(write);
  if (outcomes) {
    for (std::size_t i = 0; i < wanted.size(); ++i)
      take_outcome(*wanted[i], envelope, (*outcomes)[i]);
    co_return;
  }
  const bool concerns_all = outcomes.error().code == ErrorCode::kDiskFull ||
                            outcomes.error().code == ErrorCode::kShutdown || wanted.size() == 1;
  for (Copy* copy : wanted) {
    if (concerns_all) {
      take_outcome(*copy, envelope, tl::unexpected(outcomes.error()));
      continue;
    }
    auto write_one = [copy](store::WriteTxn& txn) { return append_copy(txn, *copy); };
    const Result<store::Appended> outcome = co_await context.store.write(write_one);
    take_outcome(*copy, envelope, outcome);
  }
}

}  // namespace

std::string delivery_prefix(const std::string& sender, const std::string& recipient) {
  return fmt::format("Return-Path: <{}>\r\nDelivered-To: {}\r\n", sender, recipient);
}

Task<std::optional<Reply>> refusal_by_quota(Context& context, config::Account account,
                                            std::uint64_t declared_octets) {
  if (account.quota == 0 && account.quota_messages == 0) co_return std::nullopt;
  if (account.quota != 0 && declared_octets > account.quota) {
    co_return over_quota_reply(declared_octets, account.quota);
  }
  auto find = [&account](const store::ReadView& view) { return view.account(account.name); };
  const Result<store::AccountInfo> use = co_await context.store.read(find);
  if (!use) {
    if (use.error().code == ErrorCode::kNotFound) co_return std::nullopt;  // never had mail
    log::error("store-read-failed", {{"account", account.name}, {"reason", use.error().message}});
    co_return trouble_reply(use.error());
  }
  const bool is_full = (account.quota != 0 && use->bytes >= account.quota) ||
                       (account.quota_messages != 0 && use->messages >= account.quota_messages);
  if (is_full || (account.quota != 0 && declared_octets > account.quota - use->bytes)) {
    co_return over_quota_reply(declared_octets, account.quota);
  }
  co_return std::nullopt;
}

void log_refusal(const std::string& recipient, const std::string& sender,
                 const std::string& client_address, const Reply& refusal) {
  log::info("delivery-refused", {{"recipient", recipient},
                                 {"code", refusal.code},
                                 {"status", refusal.status},
                                 {"reason", refusal.text},
                                 {"from", sender},
                                 {"protocol", "lmtp"},
                                 {"address", client_address}});
}

std::vector<Reply> refuse_all(const Envelope& envelope, const Reply& refusal) {
  for (const auto& recipient : envelope.recipients) {
    log_refusal(recipient.address, envelope.sender, envelope.client_address, refusal);
  }
  return std::vector<Reply>(envelope.recipients.size(), refusal);
}

Task<std::vector<Reply>> deliver(Context& context, const Envelope& envelope, store::Spool spool) {
  const bool is_large = spool.size() > store::Spool::kSpoolMemory;
  const store::BodyCoder& coder = context.store.coder();
  auto on_arrival = [&spool, &envelope, &coder] { return arrive(spool, envelope, coder); };
  Result<Arrived> arrived = co_await on_worker(context.services.executor, on_arrival);
  if (!arrived) {
    if (arrived.error().code != ErrorCode::kTooLarge) {
      log::error("delivery-failed",
                 {{"from", envelope.sender}, {"reason", arrived.error().message}});
    }
    co_return refuse_all(envelope, arrival_failure(arrived.error()));
  }
  Copies copies = make_copies(envelope, arrived->message);
  check_copies(context, arrived->trace, copies);
  std::vector<Copy*> wanted;
  for (auto& copy : copies.list) {
    if (!copy.is_refused) wanted.push_back(&copy);
  }
  co_await store_copies(context, envelope, wanted);

  std::vector<Reply> replies;
  for (std::size_t i = 0; i < envelope.recipients.size(); ++i) {
    replies.push_back(copies.list[copies.of_recipient[i]].reply);
    if (!replies.back().is_success()) {
      log_refusal(envelope.recipients[i].address, envelope.sender, envelope.client_address,
                  replies.back());
    }
  }
  if (is_large) {
    // Giving a big temporary file back to the file system takes time that is not the loop's.
    auto release = [&copies, &arrived] {
      copies.list.clear();
      arrived->message.reset();
    };
    co_await on_worker(context.services.executor, release);
  }
  co_return replies;
}

}  // namespace twinpost::lmtp
