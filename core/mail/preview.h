// The preview of a message (RFC 8970): the beginning of its text, as people would read it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/mail/message.h"

namespace twinpost::mail {

constexpr std::size_t kPreviewCharacters = 256;

// From the first text/plain part that is no attachment and has text in it, else from the first such
// text/html, tags taken off. Transfer encoding and charset are decoded (an unknown charset is
// guessed, bad octets become U+FFFD); white space and control characters are folded into single
// spaces; invisible fillers go. At most kPreviewCharacters code points of well-formed UTF-8; ""
// where there is no text. No more than 4 MiB of parts are looked at, so that it costs little
// whatever the message is. Pure; any thread.
[[nodiscard]] std::string make_preview(std::string_view octets, const Part& root);

}  // namespace twinpost::mail
