#include "tools/twinpost/transfer/imap_client.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/base/ascii.h"

namespace twinpost::tools {

namespace {

// Of one command: more than any folder list or slice of a mailbox has.
constexpr std::uint64_t kMostResponses = 500'000;

// RFC 9051 section 9: what may stand in quotes; 8-bit octets go as a literal, which every server
// takes.
bool is_quotable(std::string_view text) {
  return text.size() <= 1000 && std::all_of(text.begin(), text.end(), [](char c) {
           return !ascii::is_control(c) && !ascii::is_8bit(c);
         });
}

}  // namespace

bool is_broken_connection(const Error& error) {
  return error.code == ErrorCode::kClosed || error.code == ErrorCode::kTimeout ||
         error.code == ErrorCode::kIo;
}

ImapCommand& ImapCommand::text(std::string_view text) {
  if (parts_.back().is_literal) parts_.emplace_back();
  parts_.back().octets += text;
  return *this;
}

ImapCommand& ImapCommand::string(std::string_view argument) {
  if (!is_quotable(argument)) {
    parts_.push_back({std::string(argument), true});
    return *this;
  }
  std::string quoted = "\"";
  for (const char c : argument) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return text(quoted + "\"");
}

bool ImapCommand::has_literal() const {
  return std::any_of(parts_.begin(), parts_.end(), [](const Part& p) { return p.is_literal; });
}

tl::unexpected<Error> ImapClient::stop(ErrorCode code, std::string_view what) const {
  return fail(code, fmt::format("{}: {}", place(), what));
}

bool ImapClient::has(std::string_view capability) const {
  return capabilities_.contains(ascii::upper(capability));
}

std::string ImapClient::next_tag() { return fmt::format("T{}", ++tags_); }

Result<ImapResponse> ImapClient::read_response() {
  if (++responses_ > kMostResponses) {
    return stop(ErrorCode::kTooLarge,
                fmt::format("the server answers one command with more than {} "
                            "responses",
                            kMostResponses));
  }
  ImapWire wire;
  std::size_t room = NetConnection::kLongestLine;
  for (;;) {
    auto line = connection_->read_line(room);
    if (!line) return tl::unexpected(std::move(line.error()));
    // Empty pieces between literals count too, or a response of them alone would never end.
    room -= std::min(room, line->size() + 16);
    const auto mark = literal_mark(*line, wire.lines.empty());
    if (!mark) return stop(mark.error().code, mark.error().message);
    if (!*mark) {
      wire.lines.push_back(*std::move(line));
      break;
    }
    const std::uint64_t octets = (*mark)->octets;
    if (octets > literal_limit_ - std::min(literal_limit_, literal_octets_)) {
      return stop(ErrorCode::kTooLarge,
                  fmt::format("the server announced {} octets where at most {} are taken", octets,
                              literal_limit_));
    }
    literal_octets_ += octets;
    line->resize((*mark)->begin);
    wire.lines.push_back(*std::move(line));
    wire.literals.emplace_back();
    if (auto read = connection_->read_octets(octets, wire.literals.back()); !read)
      return tl::unexpected(std::move(read.error()));
  }
  auto response = parse_imap_response(std::move(wire));
  if (!response) return stop(response.error().code, response.error().message);
  return response;
}

Result<ImapResponse> ImapClient::wait_for(const std::string& tag, bool continued,
                                          const OnResponse& on_response) {
  for (;;) {
    auto response = read_response();
    if (!response) {
      if (bye_.empty() || response.error().code != ErrorCode::kClosed) return response;
      return stop(ErrorCode::kClosed, fmt::format("the server ended the session: {}", bye_));
    }
    if (response->kind == ImapResponse::Kind::kContinuation) {
      if (continued) return response;
      return stop(ErrorCode::kInvalid, "the server asks for more of a command that is whole");
    }
    if (!response->tag.empty()) {
      if (response->tag == tag) return response;
      return stop(ErrorCode::kInvalid,
                  fmt::format("the server answers a command that was never sent ({})",
                              ascii::printable(response->tag, 40)));
    }
    if (response->is_status("BYE")) bye_ = response->text;
    if (response->code == "CAPABILITY") take_capabilities(response->code_text);
    if (on_response) {
      if (auto taken = on_response(*std::move(response)); !taken)
        return stop(taken.error().code, taken.error().message);
    }
  }
}

Result<void> ImapClient::send(const std::string& tag, const ImapCommand& command,
                              const OnResponse& on_response) {
  std::string octets = tag + " ";
  for (const ImapCommand::Part& part : command.parts()) {
    if (!part.is_literal) {
      octets += part.octets;
      continue;
    }
    // RFC 7888: without waiting where the server lets us.
    const bool waits = !has("LITERAL+") && !(has("LITERAL-") && part.octets.size() <= 4096);
    octets += fmt::format("{{{}{}}}\r\n", part.octets.size(), waits ? "" : "+");
    if (waits) {
      if (auto sent = connection_->send(octets); !sent) return sent;
      octets.clear();
      auto ready = wait_for(tag, true, on_response);
      if (!ready) return tl::unexpected(std::move(ready.error()));
      if (ready->kind != ImapResponse::Kind::kContinuation)
        return stop(ErrorCode::kUnsupported, "the server refuses a literal: " + ready->text);
    }
    octets += part.octets;
  }
  return connection_->send(octets + "\r\n");
}

Result<ImapResponse> ImapClient::run(const ImapCommand& command, const OnResponse& on_response) {
  connection_->set_deadline();
  literal_octets_ = 0;
  responses_ = 0;
  const std::string tag = next_tag();
  if (auto sent = send(tag, command, on_response); !sent)
    return tl::unexpected(std::move(sent.error()));
  return wait_for(tag, false, on_response);
}

Result<std::vector<ImapResponse>> ImapClient::run_all(std::span<const ImapCommand> commands,
                                                      const OnResponse& on_response) {
  std::vector<ImapResponse> answers;
  const bool at_once = std::none_of(commands.begin(), commands.end(),
                                    [](const ImapCommand& c) { return c.has_literal(); });
  std::vector<std::string> tags;
  connection_->set_deadline();
  literal_octets_ = 0;
  responses_ = 0;
  for (const ImapCommand& command : commands) {
    tags.push_back(next_tag());
    if (auto sent = send(tags.back(), command, on_response); !sent)
      return tl::unexpected(std::move(sent.error()));
    if (at_once) continue;
    auto answer = wait_for(tags.back(), false, on_response);
    if (!answer) return tl::unexpected(std::move(answer.error()));
    answers.push_back(*std::move(answer));
  }
  for (std::size_t i = answers.size(); i < tags.size(); ++i) {
    auto answer = wait_for(tags[i], false, on_response);
    if (!answer) return tl::unexpected(std::move(answer.error()));
    answers.push_back(*std::move(answer));
  }
  return answers;
}

}  // namespace twinpost::tools
