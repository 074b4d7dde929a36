// Mailbox names: modified UTF-7 both ways, names from the wire, LIST patterns.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/base/ascii.h"
#include "imap/mailbox_name.h"

using namespace twinpost::imap;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto decoded = utf7_decode(text);
  if (decoded && (!twinpost::ascii::is_utf8(*decoded) || utf7_encode(*decoded) != text))
    std::abort();
  if (twinpost::ascii::is_utf8(text) && utf7_decode(utf7_encode(text)) != text) std::abort();
  for (const bool utf8 : {false, true}) {
    const auto name = mailbox_from_wire(text, utf8, NameUse::kNew);
    // A name that was taken goes out and comes in again as itself.
    if (name) {
      const auto again = mailbox_from_wire(mailbox_to_wire(*name, utf8), utf8, NameUse::kNew);
      if (!again || *again != *name) std::abort();
    }
    if (name && !ListPattern(*name).matches(*name)) std::abort();
  }
  const auto half = text.substr(0, size / 2);
  if (size < 4096) (void)ListPattern(half).matches(text.substr(size / 2));
  return 0;
}
