// The text of an HTML document, for previews and search: tags go, character references are
// resolved, what is never shown (style, script, head, comments) is left out, block elements
// separate words.
//
// No parser of HTML: a tolerant filter that takes the document piece by piece, in memory of a few
// hundred octets, in linear time. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace twinpost::mail {

class HtmlText {
 public:
  // UTF-8 in, UTF-8 appended to `out`. A character may be cut between two pieces.
  void add(std::string_view html, std::string& out);
  // What was held back ("&am").
  void finish(std::string& out);

 private:
  enum class State : std::uint8_t {
    kText,
    kReference,
    kTagOpen,
    kTagName,
    kTag,
    kQuoted,
    kMarkup,
    kComment
  };

  void octet(char c, std::string& out);
  void in_text(char c, std::string& out);
  void in_reference(char c, std::string& out);
  void in_tag_name(char c, std::string& out);
  void in_tag(char c, std::string& out);
  void in_markup(char c);
  void end_reference(bool semicolon, std::string& out);
  void end_tag_name(std::string& out);
  void show(std::string_view text, std::string& out);

  State state_ = State::kText;
  std::string held_;    // a reference or a tag's name so far
  std::string hidden_;  // the element whose content is not shown, until its end tag
  char quote_ = 0;
  unsigned dashes_ = 0;  // comment: at its start or end
};

}  // namespace twinpost::mail
