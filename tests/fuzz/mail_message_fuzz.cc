// parse_message() on anything, with the invariants of every message.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "core/mail/message.h"
#include "tests/mail/invariants.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace twinpost::mail;
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  MessageLimits small;
  small.depth = 4;
  small.parts = 6;
  small.fields = 8;
  small.addresses = 5;
  small.parameters = 5;
  small.header_octets = 300;
  for (const MessageLimits& limits : {MessageLimits(), small}) {
    const Message message = parse_message(octets, limits);
    const std::string failure = broken_invariant(octets, message, limits);
    if (!failure.empty() || !(message == parse_message(octets, limits))) {
      std::fprintf(stderr, "broken: %s\n",
                   failure.empty() ? "not the same twice" : failure.c_str());
      std::abort();
    }
  }
  return 0;
}
