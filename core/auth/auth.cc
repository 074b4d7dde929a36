#include "core/auth/auth.h"

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/auth/password.h"
#include "core/auth/recipient.h"
#include "core/base/ascii.h"
#include "core/base/clock.h"
#include "core/base/encoding.h"
#include "core/base/log.h"
#include "core/config/schema.h"

namespace twinpost::auth {

namespace {

// Logins that wait for a password check. Beyond it they are told to come again: whoever waited
// longer would have given up by then.
constexpr std::size_t kMaxWaiting = 1024;

// What an unknown user's password is checked against where there is no account at all: the default
// scheme at its default cost, of a password that nobody knows.
constexpr std::string_view kNobodysPassword =
    "{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$"
    "dHdpbnBvc3Qtbm9ib2R5IQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

// Wipes the password at the end of a login, however it ends.
class WipeAtEnd {
 public:
  explicit WipeAtEnd(std::string& secret) : secret_(secret) {}
  ~WipeAtEnd() { wipe(secret_); }
  WipeAtEnd(const WipeAtEnd&) = delete;
  WipeAtEnd& operator=(const WipeAtEnd&) = delete;

 private:
  std::string& secret_;
};

LoginResult refused(const Login& request, LoginFailure failure, std::string_view reason) {
  log::warning("login-failed", {{"protocol", to_string(request.protocol)},
                                {"user", request.user},
                                {"address", request.address},
                                {"reason", reason}});
  LoginResult result;
  result.failure = failure;
  return result;
}

}  // namespace

std::string_view to_string(Protocol protocol) {
  switch (protocol) {
    case Protocol::kPop3: return "pop3";
    case Protocol::kImap: return "imap";
    case Protocol::kLmtp: return "lmtp";
  }
  return "unknown";
}

bool may_use(const config::Account& account, Protocol protocol) {
  switch (protocol) {
    case Protocol::kPop3: return account.pop3.enabled;
    case Protocol::kImap: return account.imap.enabled;
    case Protocol::kLmtp: return false;
  }
  return false;
}

// Names, aliases and catch-alls of one AccountsConfig, which it keeps alive. Never changes.
struct Directory::Index {
  config::AccountsConfigPtr config;
  std::unordered_map<std::string_view, const config::Account*> by_name;
  std::vector<const config::Account*> all;

  explicit Index(config::AccountsConfigPtr accounts) : config(std::move(accounts)) {
    for (const auto& [name, account] : config->accounts) {
      all.push_back(&account);
      by_name.emplace(name, &account);
      for (const std::string& alias : account.aliases) by_name.emplace(alias, &account);
    }
  }

  [[nodiscard]] const config::Account* find(std::string_view name) const {
    const auto found = by_name.find(name);
    return found == by_name.end() ? nullptr : found->second;
  }

  // A catch-all is no name to log in by.
  [[nodiscard]] const config::Account* find_user(std::string_view user) const {
    return user.starts_with('@') ? nullptr : find(ascii::lower(user));
  }

