// Encoded words (RFC 2047) in header text, with RFC 2231's language suffix. Pure; any thread;
// linear in the text.
#pragma once

#include <string>
#include <string_view>

namespace twinpost::mail {

// Header text as people read it, in UTF-8. `text` should be unfolded.
//
// Blanks between two encoded words go (RFC 2047 6.2); words of one charset in a row are joined
// before they are converted, because mailers split characters over words. Read as clients do, not
// as strictly as section 5: words may touch other text, stand in quoted strings and contain blanks
// in "Q". Words in an unknown charset, and what only looks like a word, stay as they are. 8-bit
// octets outside words: guess_utf8().
[[nodiscard]] std::string decode_words(std::string_view text);

enum class WordContext {
  kText,    // Subject and other unstructured fields
  kPhrase,  // display names: fewer octets may stand for themselves (RFC 2047 5 (3))
};

// UTF-8 as words of at most 75 octets with one space between them, "Q" or "B", whichever is
// shorter; text that is printable ASCII and holds nothing like an encoded word stays as it is.
// Never splits a character. Folding is up to the caller; bad UTF-8 goes in as U+FFFD.
[[nodiscard]] std::string encode_words(std::string_view utf8, WordContext context);

}  // namespace twinpost::mail
