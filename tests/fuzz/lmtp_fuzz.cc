// libFuzzer: the LMTP command parser, the transparency of DATA, and the trace of a header.
//
// Checked beyond "does not crash": an accepted path holds nothing that could end a header line or a
// command; where the reads cut the data makes no difference; what the encoder makes, the decoder
// takes back whole.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/base/ascii.h"
#include "lmtp/command.h"
#include "lmtp/data.h"
#include "lmtp/trace.h"

namespace {

using namespace twinpost;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_path(const lmtp::Path& path) {
  require(path.text.size() <= lmtp::kMaxPath && ascii::is_utf8(path.text));
  for (const char c : path.text) require(!ascii::is_control(c));
}

void check_command(std::string_view line) {
  const auto command = lmtp::parse_command(line);
  if (command) {
    check_path(command->path);
    return;
  }
  const std::string wire = lmtp::to_wire(command.error().reply);
  require(wire.size() <= 512 && wire.find('\r') == wire.size() - 2 &&
          wire.find('\n') == wire.size() - 1);
  for (const char c : wire) require(!ascii::is_8bit(c));
}

void check_data(std::string_view octets, std::size_t cut) {
  lmtp::DotDecoder whole;
  std::string content;
  const std::size_t used = whole.decode(octets, content);
  require(whole.has_ended() || used == octets.size());

  lmtp::DotDecoder pieces;
  std::string content_of_pieces;
  std::size_t used_of_pieces = pieces.decode(octets.substr(0, cut), content_of_pieces);
  if (!pieces.has_ended()) used_of_pieces += pieces.decode(octets.substr(cut), content_of_pieces);
  require(content == content_of_pieces && used == used_of_pieces &&
          whole.has_ended() == pieces.has_ended());

  lmtp::DotEncoder encoder;
  std::string wire;
  encoder.encode(octets, wire);
  encoder.finish(wire);
  lmtp::DotDecoder back;
  std::string again;
  require(back.decode(wire, again) == wire.size() && back.has_ended());
  // Encoding what came back changes nothing any more: it is canonical.
  lmtp::DotEncoder second;
  std::string second_wire;
  second.encode(again, second_wire);
  second.finish(second_wire);
  require(second_wire == wire);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view octets(reinterpret_cast<const char*>(data) + 1, size - 1);
  check_command(octets);
  check_data(octets, octets.empty() ? 0 : data[0] % octets.size());
  const auto trace = lmtp::read_trace(octets, {"ann@example.org"});
  require(trace.received_fields <= octets.size() / 9 && trace.delivered_to.size() <= 1);
  return 0;
}
