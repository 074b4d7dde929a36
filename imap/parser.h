// The command reader: octets of one command in, a Command or a refusal out. Pure: it reads and sends nothing.
//
// The session feeds it lines and literals as they come and does what the Step says:
//
//   Step step = reader.line(line);                       // without its CRLF
//   while (true) switch (step.kind) {
//     kComplete: run reader.command(); reader.reset(); read the next line
//     kLiteral:  if (step.synchronizing) send "+ OK"; read step.size octets, reader.literal(piece) for each
//                piece; read a line; step = reader.line(line)
//     kMessage:  reader.message() says for which APPEND; as kLiteral, but the octets go to the session's spool
//                and not to the reader. Or the session does not want it: step = reader.refuse(...)
//     kSkip:     read step.size octets and drop them; read a line; step = reader.line(line)
//     kRefused:  send reader.refusal(), tagged; reader.reset(); the connection goes on with the next line
//     kBye:      send "* BYE" with reader.refusal().text; close
//   }
//
// A literal is judged before it is asked for. One that is not wanted and synchronising is refused in place of the
// "+", so that the client does not send it. A non-synchronising one comes anyway (RFC 7888 section 4): it is
// skipped, with every line and literal that belongs to its command, and refused then, so that no octet of it is ever
// taken for a command; if it is larger than `skip_octets`, the connection ends. A refused message ends its
// whole APPEND: the session drops the messages it has spooled for it.
//
// What is taken beyond the grammar, because clients send it: more than one space where there should be one,
// spaces inside parentheses and at the end, LOGIN arguments that should have been quoted (see
// Cursor::credential), a day of one digit in dates. What is missing is never guessed: every error has its own text.
//
// Memory: a line is copied in whole, a literal as its octets come, neither beyond ReaderSettings; a number that is
// merely claimed takes nothing. The text is parsed again at the 1st, 2nd, 4th, 8th... literal, so errors are found
// early and the work stays linear, but for a logarithm, in what was sent. After reset() an idle reader keeps no buffer above 1 KiB.
// Views in a Command or AppendMessage point into the reader: not copyable, not movable, any one thread at a time.
#pragma once

#include <cstdint>
#include <forward_list>
#include <optional>
#include <string>
#include <string_view>

#include "imap/command.h"

namespace twinpost::imap {

struct ReaderSettings {
  bool utf8 = false;  // ENABLE UTF8=ACCEPT or IMAP4rev2: UTF-8 in quoted strings
  bool literal_plus =
      false;  // LITERAL+ is offered; otherwise LITERAL-: at most 4096 octets without "+" sent first
  std::size_t text_octets = 64 * 1024;  // of one command, literals not counted
  std::uint64_t literal_octets =
      128 * 1024;            // of all literals of one command, messages not counted
  unsigned literals = 1000;  // in one command
  std::uint64_t message_octets = 50 * 1024 * 1024;  // APPENDLIMIT; 0: none
  std::uint64_t skip_octets =
      64 * 1024 * 1024;         // the most that is read to be dropped, of one command
  unsigned search_depth = 100;  // parentheses, NOT and OR inside each other
  unsigned search_keys = 10'000;
  unsigned list_items = 1000;  // FETCH items, patterns, flags and so on, each

