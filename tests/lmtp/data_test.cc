#include "lmtp/data.h"

#include <doctest/doctest.h>
#include <string>
#include <vector>

#include "lmtp/pace.h"
#include "lmtp/trace.h"

using namespace twinpost;
using namespace twinpost::lmtp;
using namespace std::chrono_literals;
using namespace std::string_view_literals;

namespace {

struct Decoded {
  std::string content;
  std::string rest;
  bool ended = false;
  friend bool operator==(const Decoded&, const Decoded&) = default;
};

// Decodes pieces that are cut at the given places.
Decoded decode(const std::vector<std::string_view>& pieces) {
  DotDecoder decoder;
  Decoded result;
  for (const auto piece : pieces) {
    const std::size_t used = decoder.decode(piece, result.content);
    result.rest += piece.substr(used);
  }
  result.ended = decoder.has_ended();
  return result;
}

Decoded decode(std::string_view wire) { return decode(std::vector<std::string_view>{wire}); }

std::string encode(std::string_view message) {
  DotEncoder encoder;
  std::string wire;
  encoder.encode(message, wire);
  encoder.finish(wire);
  return wire;
}

}  // namespace

TEST_CASE("the data ends at CRLF . CRLF and what follows is left alone") {
  CHECK(decode("a\r\nb\r\n.\r\nQUIT\r\n") == Decoded{"a\r\nb\r\n", "QUIT\r\n", true});
  CHECK(decode(".\r\nQUIT\r\n") == Decoded{"", "QUIT\r\n", true});
  CHECK(decode("a\r\n") == Decoded{"a\r\n", "", false});
}

TEST_CASE("one dot is taken off the front of a line") {
  CHECK(decode("..\r\n...\r\n.a\r\na.\r\n.\r\n").content == ".\r\n..\r\na\r\na.\r\n");
}

TEST_CASE("a dot between line ends that are not CRLF is content, not the end") {
  CHECK(decode("a\n.\nb\r\n.\r\n").content == "a\n.\nb\r\n");
  CHECK(decode("a\n.\r\nb\r\n.\r\n").content == "a\n.\r\nb\r\n");
  CHECK(decode("a\r\n.\nb\r\n.\r\n").content == "a\r\n\nb\r\n");
  CHECK(decode("a\r.\rb\r\n.\r\n").content == "a\r.\rb\r\n");
  CHECK(decode("a\r\n.\rb\r\n.\r\n").content == "a\r\n\rb\r\n");
  CHECK(decode("a\r\n.\r\r\nb\r\n.\r\n").content == "a\r\n\r\r\nb\r\n");
  CHECK(decode("a\r\r\n.\r\n").content == "a\r\r\n");
  CHECK(decode("a\0\r\n.\0\r\n.\r\n"sv).content == std::string("a\0\r\n\0\r\n", 7));
}

TEST_CASE("where the reads cut the data makes no difference") {
  const std::string wire = "..a\r\n.\nb\r\n.\r\r\n\r.\r\n..\r\nend\r\n.\r\nMAIL FROM:<>\r\n";
  const Decoded whole = decode(wire);
  REQUIRE(whole.ended);
  for (std::size_t first = 0; first <= wire.size(); ++first) {
    for (std::size_t second = first; second <= wire.size(); ++second) {
      const std::string_view view = wire;
      const Decoded cut =
          decode({view.substr(0, first), view.substr(first, second - first), view.substr(second)});
      CHECK(cut == whole);
    }
  }
}

TEST_CASE("what the encoder makes of a message, the decoder gives back with canonical line ends") {
  CHECK(encode("") == ".\r\n");
  CHECK(encode("a") == "a\r\n.\r\n");
  CHECK(encode(".a\n..\n") == "..a\r\n...\r\n.\r\n");
  CHECK(encode("a\r\nb\rc\n") == "a\r\nb\rc\r\n.\r\n");
  CHECK(decode(encode(".\n.\r\n..x\n\r.\n")).content == ".\r\n.\r\n..x\r\n\r.\r\n");
}

TEST_CASE("the encoder does not mind how the message is cut") {
  const std::string message = "a\r\n.b\n.\r\nc\r.\n";
  const std::string whole = encode(message);
  for (std::size_t cut = 0; cut <= message.size(); ++cut) {
    DotEncoder encoder;
    std::string wire;
    encoder.encode(std::string_view(message).substr(0, cut), wire);
    encoder.encode(std::string_view(message).substr(cut), wire);
    encoder.finish(wire);
    CHECK(wire == whole);
  }
}

TEST_CASE("a trace counts hops and finds the recipients that had the message already") {
  const std::string message =
      "Return-Path: <x@example.net>\r\nDelivered-To: ANN@example.org\r\nReceived: from a\r\n\tby "
      "b\r\n"
      "RECEIVED : from c\r\nDelivered-To: <bob@example.org>\r\nDelivered-To: eve@example.org\r\nX: "
      "y\r\n"
      " Received: folded\r\n\r\nReceived: in the body\r\nDelivered-To: carl@example.org\r\n";
  const Trace trace =
      read_trace(message, {"ann@example.org", "bob@example.org", "carl@example.org"});
  CHECK(trace.received_fields == 2);
  CHECK(trace.delivered_to ==
        std::unordered_set<std::string>{"ann@example.org", "bob@example.org"});
  CHECK(read_trace("", {}).received_fields == 0);
  CHECK(read_trace("Received: x", {}).received_fields == 1);
}

TEST_CASE("a sender must keep up a modest speed, beyond the grace at the beginning") {
  const SteadyTime start{};
  Pace pace(10s, start);
  CHECK(pace.next_wait(start) == 10s);
  CHECK(pace.next_wait(start + 35s) == 5s);
  CHECK(pace.next_wait(start + 50s) == 1ms);
  pace.count(20 * Pace::kOctetsPerSecond);
  CHECK(pace.next_wait(start + 50s) == 10s);
}
