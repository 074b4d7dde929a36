// The sessions that are logged in, by account: limits per account, and ending them.
//
// Loop thread only. A session registers after its login and holds the registration as long as it
// lives.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/auth/auth.h"
#include "core/base/clock.h"
#include "core/base/error.h"

namespace twinpost::auth {

// Why a session is being ended; the frontend words it in its protocol.
enum class EndReason : std::uint8_t {
  kShutdown,          // the server stops
  kProtocolDisabled,  // the account may not use this protocol any more
  kAccountDisabled,   // disabled or taken out of accounts.json, or its password changed
  kKicked,
};

// What a session is at, for `twinpost who`.
struct SessionStatus {
  bool tls = false;
  std::uint64_t octets_in = 0;
  std::uint64_t octets_out = 0;
  std::string state;    // "transaction", "selected", "idle"...
  std::string mailbox;  // the one that it has open; empty: none
  std::string client;   // what the client calls itself (IMAP ID); empty: not said
};

class Sessions {
 public:
  struct Entry {
    std::string account;
    Protocol protocol;
    std::string address;
    std::function<void(EndReason)> end;  // asks the session to end politely; returns at once
    std::function<SessionStatus()> status = {};  // none: nothing is known
    UnixTime since = unix_now();
    std::uint64_t id = 0;  // given by add(), never twice
  };

  class Registration {
   public:
    Registration(Sessions* sessions, std::uint64_t id) : sessions_(sessions), id_(id) {}
    ~Registration();
    Registration(const Registration&) = delete;
    Registration& operator=(const Registration&) = delete;

   private:
    Sessions* sessions_;
    std::uint64_t id_;
  };

  // kLimit where the account has `limit` sessions already (0: no limit). Must outlive its
  // registrations.
  [[nodiscard]] Result<std::unique_ptr<Registration>> add(Entry entry, std::uint64_t limit);

  // Ends every session whose entry `chosen` picks. Returns how many. An `end` may drop
  // registrations.
  std::size_t end_where(const std::function<bool(const Entry&)>& chosen, EndReason reason);
  [[nodiscard]] std::size_t count() const { return entries_.size(); }
  void for_each(const std::function<void(const Entry&)>& visit) const;

 private:
  void remove(std::uint64_t id);

  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, Entry> entries_;  // in the order of their logins
  std::unordered_map<std::string, std::uint64_t> per_account_;
};

// After a reload: ends the sessions of accounts that are gone, disabled or have another password,
// and those whose protocol was switched off. Returns how many.
std::size_t end_outdated(Sessions& sessions, const config::AccountsConfig& before,
                         const config::AccountsConfig& after);

}  // namespace twinpost::auth
