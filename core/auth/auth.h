// Who is who: logging in, and finding the account that mail for an address goes to.
//
// Loop thread only, except what says otherwise. Password hashes are checked on workers, a bounded number at once; the
// time of an answer does not tell whether an account exists.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/executor.h"
#include "core/base/task.h"
#include "core/config/config.h"

namespace twinpost::auth {

enum class Protocol : std::uint8_t { kPop3, kImap, kLmtp };
[[nodiscard]] std::string_view to_string(Protocol protocol);  // "pop3"

struct Login {
  std::string user;      // as given: an account's name, or one of its aliases (not the catch-all)
  std::string password;
  std::string authorize_as;  // SASL authorization identity; empty or the same account, else refused
  Protocol protocol = Protocol::kPop3;
  std::string address;       // the client's, for the log
};

enum class LoginFailure : std::uint8_t {
  kCredentials,       // wrong user or password, or the account is disabled: not told apart to the client
  kProtocolDisabled,  // right password, but this protocol is switched off
  kTemporary,         // could not be checked now
};

struct LoginResult {
  std::optional<config::Account> account;  // set on success
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

  // Exact account or alias, then user+detail without its detail, then the domain's catch-all. Disabled accounts still
  // receive. The local part is compared without regard to case. nullopt: unknown (550 5.1.1).
  [[nodiscard]] std::optional<Delivery> find_recipient(std::string_view address) const;

  [[nodiscard]] std::optional<config::Account> account(std::string_view name) const;

  // After a reload.
  void replace(config::AccountsConfigPtr accounts);
  [[nodiscard]] config::AccountsConfigPtr accounts() const;

 private:
  struct Index;
  Executor& executor_;
  config::AccountsConfigPtr accounts_;
  std::shared_ptr<const Index> index_;
  AsyncSemaphore checks_;
};

}  // namespace twinpost::auth
