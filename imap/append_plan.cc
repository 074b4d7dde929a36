#include "imap/append_plan.h"

#include <algorithm>
#include <array>

namespace twinpost::imap {

namespace {

Result<void> take_out(store::WriteTxn& txn, const Replaced& replaced) {
  const std::array uids = {replaced.uid};
  const auto expunged = txn.expunge(replaced.mailbox, uids, replaced.remover);
  if (!expunged && expunged.error().code != ErrorCode::kNotFound) {
    return tl::unexpected(expunged.error());
  }
  if (!expunged || expunged->removed.empty()) {
    return fail(ErrorCode::kConflict, "The message to replace is not there any more");
  }
  return {};
}

}  // namespace

Result<AppendOutcome> store_messages(store::WriteTxn& txn, const AppendPlan& plan) {
  const auto target = txn.find_mailbox(plan.account, plan.mailbox);
  if (!target) return tl::unexpected(target.error());
  // First, so that its room counts for the new one.
  if (plan.replaced) {
    if (auto done = take_out(txn, *plan.replaced); !done) return tl::unexpected(done.error());
  }
  AppendOutcome outcome;
  outcome.mailbox = {plan.account, target->id};
  outcome.uid_validity = target->uid_validity;
  outcome.uids.reserve(plan.messages.size());
  for (const store::AppendRequest& request : plan.messages) {
    const auto appended = txn.append(outcome.mailbox, request);
    if (!appended) return tl::unexpected(appended.error());
    outcome.uids.push_back(appended->uid);
  }
  return outcome;
}

Result<void> check_quota(const store::AccountInfo& account, const store::Limits& limits,
                         std::uint64_t messages, std::uint64_t octets,
                         std::optional<std::uint64_t> replaced_octets) {
  const std::uint64_t used_octets =
      account.bytes - std::min(account.bytes, replaced_octets.value_or(0));
  const std::uint64_t used_messages =
      account.messages - std::min<std::uint64_t>(account.messages, replaced_octets ? 1 : 0);
  const auto fits = [](std::uint64_t limit, std::uint64_t used, std::uint64_t more) {
    return limit == 0 || (used <= limit && more <= limit - used);
  };
  if (!fits(limits.quota_bytes, used_octets, octets)) {
    return fail(ErrorCode::kOverQuota, "Not enough room left in the account");
  }
  if (!fits(limits.quota_messages, used_messages, messages)) {
    return fail(ErrorCode::kOverQuota, "The account has as many messages as it may have");
  }
  return {};
}

std::string append_uid_code(const AppendOutcome& outcome) {
  std::string code = "APPENDUID " + std::to_string(outcome.uid_validity.value()) + " ";
  const std::vector<store::Uid>& uids = outcome.uids;
  for (std::size_t begin = 0; begin < uids.size();) {
    std::size_t end = begin + 1;
    while (end < uids.size() && uids[end] == uids[end - 1].next()) ++end;
    if (begin > 0) code += ',';
    code += std::to_string(uids[begin].value());
    if (end - begin > 1) code += ":" + std::to_string(uids[end - 1].value());
    begin = end;
  }
  return code;
}

}  // namespace twinpost::imap
