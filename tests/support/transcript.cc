#include "tests/support/transcript.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <stdexcept>
#include <thread>

#include "core/base/ascii.h"
#include "core/base/encoding.h"
#include "tests/support/transcript_actions.h"
#include "tests/support/transcript_client.h"
#include "tests/support/transcript_options.h"
#include "tests/support/transcript_text.h"

namespace twinpost::testing {
namespace {

using namespace std::chrono_literals;

[[noreturn]] void raise_failure(const std::string& what) { throw std::runtime_error(what); }

// A directive's first word taken apart: "C2+:" is letter C, connection 2, sign '+'.
struct Directive {
  std::string word;  // "C", "S", "TLS", ...
  std::size_t connection = 1;
  bool without_end = false;  // C+:
  bool is_line = false;      // with a colon
  std::string rest;
};

Directive parse_directive(const std::string& line) {
  Directive directive;
  std::size_t at = 0;
  while (at < line.size() && ascii::is_alpha(line[at])) directive.word += line[at++];
  std::string digits;
  while (at < line.size() && ascii::is_digit(line[at])) digits += line[at++];
  if (!digits.empty()) directive.connection = static_cast<std::size_t>(std::stoul(digits));
  if (at < line.size() && line[at] == '+') {
    directive.without_end = true;
    ++at;
  }
  if (at < line.size() && line[at] == ':') {
    directive.is_line = true;
    ++at;
  }
  if (at < line.size() && line[at] == ' ') ++at;
  directive.rest = line.substr(at);
  return directive;
}

std::uint64_t number_of(const std::string& word) {
  const auto number = ascii::parse_number<std::uint64_t>(word);
  if (!number) raise_failure("not a number: " + word);
  return *number;
}

std::chrono::milliseconds duration_of(const std::string& word) {
  const auto duration = parse_duration(word);
  if (!duration) raise_failure("not a duration: " + word);
  return *duration;
}

struct SetupMessage {
  std::string account;
  std::string prefix;
  std::string body;
  std::string imported_uidl;
};

// The setup lines, gathered until the conversation begins.
class Setup {
 public:
  // False where the line is none of the setup's.
  bool take(const std::string& line) {
    const auto words = words_of(line);
    if (line.starts_with("| ") || line == "|" || line.starts_with("> ")) {
      message_line(line);
    } else if (line.starts_with("|* ")) {
      last_message().body += std::string(number_of(words.at(1)), words.at(2).at(0)) + "\r\n";
    } else if (words[0] == "account") {
      account(words);
    } else if (words[0] == "message") {
      messages.push_back({words.at(1), "", "", words.size() > 3 ? words[3] : ""});
    } else if (words[0] == "config") {
      if (!set_config(settings.server, words.at(1), words.at(2))) {
        settings.frontend[words.at(1)] = words.at(2);
      }
    } else if (words[0] == "option") {
      if (!set_option(settings.accounts.accounts.at(words.at(1)), words.at(2), words.at(3))) {
        raise_failure("unknown option");
      }
    } else if (line == "certificate") {
      settings.certificate = true;
    } else if (line == "implicit tls") {
      settings.certificate = settings.implicit_tls = true;
    } else if (line == "faults") {
      settings.faults = true;
    } else {
      return false;
    }
    return true;
  }

  // The octets of the account's n-th message, as a client sees them.
  [[nodiscard]] std::string octets_of(const std::string& name, std::size_t n) const {
    for (const SetupMessage& message : messages) {
      if (message.account == name && --n == 0) return message.prefix + message.body;
    }
    raise_failure("the setup has no such message");
  }

  WorldSettings settings;
  std::vector<SetupMessage> messages;

 private:
  SetupMessage& last_message() {
    if (messages.empty()) raise_failure("a message's line without a message");
    return messages.back();
  }

  void message_line(const std::string& line) {
    std::string& part = line[0] == '>' ? last_message().prefix : last_message().body;
    part += (line.size() > 2 ? line.substr(2) : "") + "\r\n";
  }

