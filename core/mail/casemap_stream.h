// unicode_casemap() of a text that comes piece by piece: what it gives, put together, is the key of
// the whole text, wherever the pieces were cut.
//
// Keeps back what the next piece may still change: a character that is cut, and the combining marks
// at the end, which are put in order with those that follow them. Never more than kMaxHeld octets:
// a longer run of marks, which no language has, is cut. One thread at a time.
#pragma once

#include <string>
#include <string_view>

namespace twinpost::mail {

class CasemapStream {
 public:
  static constexpr std::size_t kMaxHeld = 1024;

  void add(std::string_view utf8, std::string& key);  // appends
  // The end of the text: what was held back. Ready for another text then.
  void finish(std::string& key);

 private:
  std::string held_;
};

}  // namespace twinpost::mail
