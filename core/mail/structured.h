// What structured header fields are made of (RFC 5322 section 3.2): comments, quoted strings,
// blanks.
//
// Every function reads forward from `at` and returns where it stopped, so a parser built of them is
// linear. Nothing fails: what is not closed ends with the text. Nesting costs a counter, no stack.
// Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace twinpost::mail {

// Space, tab, CR, LF: folding white space, also where it was not unfolded.
constexpr bool is_wsp(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// text[at] is '('. Behind the matching ')'. `content`, where given, gets what is between them,
// quoted pairs resolved.
std::size_t skip_comment(std::string_view text, std::size_t at, std::string* content = nullptr);

// text[at] is '"'. Behind the closing one; what is between is appended to `out`, quoted pairs
// resolved. `closed`, where given, says whether there was a closing one.
std::size_t read_quoted_string(std::string_view text, std::size_t at, std::string& out,
                               bool* closed = nullptr);

// Blanks and comments.
std::size_t skip_cfws(std::string_view text, std::size_t at);

// The text without its comments and without blanks at both ends; quoted strings stay as they are.
[[nodiscard]] std::string strip_comments(std::string_view text);

}  // namespace twinpost::mail
