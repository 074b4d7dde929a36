#include "core/net/input_buffer.h"

#include <doctest/doctest.h>
#include <string>
#include <vector>

using twinpost::net::InputBuffer;
using Line = InputBuffer::Line;

namespace {

// Every line that comes of the octets given `step` at a time; "!" for one that was too long.
std::vector<std::string> lines_of(const std::string& octets, std::size_t step, std::size_t limit,
                                  std::size_t& most_held) {
  InputBuffer buffer;
  std::vector<std::string> lines;
  std::string line;
  most_held = 0;
  for (std::size_t at = 0; at < octets.size(); at += step) {
    buffer.tail().append(octets.substr(at, step));
    for (;;) {
      const Line result = buffer.take_line(limit, line);
      if (result == Line::kNone) break;
      lines.push_back(result == Line::kWhole ? line : "!");
    }
    most_held = std::max(most_held, buffer.size());
  }
  return lines;
}

}  // namespace

TEST_CASE("lines are the same however the octets are cut into pieces") {
  const std::string text =
      "one\r\ntwo\n\r\n\n12345678\r\n123456789\r\n12345678\n123456789\nx\r\r\ny\rz\r\n" +
      std::string(100, 'a') + "\r\nend\r\npartial";
  const std::vector<std::string> expected = {"one",      "two", "",    "",     "12345678", "!",
                                             "12345678", "!",   "x\r", "y\rz", "!",        "end"};
  for (std::size_t step = 1; step <= text.size(); ++step) {
    CAPTURE(step);
    std::size_t most_held = 0;
    CHECK(lines_of(text, step, 8, most_held) == expected);
    CHECK(most_held <= 9);  // what the limit needs, and a CR
  }
}

TEST_CASE("an over-long line keeps nothing, whatever it has in the middle") {
  std::size_t most_held = 0;
  const std::string text = std::string(1000, 'a') + "\r" + std::string(1000, 'b') + "\r\nnext\r\n";
  CHECK(lines_of(text, 1, 10, most_held) == std::vector<std::string>{"!", "next"});
  CHECK(most_held <= 11);
}

TEST_CASE("octets are taken as they come, and lines go on after them") {
  InputBuffer buffer;
  std::string out;
  std::string line;
  buffer.tail().append("abcdefgh\r\nrest");
  buffer.take_some(3, out);
  CHECK(out == "abc");
  CHECK(buffer.take_line(100, line) == Line::kWhole);
  CHECK(line == "defgh");
  CHECK(buffer.take_line(100, line) == Line::kNone);
  buffer.take_some(100, out);
  CHECK(out == "rest");
  CHECK(buffer.empty());
  buffer.tail().append("\n");
  CHECK(buffer.take_line(100, line) == Line::kWhole);
  CHECK(line.empty());
}
