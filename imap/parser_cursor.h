// The terminals of the command grammar (RFC 9051 section 9): a place in the text of one command that moves forward.
//
// For the parser's own files only. Every production returns true and has moved on, or false and has said why: a
// syntax error with its text, or that the text ends in the header of a literal which must be read first.
// The first failure stays. Views that it gives are into the text, or into `unescaped` for quoted strings with
// escapes in them.
//
// The text of a command is its lines and literals as they came: line, CRLF, literal, line... A CRLF is never
// anywhere else, because lines come without their ends.
#pragma once

#include <cstdint>
#include <forward_list>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/ascii.h"
#include "imap/parser.h"
#include "imap/sequence_set.h"

namespace twinpost::imap {

class Cursor {
 public:
  enum class Status : std::uint8_t { kOk, kSyntax, kLiteral, kMessage };

  Cursor(std::string_view text, const ReaderSettings& settings,
         std::forward_list<std::string>& unescaped)
      : text_(text), settings_(settings), unescaped_(unescaped) {}

  [[nodiscard]] Status status() const { return status_; }
  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] const ReaderSettings& settings() const { return settings_; }

  bool fail(std::string text);
  // From here on errors show nothing of the input: it holds a password.
  void keep_secret() { secret_ = true; }

  // ---- looking ----
  [[nodiscard]] bool at_end() const { return position_ == text_.size(); }
  [[nodiscard]] char peek() const { return at_end() ? '\0' : text_[position_]; }
  [[nodiscard]] std::size_t position() const { return position_; }
  // The word here (letters, digits, '.', '-', '_') without taking it.
  [[nodiscard]] std::string_view peek_word() const;
  // Takes `word` where it is next, as a whole and without case.
  bool accept_word(std::string_view word);
  bool accept(char c);
  [[nodiscard]] char peek_after_spaces() const;  // NUL at the end
  [[nodiscard]] bool has_more() const { return peek_after_spaces() != '\0'; }

  // ---- taking ----
  // One space; more are taken too. `after` names what stands before it.
  bool space(std::string_view after);
  // Trailing spaces and then the end.
  bool end(std::string_view after);
  bool word(std::string_view& out, std::string_view what);
  bool tag(std::string_view& out);
  bool atom(std::string_view& out, std::string_view what);
  bool astring(std::string_view& out, std::string_view what);
  bool string(std::string_view& out, std::string_view what);
  // An astring in the command's charset: quoted it may be of any octets until the client has enabled UTF-8. RFC 3501 has
  // 7-bit octets there, but clients send others, and CHARSET says what they are.
  bool search_text(std::string_view& out);
  bool nstring(std::optional<std::string_view>& out, std::string_view what);
  bool list_mailbox(std::string_view& out);
  // LOGIN's arguments: an astring, but taking what widespread clients send unquoted or in raw UTF-8.
  bool credential(std::string_view& out, std::string_view what);
  bool number(std::uint32_t& out, std::string_view what);
  bool nz_number(std::uint32_t& out, std::string_view what);
  bool number64(std::uint64_t& out, std::string_view what);  // up to 2^63-1
  bool sequence_set(SequenceSet& out);
  bool flag_name(std::string_view& out);  // an atom, or one after a backslash
  bool partial_range(PartialRange& out);
  // The header of a message literal, which always stops here: status kMessage.
  bool message_literal();
  [[nodiscard]] bool message_is_binary() const { return message_is_binary_; }

  bool open(std::string_view what);   // "(" and blanks
  bool close(std::string_view what);  // blanks and ")"
  // "(" [item *(SP item)] ")", `item` being called for each.
  template <class Item>
  bool list(std::string_view what, bool may_be_empty, const Item& item);

 private:
  template <class Allowed>
  std::string_view run(const Allowed& allowed);
  enum class In8Bit : std::uint8_t { kNothing, kUtf8, kAnything };
  bool quoted(std::string_view& out, std::string_view what, In8Bit allowed);
  bool literal(std::string_view& out, std::string_view what);
  bool digits(std::uint64_t& out, std::uint64_t most, std::string_view what);
  bool unexpected(std::string_view what);
  [[nodiscard]] std::string near() const;
  void skip_spaces();

  std::string_view text_;
  const ReaderSettings& settings_;
  std::forward_list<std::string>& unescaped_;
  std::size_t position_ = 0;
  Status status_ = Status::kOk;
  bool message_is_binary_ = false;
  bool secret_ = false;
  std::string error_;
};

template <class Item>
bool Cursor::list(std::string_view what, bool may_be_empty, const Item& item) {
  if (!open(what)) return false;
  if (may_be_empty && accept(')')) return true;
  if (!item()) return false;
  while (true) {
    const bool spaced = peek() == ' ';
    skip_spaces();
    if (accept(')')) return true;
    if (at_end()) return fail("Missing ')' after the " + std::string(what));
    if (!spaced) return unexpected("space or ')' in the " + std::string(what));
    if (!item()) return false;
  }
}

}  // namespace twinpost::imap
