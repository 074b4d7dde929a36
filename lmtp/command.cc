#include "lmtp/command.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "core/base/ascii.h"

namespace twinpost::lmtp {

namespace {

using Parsed = tl::expected<Command, Refusal>;

tl::unexpected<Refusal> refuse(int code, std::string_view status, std::string text) {
  return tl::unexpected<Refusal>(Refusal{Reply{code, status, std::move(text)}});
}

// The next word of `rest`, which ends at a blank; blanks before it are skipped. Empty at the end.
std::string_view take_word(std::string_view& rest) {
  const auto begin = std::min(rest.find_first_not_of(" \t"), rest.size());
  rest.remove_prefix(begin);
  const auto end = std::min(rest.find_first_of(" \t"), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(end);
  return word;
}

Parsed without_argument(Verb verb, std::string_view rest) {
  if (!ascii::trim(rest).empty()) return refuse(501, "5.5.4", "This command takes no argument");
  Command command;
  command.verb = verb;
  return command;
}

Parsed parse_lhlo(std::string_view rest) {
  Command command;
  command.verb = Verb::kLhlo;
  command.argument = ascii::trim(rest);
  if (command.argument.empty()) return refuse(501, "5.5.4", "LHLO needs the client's name");
  return command;
}

// "FROM:" or "TO:", then the path.
tl::expected<Path, Refusal> parse_path(std::string_view& rest, std::string_view keyword,
                                       std::string_view status) {
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  if (!ascii::starts_with_ignore_case(rest, keyword)) {
    return refuse(501, "5.5.4", "Syntax: " + std::string(keyword) + "<address>");
  }
  rest.remove_prefix(keyword.size());
  auto path = take_path(rest);
  if (!path) return refuse(501, status, "Bad address syntax: " + path.error().message);
  return std::move(*path);
}

// RFC 1870 section 4: 1*20DIGIT, which can be more than 64 bits hold: then it is too large anyway.
bool read_size(std::string_view value, std::uint64_t& octets) {
  const bool is_number = !value.empty() && value.size() <= 20 &&
                         std::all_of(value.begin(), value.end(), ascii::is_digit);
  if (!is_number) return false;
  octets =
      ascii::parse_number<std::uint64_t>(value).value_or(std::numeric_limits<std::uint64_t>::max());
  return true;
}

struct SeenParameters {
  bool size = false;
  bool body = false;
  bool smtputf8 = false;
};

// One esmtp-param of MAIL. Nothing where it is taken.
tl::expected<void, Refusal> take_mail_parameter(std::string_view word, Command& command,
                                                SeenParameters& seen) {
  const auto equals = word.find('=');
  const std::string_view keyword = word.substr(0, equals);
  const std::string_view value =
      equals == std::string_view::npos ? std::string_view{} : word.substr(equals + 1);
  if (ascii::equals_ignore_case(keyword, "SIZE")) {
    if (std::exchange(seen.size, true) || !read_size(value, command.declared_octets)) {
      return refuse(501, "5.5.4", "Bad SIZE parameter");
    }
    return {};
  }
  if (ascii::equals_ignore_case(keyword, "BODY")) {
    if (std::exchange(seen.body, true)) return refuse(501, "5.5.4", "BODY given twice");
    if (ascii::equals_ignore_case(value, "7BIT") || ascii::equals_ignore_case(value, "8BITMIME"))
      return {};
    if (ascii::equals_ignore_case(value, "BINARYMIME")) {
      return refuse(555, "5.5.4", "BINARYMIME is not offered here");
    }
    return refuse(501, "5.5.4", "Bad BODY parameter");
  }
  if (ascii::equals_ignore_case(keyword, "SMTPUTF8")) {
    // RFC 6531 section 3.4: it must not have a value.
    if (std::exchange(seen.smtputf8, true) || equals != std::string_view::npos) {
      return refuse(501, "5.5.4", "Bad SMTPUTF8 parameter");
    }
    command.smtputf8 = true;
    return {};
  }
  return refuse(555, "5.5.4", "MAIL parameter not recognised: " + shown(keyword));
}

Parsed parse_mail(std::string_view rest) {
  auto path = parse_path(rest, "FROM:", "5.1.7");
  if (!path) return tl::unexpected(std::move(path.error()));
  Command command;
  command.verb = Verb::kMail;
  command.path = std::move(*path);
  SeenParameters seen;
  for (auto word = take_word(rest); !word.empty(); word = take_word(rest)) {
    auto taken = take_mail_parameter(word, command, seen);
    if (!taken) return tl::unexpected(std::move(taken.error()));
  }
  // RFC 6531 section 3.5
  if (command.path.is_international && !command.smtputf8) {
    return refuse(550, "5.6.7", "An address outside ASCII needs SMTPUTF8");
  }
  return command;
}

Parsed parse_rcpt(std::string_view rest) {
  auto path = parse_path(rest, "TO:", "5.1.3");
  if (!path) return tl::unexpected(std::move(path.error()));
  if (path->is_null()) return refuse(501, "5.1.3", "Bad address syntax: no recipient");
  if (const auto word = take_word(rest); !word.empty()) {
    return refuse(555, "5.5.4",
                  "RCPT parameter not recognised: " + shown(word.substr(0, word.find('='))));
  }
  Command command;
  command.verb = Verb::kRcpt;
  command.path = std::move(*path);
  return command;
}

// RFC 3030 section 2: BDAT SP chunk-size [SP LAST]
Parsed parse_bdat(std::string_view rest) {
  const auto octets = ascii::parse_number<std::uint64_t>(take_word(rest));
  if (!octets) {
    return tl::unexpected(Refusal{Reply{501, "5.5.4", "BDAT needs a chunk size; closing"}, true});
  }
  Command command;
  command.verb = Verb::kBdat;
  command.chunk_octets = *octets;
  const auto word = take_word(rest);
  command.is_last_chunk = ascii::equals_ignore_case(word, "LAST");
  command.is_malformed_chunk =
      (!word.empty() && !command.is_last_chunk) || !ascii::trim(rest).empty();
  return command;
}

Parsed with_any_argument(Verb verb, std::string_view rest) {
  Command command;
  command.verb = verb;
  command.argument = ascii::trim(rest);
  return command;
}

Parsed parse_vrfy(std::string_view rest) {
  if (ascii::trim(rest).empty()) return refuse(501, "5.5.4", "VRFY needs an address");
  return with_any_argument(Verb::kVrfy, rest);
}

Parsed refuse_smtp(std::string_view) {
  // RFC 2033 section 4.1: never a positive reply, so that a client that speaks SMTP to us finds
  // out.
  return refuse(500, "5.5.1", "This is LMTP, not SMTP: say LHLO");
}

struct VerbEntry {
  std::string_view name;
  Parsed (*parse)(std::string_view rest);
};

constexpr std::array kVerbs = {
    VerbEntry{"LHLO", parse_lhlo},
    VerbEntry{"MAIL", parse_mail},
    VerbEntry{"RCPT", parse_rcpt},
    VerbEntry{"DATA", [](std::string_view rest) { return without_argument(Verb::kData, rest); }},
    VerbEntry{"BDAT", parse_bdat},
    VerbEntry{"RSET", [](std::string_view rest) { return without_argument(Verb::kRset, rest); }},
    VerbEntry{"NOOP", [](std::string_view rest) { return with_any_argument(Verb::kNoop, rest); }},
    VerbEntry{"VRFY", parse_vrfy},
    VerbEntry{"HELP", [](std::string_view rest) { return with_any_argument(Verb::kHelp, rest); }},
    VerbEntry{"QUIT", [](std::string_view rest) { return without_argument(Verb::kQuit, rest); }},
    VerbEntry{"STARTTLS",
              [](std::string_view rest) { return without_argument(Verb::kStartTls, rest); }},
    VerbEntry{"HELO", refuse_smtp},
    VerbEntry{"EHLO", refuse_smtp},
};

}  // namespace

tl::expected<Command, Refusal> parse_command(std::string_view line) {
  std::string_view rest = line;
  const std::string_view verb = take_word(rest);
  const auto* const entry = std::find_if(
      kVerbs.begin(), kVerbs.end(),
      [&](const VerbEntry& candidate) { return ascii::equals_ignore_case(candidate.name, verb); });
  if (entry == kVerbs.end()) return refuse(500, "5.5.1", "Command not recognised");
  // Control characters have no place in any command (RFC 5321 section 4.1.2); a tab separates
  // words. BDAT looks at its octets itself, because what follows it must be accounted for.
  const bool is_clean = std::none_of(rest.begin(), rest.end(),
                                     [](char c) { return ascii::is_control(c) && c != '\t'; });
  if (!is_clean && entry->name != "BDAT")
    return refuse(501, "5.5.2", "Control character in a command");
  return entry->parse(rest);
}

}  // namespace twinpost::lmtp
