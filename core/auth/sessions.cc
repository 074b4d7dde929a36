#include "core/auth/sessions.h"

#include <utility>
#include <vector>

namespace twinpost::auth {

Result<std::unique_ptr<Sessions::Registration>> Sessions::add(Entry entry, std::uint64_t limit) {
  std::uint64_t& count = per_account_[entry.account];
  if (limit != 0 && count >= limit) {
    return fail(ErrorCode::kLimit,
                "the account has " + std::to_string(count) + " sessions already");
  }
  ++count;
  const std::uint64_t id = ++last_id_;
  entry.id = id;
  entries_.emplace(id, std::move(entry));
  return std::make_unique<Registration>(this, id);
}

Sessions::Registration::~Registration() { sessions_->remove(id_); }

void Sessions::remove(std::uint64_t id) {
  const auto entry = entries_.find(id);
  const auto count = per_account_.find(entry->second.account);
  if (--count->second == 0) per_account_.erase(count);
  entries_.erase(entry);
}

// An `end` may take sessions away, its own or others: each is looked up again before it is asked.
std::size_t Sessions::end_where(const std::function<bool(const Entry&)>& chosen, EndReason reason) {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, entry] : entries_) {
    if (chosen(entry)) ids.push_back(id);
  }
  std::size_t ended = 0;
  for (const std::uint64_t id : ids) {
    const auto found = entries_.find(id);
    if (found == entries_.end()) continue;
    const auto end = found->second.end;
    end(reason);
    ++ended;
  }
  return ended;
}

void Sessions::for_each(const std::function<void(const Entry&)>& visit) const {
  for (const auto& [id, entry] : entries_) visit(entry);
}

std::size_t end_outdated(Sessions& sessions, const config::AccountsConfig& before,
                         const config::AccountsConfig& after) {
  const auto find = [](const config::AccountsConfig& accounts,
                       const std::string& name) -> const config::Account* {
    const auto found = accounts.accounts.find(name);
    return found == accounts.accounts.end() ? nullptr : &found->second;
  };
  const auto is_out = [&](const Sessions::Entry& session) {
    const auto* was = find(before, session.account);
    const auto* is = find(after, session.account);
    if (is == nullptr) return was != nullptr;  // a session of no account is nobody's to end here
    return !is->enabled || (was != nullptr && was->password != is->password);
  };
  const auto may_not = [&](const Sessions::Entry& session) {
    const auto* is = find(after, session.account);
    return is != nullptr && !is_out(session) && session.protocol != Protocol::kLmtp &&
           !may_use(*is, session.protocol);
  };
  return sessions.end_where(is_out, EndReason::kAccountDisabled) +
         sessions.end_where(may_not, EndReason::kProtocolDisabled);
}

}  // namespace twinpost::auth
