// Who is who: logging in, and finding the account that mail for an address goes to.
//
// A password that was right a short while ago is remembered (verified_cache.h): a client that polls
// every minute does not cost a hash each time.
//
// Loop thread only, except what says otherwise. Password hashes are checked on workers, a bounded
// number at once; the time of an answer does not tell whether an account exists.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/auth/verified_cache.h"
#include "core/base/error.h"
#include "core/base/executor.h"
#include "core/base/task.h"
#include "core/config/config.h"

namespace twinpost::auth {

enum class Protocol : std::uint8_t { kPop3, kImap, kLmtp };
[[nodiscard]] std::string_view to_string(Protocol protocol);  // "pop3"

struct Login {
  std::string user;  // as given: an account's name, or one of its aliases (not the catch-all)
  std::string password;
  // APOP instead of a password: the greeting's timestamp, and the digest as it came.
  std::string apop_challenge;
  std::string apop_digest;
  std::string authorize_as;  // SASL authorization identity; empty or the same account, else refused
  Protocol protocol = Protocol::kPop3;
  std::string address;  // the client's, for the log
};

enum class LoginFailure : std::uint8_t {
  kCredentials,  // wrong user or password, or the account is disabled: not told apart to the client
  kProtocolDisabled,  // right password, but this protocol is switched off
  kTemporary,         // could not be checked now
};

struct LoginResult {
  std::optional<config::Account> account;  // set on success
  std::optional<config::Account> refused;  // set with kProtocolDisabled
  LoginFailure failure = LoginFailure::kCredentials;
};

// Where mail for an address goes.
struct Delivery {
  std::string account;  // name
  std::string detail;   // of user+detail@domain, or empty
};

class Directory {
 public:
  // `parallel_checks`: password hashes computed at once.
  Directory(Executor& executor, config::AccountsConfigPtr accounts, std::size_t parallel_checks);

  // Logs success and failure (who, from where, which protocol; never the password).
  Task<LoginResult> login(Login request);

  // Exact account or alias, then user+detail without its detail, then the domain's catch-all.
  // Disabled accounts still receive. The local part is compared without regard to case. nullopt:
  // unknown (550 5.1.1).
  [[nodiscard]] std::optional<Delivery> find_recipient(std::string_view address) const;

  [[nodiscard]] std::optional<config::Account> account(std::string_view name) const;

  // After a reload.
  void replace(config::AccountsConfigPtr accounts);
  [[nodiscard]] config::AccountsConfigPtr accounts() const;

 private:
  struct Index;

  Task<Result<bool>> fits(const config::Account* known, const std::string& stored,
                          const std::string& password);
  LoginResult decide(const Login& request, const config::Account* known,
                     const Result<bool>& fits) const;

  Executor& executor_;
  std::shared_ptr<const Index> index_;
  AsyncSemaphore checks_;
  VerifiedCache verified_;
};

// Every stored password must be usable: "FILE: accounts."NAME".password: what is wrong". Any
// thread.
[[nodiscard]] Result<void> check_accounts(const config::AccountsConfig& accounts);

// Whether the account's switch for the protocol is on; nobody logs in by LMTP.
[[nodiscard]] bool may_use(const config::Account& account, Protocol protocol);

}  // namespace twinpost::auth