  // The hash that stands in for the one of an unknown user. It is some account's own, and always
  // the same one's for the same name, so that guessing names takes the times that known ones take,
  // whatever schemes and costs there are.
  [[nodiscard]] std::string stand_in(std::uint64_t number) const {
    if (all.empty()) return std::string(kNobodysPassword);
    return all[number % all.size()]->password;
  }
};

Directory::Directory(Executor& executor, config::AccountsConfigPtr accounts,
                     std::size_t parallel_checks)
    : executor_(executor),
      index_(std::make_shared<const Index>(std::move(accounts))),
      checks_(executor, std::max<std::size_t>(1, parallel_checks)) {}

// kLimit where too many wait. `known` is null for an unknown user, whose password is never right.
Task<Result<bool>> Directory::fits(const config::Account* known, const std::string& stored,
                                   const std::string& password) {
  const std::string name = known == nullptr ? std::string() : known->name;
  if (verified_.contains(name, stored, password, steady_now())) co_return true;
  if (checks_.waiting() >= kMaxWaiting) {
    co_return fail(ErrorCode::kLimit, "too many logins wait for their password check");
  }
  const auto permit = co_await checks_.acquire();
  // While this one waited, another session of the same client may have been checked.
  if (verified_.contains(name, stored, password, steady_now())) co_return true;
  Result<bool> right = co_await on_worker(
      executor_, [&stored, &password] { return verify_password(stored, password); });
  if (right && known == nullptr) right = false;
  if (right && *right) verified_.remember(name, stored, password, steady_now());
  co_return right;
}

Task<LoginResult> Directory::login(Login request) {
  const WipeAtEnd wipe_password(request.password);
  const std::shared_ptr<const Index> index = index_;  // `known` stays, whatever is loaded meanwhile
  const config::Account* known = index->find_user(request.user);
  const std::string stored =
      known != nullptr ? known->password : index->stand_in(verified_.secret_number(request.user));
  Result<bool> right = false;
  if (!request.apop_challenge.empty()) {
    right = verify_apop(stored, request.apop_challenge, request.apop_digest) && known != nullptr;
  } else {
    right = co_await fits(known, stored, request.password);
  }
  co_return decide(request, known, right);
}

LoginResult Directory::decide(const Login& request, const config::Account* known,
                              const Result<bool>& fits) const {
  if (!fits) return refused(request, LoginFailure::kTemporary, fits.error().message);
  if (known == nullptr) return refused(request, LoginFailure::kCredentials, "unknown-user");
  if (!*fits) return refused(request, LoginFailure::kCredentials, "wrong-password");
  // What is in force now counts, not what was when the check began.
  const config::Account* current = index_->find_user(request.user);
  if (current == nullptr || current->name != known->name || current->password != known->password) {
    return refused(request, LoginFailure::kCredentials, "changed-meanwhile");
  }
  // RFC 4616 section 2: acting for someone else is refused, not ignored.
  if (!request.authorize_as.empty() && index_->find_user(request.authorize_as) != current) {
    return refused(request, LoginFailure::kCredentials, "not-authorized");
  }
  if (!current->enabled) return refused(request, LoginFailure::kCredentials, "account-disabled");
  if (!may_use(*current, request.protocol)) {
    LoginResult result = refused(request, LoginFailure::kProtocolDisabled, "protocol-disabled");
    result.refused = *current;
    return result;
  }
  log::info("login", {{"protocol", to_string(request.protocol)},
                      {"account", current->name},
                      {"user", request.user},
                      {"address", request.address}});
  LoginResult result;
  result.account = *current;
  return result;
}

std::optional<Delivery> Directory::find_recipient(std::string_view text) const {
  const auto address = split_address(text);
  if (!address) return std::nullopt;
  const auto find = [&](std::string_view local) {
    return index_->find(lookup_name(local, address->domain));
  };
  if (const auto* account = find(address->local)) return Delivery{account->name, {}};
  // From the right, so that an account "ann+shop" gets its own details before "ann" does.
  const std::string_view local = address->local;
  for (std::size_t plus = local.rfind('+'); plus != std::string_view::npos && plus > 0;
       plus = local.rfind('+', plus - 1)) {
    if (const auto* account = find(local.substr(0, plus))) {
      return Delivery{account->name, std::string(local.substr(plus + 1))};
    }
  }
  if (address->domain.empty()) return std::nullopt;
  if (const auto* account = index_->find('@' + address->domain)) return Delivery{account->name, {}};
  return std::nullopt;
}

std::optional<config::Account> Directory::account(std::string_view name) const {
  const auto found = index_->config->accounts.find(ascii::lower(name));
  if (found == index_->config->accounts.end()) return std::nullopt;
  return found->second;
}

void Directory::replace(config::AccountsConfigPtr accounts) {
  const std::shared_ptr<const Index> before = index_;
  index_ = std::make_shared<const Index>(std::move(accounts));
  verified_.forget_where([&](const std::string& name) {
    const auto* old_account = before->find(name);
    const auto* new_account = index_->find(name);
    return old_account == nullptr || new_account == nullptr ||
           old_account->password != new_account->password;
  });
}

config::AccountsConfigPtr Directory::accounts() const { return index_->config; }

Result<void> check_accounts(const config::AccountsConfig& accounts) {
  for (const auto& [name, account] : accounts.accounts) {
    const auto checked = check_stored_password(account.password);
    if (checked) continue;
    const std::string file = accounts.source.empty() ? "" : accounts.source + ": ";
    return fail(checked.error().code,
                file + config::account_path(name) + ".password: " + checked.error().message);
  }
  return {};
}

}  // namespace twinpost::auth