  // account NAME with 3 messages of 120, 200, 300 octets
  void account(const std::vector<std::string>& words) {
    config::Account made;
    made.name = words.at(1);
    made.password = "{PLAIN}secret";
    settings.accounts.accounts[made.name] = made;
    if (words.at(2) != "with") raise_failure("account NAME with ...");
    if (words.at(3) == "no") return;
    const std::uint64_t count = number_of(words.at(3));
    for (std::uint64_t i = 0; i < count; ++i) {
      std::string size = words.at(6 + std::min<std::size_t>(i, words.size() - 8));
      if (size.ends_with(',')) size.pop_back();
      messages.push_back({made.name, "", make_message(number_of(size), i + 1), ""});
    }
  }
};

class Player {
 public:
  explicit Player(const FrontendFactory& factory) : factory_(factory) {}

  void play(const std::string& line) {
    if (line.empty() || line[0] == '#') return;
    if (!world_) {
      if (setup_.take(line)) return;
      start();
    }
    converse(parse_directive(line));
  }

  // Sends what is left and looks for what nobody expected.
  void finish() {
    if (!world_) start();
    send_pending();
    for (const auto& [number, line] : peeked_) {
      if (line) raise_failure("nobody expected: " + *line);
    }
    for (const auto& [number, client] : clients_) {
      if (closed_.contains(number) || !client->has_input(20ms)) continue;
      const auto line = client->read_line();
      raise_failure(line ? "nobody expected: " + *line : "nobody expected the end");
    }
  }

 private:
  void start() {
    world_ = std::make_unique<World>(setup_.settings, factory_);
    for (const SetupMessage& message : setup_.messages) {
      deliver(*world_, message.account, message.prefix, message.body, message.imported_uidl);
    }
  }

  Client& client(std::size_t number) {
    auto& slot = clients_[number];
    if (!slot) {
      slot = std::make_unique<Client>(world_->port());
      if (setup_.settings.implicit_tls) slot->start_tls();
    }
    return *slot;
  }

  void converse(const Directive& directive) {
    if (directive.word == "C") {
      gather(directive);
      return;
    }
    send_pending();
    const auto words = words_of(directive.rest);
    if (directive.word == "S") {
      expect_from_server(directive, words);
    } else if (directive.word == "TLS") {
      client(directive.connection).start_tls();
    } else if (directive.word == "CLOSE") {
      client(directive.connection).close();
      closed_[directive.connection] = true;
    } else if (directive.word == "SHUTDOWN") {
      client(directive.connection).shutdown_sending();
    } else if (directive.word == "WAIT") {
      wait(words.at(0));
    } else if (directive.word == "DO") {
      do_action(*world_, words);
      world_->settle();
    } else if (directive.word == "EXPECT") {
      expect_state(*world_, words);
    } else {
      raise_failure("unknown directive");
    }
  }

  void gather(const Directive& directive) {
    client(directive.connection);
    std::string& pending = pending_[directive.connection];
    if (directive.is_line) {
      pending += expand(directive.rest, captures_) + (directive.without_end ? "" : "\r\n");
      return;
    }
    auto words = words_of(directive.rest);
    if (words.at(0) == "repeat") {
      pending.append(number_of(words.at(1)), words.at(2).at(0));
    } else if (words.at(0) == "hex") {
      for (std::size_t i = 1; i < words.size(); ++i) pending += hex_decode(words[i]).value();
    } else {
      raise_failure("unknown directive");
    }
  }

  void send_pending() {
    for (auto& [number, octets] : pending_) {
      if (!octets.empty()) client(number).send(octets);
      octets.clear();
    }
  }

  void expect_from_server(const Directive& directive, const std::vector<std::string>& words) {
    Client& from = client(directive.connection);
    if (directive.is_line) {
      expect_line(directive, next_line(directive.connection));
    } else if (words.at(0) == "closed") {
      const auto line = from.read_line();
      if (line) raise_failure("the server still sends: " + *line);
      closed_[directive.connection] = true;
    } else if (words.at(0) == "broken") {
      expect_broken(directive.connection);
    } else if (words.at(0) == "quiet") {
      if (from.has_input(duration_of(words.at(1)))) raise_failure("the server sent something");
    } else if (words.at(0) == "until" || words.at(0) == "through") {
      skip_to(directive.connection, directive.rest.substr(words.at(0).size() + 1));
      if (words.at(0) == "through") next_line(directive.connection);
    } else if (words.at(0) == "message") {
      expect_message(directive.connection, setup_.octets_of(words.at(1), number_of(words.at(2))));
    } else if (words.at(0) == "literal") {
      expect_literal(directive.connection, setup_.octets_of(words.at(1), number_of(words.at(2))));
    } else {
      raise_failure("unknown directive");
    }
  }

