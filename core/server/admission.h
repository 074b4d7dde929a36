// Who may connect: connections in all, and from one address. Loop thread only.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "core/config/config.h"
#include "core/net/address.h"

namespace twinpost::server {

class Admission {
 public:
  enum class Answer : std::uint8_t { kAdmitted, kTooMany, kTooManyFromAddress };

  // Counts the connection in where it is admitted; then leave() is owed for it.
  [[nodiscard]] Answer enter(const net::Peer& peer, const config::Limits& limits);
  void leave(const net::Peer& peer);

 private:
  std::uint64_t total_ = 0;
  std::unordered_map<std::string, std::uint64_t> by_address_;
};

}  // namespace twinpost::server