  [[nodiscard]] static ReaderSettings before_login();  // for strangers: less of everything
};

inline constexpr std::uint64_t kLiteralMinusOctets = 4096;  // RFC 7888 section 5

// The step after a line.
struct Step {
  enum class Kind : std::uint8_t { kComplete, kLiteral, kMessage, kSkip, kRefused, kBye };
  Kind kind = Kind::kComplete;
  std::uint64_t size = 0;      // kLiteral, kMessage, kSkip
  bool synchronizing = false;  // kLiteral, kMessage: the client waits for "+ "
  friend bool operator==(const Step&, const Step&) = default;
};

struct Refusal {
  bool is_bad = true;  // BAD, otherwise NO
  std::string tag{};   // "*" where the line had none that could be read
  std::string code{};  // without brackets: "TOOBIG"; may be empty
  std::string text{};  // one line
  bool is_unknown_command = false;
  friend bool operator==(const Refusal&, const Refusal&) = default;
};

// One message of an APPEND or REPLACE, announced before its octets.
struct AppendMessage {
  bool is_replace = false;
  bool uid = false;          // UID REPLACE
  std::uint32_t number = 0;  // of REPLACE
  std::string_view mailbox;  // good until refuse() or reset()
  std::uint32_t index = 0;   // 0 for the first of a MULTIAPPEND
  // The rest is good until the next line.
  FlagList flags;
  std::optional<store::InternalDate> internal_date;
  bool binary = false;  // literal8: it may hold NUL (RFC 3516); in any other NUL is not allowed
  bool utf8 = false;    // UTF8 (~{...}) of RFC 6855
  std::uint64_t size =
      0;  // 0 cancels the whole command (RFC 3502 section 6.3.11): NO, nothing is stored
};

// "{123}" or "{123+}".
struct LiteralHeader {
  std::uint64_t size = 0;  // all ones where the number is larger than 63 bits
  bool synchronizing = true;
  std::size_t header_octets = 0;
  // At the beginning of `text`.
  [[nodiscard]] static std::optional<LiteralHeader> parse(std::string_view text);
  // The one that ends `line`. In a valid command a line that looks so does announce a literal: neither "{" nor
  // "}" at the end of a line can be part of anything else.
  [[nodiscard]] static std::optional<LiteralHeader> at_end_of(std::string_view line);
};

class CommandReader {
 public:
  explicit CommandReader(ReaderSettings settings = {});
  CommandReader(const CommandReader&) = delete;
  CommandReader& operator=(const CommandReader&) = delete;

  // May be changed between commands.
  ReaderSettings& settings() { return settings_; }

  // The next line of the command, without its end.
  [[nodiscard]] Step line(std::string_view text);
  // The connection dropped a line because it was beyond all limits. What stood at its end is not known, a
  // literal may follow, and its octets must not be taken for commands: kBye. Sessions read lines with a limit well above
  // `text_octets` so that this is for floods only; lines between the limits are refused and the connection goes on.
  [[nodiscard]] Step line_lost();
  // Octets of the literal that the last step asked for.
  void literal(std::string_view octets);
  // In answer to kMessage, instead of taking it: kRefused, or kSkip where the octets come anyway. `refusal.tag` is set here.
  [[nodiscard]] Step refuse(Refusal refusal);

  [[nodiscard]] const Command& command() const { return command_; }        // after kComplete
  [[nodiscard]] const AppendMessage& message() const { return message_; }  // after kMessage
  [[nodiscard]] const Refusal& refusal() const { return refusal_; }        // after kRefused, kBye
  // The tag as far as it is known: "*" before the first line.
  [[nodiscard]] std::string_view tag() const { return tag_.empty() ? "*" : std::string_view(tag_); }

  // Makes it ready for the next command. What it gave before is gone.
  void reset();

 private:
  enum class Mode : std::uint8_t { kFirst, kGathering, kAfterMessage, kSkipping };

  Step parse(bool final);
  Step after_message(std::string_view line);
  Step next_message(class Cursor& cursor);
  Step want_literal(const LiteralHeader& header);
  Step want_message(const LiteralHeader& header);
  Step complete_append();
  Step reject(std::string text, std::string code = {}, bool is_bad = true);
  Step skip_or_refuse(const std::optional<LiteralHeader>& header);
  Step skip(const LiteralHeader& header);
  Step bye(std::string code, std::string text);

  ReaderSettings settings_;
  Mode mode_ = Mode::kFirst;
  std::string text_;  // what has come, literals included
  std::string
      later_text_;  // the line after a message; text_ stays as it is, for `message_.mailbox`
  std::forward_list<std::string> unescaped_;
  std::string tag_;
  std::size_t line_octets_ = 0;
  std::uint64_t literal_octets_ = 0;
  std::uint64_t skipped_octets_ = 0;
  unsigned literals_ = 0;
  std::optional<LiteralHeader> last_header_;  // of the line that was fed last
  bool is_append_ = false;
  Command command_;
  AppendMessage message_;
  Refusal refusal_;
};

}  // namespace twinpost::imap
