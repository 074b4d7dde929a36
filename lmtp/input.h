// What the session reads from: the connection, and in front of it what was read too far.
//
// DATA is read in pieces of any size, so a piece can hold the end of the data and commands that
// were pipelined behind it (RFC 2920 section 3.1). Those go back here. Loop thread only; one
// reader.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/net/connection.h"

namespace twinpost::lmtp {

class Input {
 public:
  explicit Input(net::Connection& connection) : connection_(connection) {}

  // As Connection's: views are good until the next read.
  Task<Result<std::string_view>> read_line(std::size_t limit, Duration timeout);
  Task<Result<std::string_view>> read_some(std::size_t max, Duration timeout);

  // Gives back the last `octets` octets of what read_some() returned last.
  void put_back(std::size_t octets);

  // Forgets what was given back: a TLS handshake begins (RFC 3207 section 4.2).
  void clear();

 private:
  net::Connection& connection_;
  std::string given_back_;  // at most one piece
  std::size_t taken_ = 0;   // of given_back_
  std::string_view last_piece_;
  bool last_piece_is_ours_ = false;
  std::string line_;
};

}  // namespace twinpost::lmtp
