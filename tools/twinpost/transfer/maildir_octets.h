// Line ends: CRLF in the store, LF in files. Pure.
#pragma once

#include <string>
#include <string_view>

namespace twinpost::tools {

// Appends `piece` with every bare LF as CRLF. `last` is the octet before it (0 at the beginning) and becomes its last one.
void append_crlf(std::string& out, std::string_view piece, char& last);
// The end of a message: CRLF where it does not end so; an empty one stays empty.
void end_crlf(std::string& out, char last);
[[nodiscard]] std::string to_crlf(std::string_view octets);
// Every CRLF as LF. Where a line ends in CR CR LF all of it stays as it is, which to_crlf() leaves alone: so every
// canonical message comes back as it was.
[[nodiscard]] std::string to_lf(std::string_view octets);

}  // namespace twinpost::tools