  void skip_to(std::size_t connection, const std::string& pattern) {
    while (!matches(pattern, next_line(connection, true), captures_)) next_line(connection);
  }

  void expect_broken(std::size_t connection) {
    closed_[connection] = true;
    for (;;) {
      std::optional<std::string> line;
      try {
        line = client(connection).read_line();
      } catch (const ConnectionBroken&) {  // inside a line, or by a reset
      }
      if (!line) return;
      if (*line == ".") raise_failure("the server ended the response");
    }
  }

  void expect_line(const Directive& directive, const std::string& line) {
    if (matches(directive.rest, line, captures_)) return;
    raise_failure("the server sent: " + ascii::printable(line));
  }

  // Takes off the dots that stuffing put there, and compares octet for octet.
  void expect_message(std::size_t connection, const std::string& octets) {
    std::string got;
    while (next_line(connection, true) != ".") {
      const std::string line = next_line(connection);
      got += (line.starts_with('.') ? line.substr(1) : line) + "\r\n";
    }
    if (got == octets) return;
    const auto differ = std::mismatch(got.begin(), got.end(), octets.begin(), octets.end());
    raise_failure("another message: " + std::to_string(got.size()) + " octets, " +
                  std::to_string(octets.size()) + " expected; they differ at " +
                  std::to_string(differ.first - got.begin()));
  }

  // A message ends a line, so its octets are whole lines.
  void expect_literal(std::size_t connection, const std::string& octets) {
    std::string got;
    while (got.size() < octets.size()) got += next_line(connection) + "\r\n";
    if (got != octets) raise_failure("another message");
  }

  // `peek`: it will be the next one again.
  std::string next_line(std::size_t connection, bool peek = false) {
    std::optional<std::string>& kept = peeked_[connection];
    if (!kept) kept = client(connection).read_line();
    if (!kept) raise_failure("the server closed the connection");
    std::string line = *kept;
    if (!peek) kept.reset();
    return line;
  }

  void wait(const std::string& what) {
    if (what != "sessions") {
      std::this_thread::sleep_for(duration_of(what));
      return;
    }
    for (int i = 0; i < 500 && world_->connections() != 0; ++i) std::this_thread::sleep_for(10ms);
    if (world_->connections() != 0) raise_failure("a connection is still there");
  }

  const FrontendFactory& factory_;
  Setup setup_;
  std::unique_ptr<World> world_;
  std::map<std::size_t, std::unique_ptr<Client>> clients_;
  std::map<std::size_t, bool> closed_;
  std::map<std::size_t, std::string> pending_;
  std::map<std::size_t, std::optional<std::string>> peeked_;
  Captures captures_;
};

}  // namespace

std::vector<std::string> play_transcript(const std::filesystem::path& file,
                                         const FrontendFactory& factory) {
  std::ifstream in(file);
  if (!in) return {file.string() + ": can't be read"};
  Player player(factory);
  std::string line;
  std::size_t number = 0;
  const auto place = [&] { return file.string() + ":" + std::to_string(number) + ": "; };
  try {
    while (std::getline(in, line)) {
      ++number;
      player.play(line);
    }
    player.finish();
  } catch (const std::exception& exception) {
    return {place() + line + "\n    " + exception.what()};
  }
  return {};
}

std::vector<std::filesystem::path> transcripts_of(const std::string& name) {
  const char* wanted = std::getenv("TWINPOST_TRANSCRIPT");
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator("tests/transcripts/" + name)) {
    const std::string file = entry.path().filename().string();
    if (entry.path().extension() != ".txt") continue;
    if (wanted == nullptr || file.find(wanted) != std::string::npos) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace twinpost::testing
