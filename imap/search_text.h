// Looking for text in text: octets of some charset to UTF-8, and several needles at once in a text
// that comes piece by piece.
//
// Both sides are compared as keys of i;unicode-casemap (RFC 5051), and a needle is found wherever
// it is a substring, also across the places where the text was cut into pieces. Memory is the
// longest needle and one piece. Any one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/mail/casemap_stream.h"
#include "core/mail/charset.h"

namespace twinpost::imap {

// When a slice of work is over (DESIGN: 20 ms at most).
class SliceTimer {
 public:
  explicit SliceTimer(std::chrono::nanoseconds most) : deadline_(steady_now() + most) {}
  [[nodiscard]] bool is_over() const { return steady_now() >= deadline_; }

 private:
  SteadyTime deadline_;
};

// Octets of a part to UTF-8. Where the charset is missing, unknown, ASCII or UTF-8 the text is
// taken for UTF-8, and each octet that can't be that for windows-1252: so mail that is labelled
// wrongly is found as people read it.
class TextDecoder {
 public:
  explicit TextDecoder(std::string_view charset);
  void decode(std::string_view octets, std::string& utf8);  // appends
  void finish(std::string& utf8);

 private:
  void guess(std::string_view octets, bool at_end, std::string& utf8);

  std::optional<mail::CharsetDecoder> named_;
  std::string held_;  // the beginning of a character
};

// What of a message a text belongs to, and with it which needles may be found in it.
enum class TextPlace : std::uint8_t {
  kField,        // the value of one field of the message's header: HEADER, FROM...
  kHeader,       // the message's header as a whole, or a part's MIME header: TEXT
  kInnerHeader,  // the header of a message inside the message: TEXT and BODY
  kBody,         // a part's content: TEXT and BODY
};

struct Needle {
  enum class Scope : std::uint8_t { kField, kBody, kText };
  Scope scope = Scope::kText;
  std::string_view field;       // of kField: the name, lower case
  std::string_view key;         // casemapped
  std::string_view header_key;  // the same for headers, where a tab is a space
  std::size_t slot = 0;         // the caller's name for it
  bool wanted = true;           // false: its answer makes no difference any more
  bool found = false;
};

// The text in which the needles are looked for.
class TextWindow {
 public:
  // Another text begins. `field` is the name, in any case, of kField.
  void begin(TextPlace place, std::string_view field = {});
  // Its next piece.
  void add(std::string_view utf8);
  void end();  // of the text
  // Looks for the needles in what was added since. Marks those that are found; true once it is
  // through, false where the time was over before: to be called again then, before anything else is
  // added.
  bool search(std::vector<Needle>& needles, const SliceTimer& timer);

 private:
  void append(std::string_view key);
  [[nodiscard]] bool applies(const Needle& needle) const;
  [[nodiscard]] std::string_view key_of(const Needle& needle) const;

  TextPlace place_ = TextPlace::kBody;
  std::string field_;
  mail::CasemapStream casemap_;
  std::string text_;          // what may still be the beginning of a match, and the new piece
  std::size_t searched_ = 0;  // octets of text_ that were searched before
  bool is_new_ = true;        // the rest was not yet, not for every needle
  std::size_t next_needle_ = 0;
  std::size_t longest_ = 0;  // of the needles that were looked for in this piece
};

// A header field, or the value of one, as the text that people read, in pieces: unfolded, its tabs
// as spaces, RFC 2047 words decoded, 8-bit octets by guess. A piece is all of it, but for fields
// longer than any that make sense, which are cut where no encoded word goes on.
class FieldText {
 public:
  void begin(std::string_view raw);
  // Appends the next piece. False where there is no more.
  bool next(std::string& utf8);

 private:
  std::string line_;
  std::size_t at_ = 0;
};

}  // namespace twinpost::imap
