// Octets in a named charset to UTF-8, by ICU.
//
// Names are looked up as mail writes them: any case, ICU's aliases, and what mail programs mean by
// a name rather than what it says (iso-8859-1 is read as windows-1252, gb2312 as gb18030, us-ascii
// as UTF-8: each is a superset of the named one). Names that ICU does not know are unknown: nothing
// is guessed and no file is opened. Bad octets become U+FFFD. Nothing throws. A decoder belongs to
// one thread at a time; functions are pure.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace twinpost::mail {

// A conversion that goes on from piece to piece: a character may be cut anywhere between two of
// them.
class CharsetDecoder {
 public:
  // nullopt where the charset is unknown.
  [[nodiscard]] static std::optional<CharsetDecoder> open(std::string_view charset);
  ~CharsetDecoder();
  CharsetDecoder(CharsetDecoder&&) noexcept;
  CharsetDecoder& operator=(CharsetDecoder&&) noexcept;

  void decode(std::string_view octets, std::string& utf8);  // appends
  void finish(std::string& utf8);                           // appends what was cut short, as U+FFFD
  [[nodiscard]] bool lossy() const;                         // something became U+FFFD

 private:
  struct Impl;
  explicit CharsetDecoder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

[[nodiscard]] bool is_known_charset(std::string_view charset);

// All at once. nullopt where the charset is unknown.
[[nodiscard]] std::optional<std::string> to_utf8(std::string_view charset, std::string_view octets);

// For octets that nobody named a charset for: UTF-8 where they are that, else windows-1252.
[[nodiscard]] std::string guess_utf8(std::string_view octets);

}  // namespace twinpost::mail
