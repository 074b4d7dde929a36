#include "pop3/response.h"

#include <doctest/doctest.h>
#include <limits>
#include <random>

#include "pop3/update.h"

using namespace twinpost;
using namespace twinpost::pop3;

namespace {

std::string stuffed(std::string_view message, std::size_t slice) {
  DotStuffer stuffer;
  std::string out;
  for (std::size_t at = 0; at < message.size(); at += slice) {
    stuffer.append(message.substr(at, slice), out);
  }
  stuffer.finish(out);
  return out;
}

std::string top_of(std::string_view message, std::uint64_t lines, std::size_t slice) {
  TopCutter cutter(lines);
  std::string out;
  for (std::size_t at = 0; at < message.size() && !cutter.done(); at += slice) {
    const std::string_view piece = message.substr(at, slice);
    out += piece.substr(0, cutter.take(piece));
  }
  return out;
}

// The client's side (RFC 1939 section 3), line by line.
std::string unstuffed(std::string_view response) {
  std::string message;
  while (!response.empty()) {
    const std::size_t end = response.find("\r\n");
    REQUIRE(end != std::string_view::npos);
    std::string_view line = response.substr(0, end);
    response.remove_prefix(end + 2);
    if (line == ".") {
      CHECK(response.empty());
      return message;
    }
    if (line.starts_with('.')) line.remove_prefix(1);
    message.append(line).append("\r\n");
  }
  FAIL("no terminating line");
  return message;
}

}  // namespace

TEST_CASE("dots are stuffed at the beginning of lines only") {
  CHECK(stuffed("", 9) == ".\r\n");
  CHECK(stuffed(".\r\n", 9) == "..\r\n.\r\n");
  CHECK(stuffed("a.\r\n..b\r\n", 99) == "a.\r\n...b\r\n.\r\n");
  CHECK(stuffed("\r\n.\r\n.", 99) == "\r\n..\r\n..\r\n.\r\n");
}

TEST_CASE("the terminating line stands on a line of its own, whatever the message ends in") {
  CHECK(stuffed("a", 1) == "a\r\n.\r\n");
  CHECK(stuffed("a\r", 1) == "a\r\r\n.\r\n");
  CHECK(stuffed("a\n", 1) == "a\n\r\n.\r\n");
  CHECK(stuffed("a\r\n", 1) == "a\r\n.\r\n");
}

TEST_CASE("a stuffed message comes out the same in slices of any size, and a client gets it back") {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::string message;
    const std::size_t size = random() % 60;
    while (message.size() < size) {
      constexpr std::string_view kPieces[] = {".", "..", "\r\n", "x", "\r\n.", "\r", ".\r\n"};
      message += kPieces[random() % std::size(kPieces)];
    }
    message += "\r\n";
    const std::string whole = stuffed(message, message.size());
    CHECK(unstuffed(whole) == message);
    for (std::size_t slice = 1; slice < 7; ++slice) CHECK(stuffed(message, slice) == whole);
  }
}

TEST_CASE("TOP takes the header, the blank line, and so many lines, in slices of any size") {
  const std::string message = "A: b\r\n c\r\n\r\none\r\n\r\nthree\r\n";
  const std::string header = "A: b\r\n c\r\n\r\n";
  for (std::size_t slice = 1; slice <= message.size(); ++slice) {
    CAPTURE(slice);
    CHECK(top_of(message, 0, slice) == header);
    CHECK(top_of(message, 1, slice) == header + "one\r\n");
    CHECK(top_of(message, 2, slice) == header + "one\r\n\r\n");
    CHECK(top_of(message, 3, slice) == message);
    CHECK(top_of(message, std::numeric_limits<std::uint64_t>::max(), slice) == message);
  }
}

TEST_CASE("TOP of a message without a blank line is all of it") {
  for (std::size_t slice = 1; slice < 9; ++slice) {
    CHECK(top_of("A: b\r\n\r\r\nC\r\n", 0, slice) == "A: b\r\n\r\r\nC\r\n");
    CHECK(top_of("\r\nbody\r\n", 0, slice) == "\r\n");
    CHECK(top_of("", 3, slice) == "");
  }
}

TEST_CASE("status lines carry their codes") {
  CHECK(ok_line("") == "+OK\r\n");
  CHECK(ok_line("2 320") == "+OK 2 320\r\n");
  CHECK(error_line(ResponseCode::kNone, "no") == "-ERR no\r\n");
  CHECK(error_line(ResponseCode::kAuth, "no") == "-ERR [AUTH] no\r\n");
  CHECK(error_line(ResponseCode::kInUse, "no") == "-ERR [IN-USE] no\r\n");
  CHECK(error_line(ResponseCode::kSysTemp, "no") == "-ERR [SYS/TEMP] no\r\n");
  CHECK(error_line(ResponseCode::kSysPerm, "no") == "-ERR [SYS/PERM] no\r\n");
}

TEST_CASE("the answer to QUIT names what happened, and nothing that did not") {
  UpdateResult result;
  CHECK(result.text().empty());
  result.removed = 3;
  CHECK(result.text() == "3 messages removed");
  result.already_gone = 1;
  CHECK(result.text() == "3 messages removed, 1 already gone");
  result.removed = 0;
  CHECK(result.text() == "0 messages removed, 1 already gone");
  result.hidden = 1;
  CHECK(result.text() == "1 message hidden from POP3, 1 already gone");
}
