// The IMAP command reader: any octets as a client's side of a session, cut into lines and literals as a session does.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "imap/parser.h"

using twinpost::imap::CommandReader;
using twinpost::imap::Step;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view octets(reinterpret_cast<const char*>(data), size);
  CommandReader reader;
  if (!octets.empty()) {
    reader.settings().utf8 = (octets[0] & 1) != 0;
    reader.settings().literal_plus = (octets[0] & 2) != 0;
    octets.remove_prefix(1);
  }
  while (true) {
    const auto end = octets.find('\n');
    if (end == std::string_view::npos) return 0;
    std::string_view line = octets.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    octets.remove_prefix(end + 1);
    const Step step = reader.line(line);
    switch (step.kind) {
      case Step::Kind::kBye: return 0;
      case Step::Kind::kRefused:
        // One line, always: it is sent as it is.
        if (reader.refusal().text.empty() ||
            reader.refusal().text.find_first_of("\r\n") != std::string::npos)
          std::abort();
        [[fallthrough]];
      case Step::Kind::kComplete: reader.reset(); continue;
      default: break;
    }
    if (step.size > octets.size()) return 0;
    if (step.kind == Step::Kind::kLiteral) reader.literal(octets.substr(0, step.size));
    octets.remove_prefix(step.size);
  }
}
