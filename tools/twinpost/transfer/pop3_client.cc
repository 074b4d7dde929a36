#include "tools/twinpost/transfer/pop3_client.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/base/ascii.h"

namespace twinpost::tools {

namespace {

constexpr std::uint32_t kMostMessages = 10'000'000;
constexpr std::uint64_t kLargestHeader = 16 * 1024 * 1024;
constexpr std::uint64_t kLargestCapabilities = 64 * 1024;
constexpr std::size_t kPipelined = 50;

std::string_view take_word(std::string_view& rest) {
  const auto end = std::min(rest.find(' '), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(end);
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  return word;
}

std::string_view take_line(std::string_view& rest) {
  const auto end = rest.find("\r\n");
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 2);
  return line;
}

}  // namespace

tl::unexpected<Error> Pop3Client::stop(ErrorCode code, std::string_view what) const {
  return fail(code, fmt::format("POP3 {}: {}", connection_->place(), what));
}

Result<Pop3Client::Reply> Pop3Client::read_reply() {
  auto line = connection_->read_line(64 * 1024);
  if (!line) return stop(line.error().code, line.error().message);
  Reply reply;
  std::string_view rest = *line;
  const std::string_view word = take_word(rest);
  reply.ok = ascii::equals_ignore_case(word, "+OK") || word == "+";
  if (!reply.ok && !ascii::equals_ignore_case(word, "-ERR")) {
    return stop(ErrorCode::kInvalid,
                fmt::format("the server sent something that is no POP3: \"{}\"",
                            ascii::printable(*line, 100)));
  }
  reply.text = rest;
  return reply;
}

Result<Pop3Client::Reply> Pop3Client::command(std::string_view line) {
  connection_->set_deadline();
  if (auto sent = connection_->send(std::string(line) + "\r\n"); !sent)
    return stop(sent.error().code, sent.error().message);
  return read_reply();
}

// RFC 1939 section 3: the line "." ends it, a dot in front of others comes off.
Result<std::string> Pop3Client::read_lines(std::uint64_t limit) {
  std::string lines;
  for (;;) {
    auto line = connection_->read_line();
    if (!line) return stop(line.error().code, line.error().message);
    if (*line == ".") return lines;
    if (lines.size() + line->size() + 2 > limit) {
      return stop(ErrorCode::kTooLarge,
                  fmt::format("the server's answer is longer than {} octets", limit));
    }
    lines.append(*line, line->starts_with('.') ? 1 : 0);
    lines += "\r\n";
  }
}

Result<std::uint32_t> Pop3Client::count() {
  const auto stat = command("STAT");
  if (!stat) return tl::unexpected(stat.error());
  std::string_view text = stat->text;
  const auto number = ascii::parse_number<std::uint32_t>(take_word(text));
  if (!stat->ok || !number || *number > kMostMessages)
    return stop(ErrorCode::kInvalid, "the server's answer to STAT can't be read");
  return *number;
}

Result<std::vector<PopMessage>> Pop3Client::messages() {
  const auto count = this->count();
  if (!count) return tl::unexpected(count.error());
  std::vector<PopMessage> messages;
  for (const bool of_sizes : {true, false}) {
    const auto reply = command(of_sizes ? "LIST" : "UIDL");
    if (!reply) return tl::unexpected(reply.error());
    if (!reply->ok && of_sizes) return stop(ErrorCode::kInvalid, "the server refuses LIST");
    if (!reply->ok) return stop(ErrorCode::kUnsupported, "the server has no UIDL");
    const auto lines = read_lines(std::uint64_t{*count} * 1100 + 1024);
    if (!lines) return tl::unexpected(lines.error());
    std::size_t at = 0;
    for (std::string_view rest = *lines; !rest.empty();) {
      std::string_view line = take_line(rest);
      const auto number = ascii::parse_number<std::uint32_t>(take_word(line));
      if (!number || *number == 0 || *number > *count)
        return stop(ErrorCode::kInvalid, "the server's list of messages can't be read");
      if (of_sizes) {
        const auto size = ascii::parse_number<std::uint64_t>(take_word(line));
        const bool in_order = messages.empty() || messages.back().number < *number;
        if (!size || !in_order)
          return stop(ErrorCode::kInvalid, "the server's list of sizes can't be read");
        messages.push_back({*number, *size, {}});
        continue;
      }
      while (at < messages.size() && messages[at].number < *number) ++at;
      // A UIDL has no blank in it; what follows one is kept, so that it is found to be unusable.
      if (at < messages.size() && messages[at].number == *number)
        messages[at].uidl = ascii::trim(line);
    }
  }
  return messages;
}

Result<std::vector<std::string>> Pop3Client::headers(std::span<const std::uint32_t> numbers) {
  std::vector<std::string> headers;
  const std::size_t step = capabilities_.contains("PIPELINING") ? kPipelined : 1;
  while (headers.size() < numbers.size()) {
    const auto slice =
        numbers.subspan(headers.size(), std::min(step, numbers.size() - headers.size()));
    std::string commands;
    for (const std::uint32_t number : slice) commands += fmt::format("TOP {} 0\r\n", number);
    connection_->set_deadline();
    if (auto sent = connection_->send(commands); !sent)
      return stop(sent.error().code, sent.error().message);
    for (std::size_t i = 0; i < slice.size(); ++i) {
      const auto reply = read_reply();
      if (!reply) return tl::unexpected(reply.error());
      if (!reply->ok) {
        headers.emplace_back();
        continue;
      }
      auto lines = read_lines(kLargestHeader);
      if (!lines) return tl::unexpected(lines.error());
      headers.push_back(*std::move(lines));
    }
    const bool all_refused =
        std::all_of(headers.begin(), headers.end(), [](const std::string& h) { return h.empty(); });
    if (all_refused && (headers.size() >= 10 || headers.size() == numbers.size()) &&
        !numbers.empty())
      return stop(ErrorCode::kUnsupported, "the server has no TOP");
  }
  return headers;
}

void Pop3Client::quit() { static_cast<void>(command("QUIT")); }

Result<void> Pop3Client::ask_capabilities() {
  capabilities_.clear();
  const auto reply = command("CAPA");
  if (!reply) return tl::unexpected(reply.error());
  if (!reply->ok) return {};  // a server from before RFC 2449
  const auto lines = read_lines(kLargestCapabilities);
  if (!lines) return tl::unexpected(lines.error());
  for (std::string_view rest = *lines; !rest.empty();) {
    std::string_view line = take_line(rest);
    const std::string name = ascii::upper(take_word(line));
    capabilities_.insert(name);
    while (!line.empty()) capabilities_.insert(name + " " + ascii::upper(take_word(line)));
  }
  return {};
}

}  // namespace twinpost::tools
