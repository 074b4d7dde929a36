#include "pop3/parser.h"

#include <array>
#include <limits>

#include "core/base/ascii.h"

namespace twinpost::pop3 {
namespace {

Command invalid(std::string_view problem) {
  Command command;
  command.problem = problem;
  return command;
}

// Digits, saturating at the largest 64-bit number.
std::optional<std::uint64_t> parse_count(std::string_view text) {
  if (text.empty()) return std::nullopt;
  for (const char c : text) {
    if (!ascii::is_digit(c)) return std::nullopt;
  }
  return ascii::parse_number<std::uint64_t>(text).value_or(
      std::numeric_limits<std::uint64_t>::max());
}

// Takes the first blank-separated word off `rest`; empty at the end.
std::string_view take_word(std::string_view& rest) {
  const std::size_t begin = rest.find_first_not_of(' ');
  if (begin == std::string_view::npos) {
    rest = {};
    return {};
  }
  const std::size_t end = std::min(rest.find(' ', begin), rest.size());
  const std::string_view word = rest.substr(begin, end - begin);
  rest.remove_prefix(end);
  return word;
}

Command without_arguments(Command command, std::string_view rest) {
  if (!take_word(rest).empty()) return invalid("this command takes no argument");
  return command;
}

Command with_optional_number(Command command, std::string_view rest) {
  const std::string_view word = take_word(rest);
  if (word.empty()) return command;
  const auto number = parse_count(word);
  if (!number || !take_word(rest).empty()) {
    return invalid("this command takes one message number or none");
  }
  command.number = MessageNumber{*number};
  return command;
}

Command with_number(Command command, std::string_view rest) {
  command = with_optional_number(std::move(command), rest);
  if (command.verb == Verb::kInvalid || !command.number) {
    return invalid("this command takes one message number");
  }
  return command;
}

Command with_number_and_lines(Command command, std::string_view rest) {
  const auto number = parse_count(take_word(rest));
  const auto lines = parse_count(take_word(rest));
  if (!number || !lines || !take_word(rest).empty()) {
    return invalid("TOP takes a message number and a number of lines");
  }
  command.number = MessageNumber{*number};
  command.lines = *lines;
  return command;
}

Command with_name(Command command, std::string_view rest) {
  const std::string_view name = ascii::trim(rest);
  if (name.empty()) return invalid("USER takes a name");
  if (name.find('\0') != std::string_view::npos) return invalid("a NUL can't be part of a name");
  command.text = name;
  return command;
}

// RFC 1939 section 7, PASS: blanks are part of the password.
Command with_password(Command command, std::string_view rest) {
  if (rest.empty()) return invalid("PASS takes a password");
  if (rest.find('\0') != std::string_view::npos)
    return invalid("a NUL can't be part of a password");
  command.text = rest;
  return command;
}

Command with_mechanism(Command command, std::string_view rest) {
  command.text = ascii::upper(take_word(rest));
  const std::string_view response = take_word(rest);
  if (!take_word(rest).empty()) return invalid("AUTH takes a mechanism and one initial response");
  if (!response.empty()) command.initial_response = std::string(response);
  return command;
}

// RFC 1939 section 7, APOP: a name and a digest; no name has a blank in it.
Command with_name_and_digest(Command command, std::string_view rest) {
  const std::string_view name = take_word(rest);
  const std::string_view digest = take_word(rest);
  if (digest.empty() || !take_word(rest).empty()) return invalid("APOP takes a name and a digest");
  if (name.find('\0') != std::string_view::npos) return invalid("a NUL can't be part of a name");
  command.text = name;
  command.digest = digest;
  return command;
}

// RFC 6856 section 3.
Command with_language(Command command, std::string_view rest) {
  command.text = take_word(rest);
  if (!take_word(rest).empty()) return invalid("LANG takes one language or none");
  return command;
}

struct Rule {
  std::string_view keyword;
  Verb verb;
  Command (*arguments)(Command, std::string_view);
};

constexpr std::array kRules = {
    Rule{"USER", Verb::kUser, with_name},
    Rule{"PASS", Verb::kPass, with_password},
    Rule{"STAT", Verb::kStat, without_arguments},
    Rule{"LIST", Verb::kList, with_optional_number},
    Rule{"RETR", Verb::kRetr, with_number},
    Rule{"DELE", Verb::kDele, with_number},
    Rule{"NOOP", Verb::kNoop, without_arguments},
    Rule{"RSET", Verb::kRset, without_arguments},
    Rule{"QUIT", Verb::kQuit, without_arguments},
    Rule{"TOP", Verb::kTop, with_number_and_lines},
    Rule{"UIDL", Verb::kUidl, with_optional_number},
    Rule{"CAPA", Verb::kCapa, without_arguments},
    Rule{"STLS", Verb::kStls, without_arguments},
    Rule{"AUTH", Verb::kAuth, with_mechanism},
    Rule{"APOP", Verb::kApop, with_name_and_digest},
    Rule{"LAST", Verb::kLast, without_arguments},
    Rule{"LANG", Verb::kLang, with_language},
};

}  // namespace

Command parse_command(std::string_view line) {
  const std::size_t blank = std::min(line.find(' '), line.size());
  const std::string_view keyword = line.substr(0, blank);
  const std::string_view rest = blank < line.size() ? line.substr(blank + 1) : std::string_view{};
  for (const Rule& rule : kRules) {
    if (!ascii::equals_ignore_case(keyword, rule.keyword)) continue;
    Command command;
    command.verb = rule.verb;
    return rule.arguments(std::move(command), rest);
  }
  return invalid("unknown command");
}

}  // namespace twinpost::pop3
