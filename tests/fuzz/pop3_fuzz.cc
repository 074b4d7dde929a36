// libFuzzer: the POP3 command parser, dot-stuffing, and TOP's cutter.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/auth/sasl.h"
#include "pop3/parser.h"
#include "pop3/response.h"

namespace {

using namespace twinpost;

void require(bool condition) {
  if (!condition) std::abort();
}

void parse(std::string_view line) {
  const pop3::Command command = pop3::parse_command(line);
  require((command.verb == pop3::Verb::kInvalid) == !command.problem.empty());
  require(command.text.size() <= line.size());
  if (command.verb == pop3::Verb::kRetr) require(command.number.has_value());
  (void)auth::parse_sasl_plain(line);
}

// Slices of `step` octets, or all at once.
std::string stuffed(std::string_view message, std::size_t step) {
  pop3::DotStuffer stuffer;
  std::string out;
  for (std::size_t at = 0; at < message.size(); at += step) {
    stuffer.append(message.substr(at, step), out);
  }
  stuffer.finish(out);
  return out;
}

std::string top_of(std::string_view message, std::uint64_t lines, std::size_t step) {
  pop3::TopCutter cutter(lines);
  std::string out;
  for (std::size_t at = 0; at < message.size() && !cutter.done(); at += step) {
    const std::string_view piece = message.substr(at, step);
    out += piece.substr(0, cutter.take(piece));
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  parse(octets);
  if (size < 2) return 0;
  const std::size_t step = 1 + data[0] % 7;
  const std::uint64_t lines = data[1] % 5;
  const std::string_view message = octets.substr(2);
  const std::string whole = stuffed(message, message.size() + 1);
  require(whole == stuffed(message, step));
  // The terminating line comes once, at the end.
  require(whole.ends_with("\r\n.\r\n") || whole == ".\r\n");
  const std::size_t first = ("\r\n" + whole).find("\r\n.\r\n");
  require(first == whole.size() - 3);
  const std::string top = top_of(message, lines, message.size() + 1);
  require(top == top_of(message, lines, step));
  require(message.starts_with(top));
  return 0;
}
