// Passwords that were right a short while ago, so that a client which logs in every minute does not
// cost a slow hash each time.
//
// Only HMAC-SHA256 of account, stored hash and password under a random key of this process is kept:
// no password can be read out of it, and an entry is worth nothing once the stored hash has
// changed. Bounded in entries and age. Not thread-safe.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/base/clock.h"

namespace twinpost::auth {

class VerifiedCache {
 public:
  static constexpr std::size_t kMaxEntries = 1024;
  static constexpr std::chrono::minutes kLifetime{10};

  VerifiedCache();

  // Takes the same time whether or not there is an entry.
  [[nodiscard]] bool contains(std::string_view account, std::string_view stored,
                              std::string_view password, SteadyTime now) const;
  void remember(std::string_view account, std::string_view stored, std::string_view password,
                SteadyTime now);
  // Forgets every account that `gone` picks.
  void forget_where(const std::function<bool(const std::string& account)>& gone);
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

  // A number that only this process can foretell, for the same text always the same.
  [[nodiscard]] std::uint64_t secret_number(std::string_view text) const;

 private:
  using Tag = std::array<std::uint8_t, 32>;
  struct Entry {
    std::string account;
    Tag tag;
    SteadyTime until;
  };
  [[nodiscard]] Tag tag_of(std::string_view account, std::string_view stored,
                           std::string_view password) const;

  std::array<std::byte, 32> key_;
  std::list<Entry> entries_;  // the oldest first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_account_;
};

}  // namespace twinpost::auth
