#include "tools/twinpost/backup/checked_line.h"

#include <fmt/format.h>

#include "core/base/encoding.h"
#include "store/codec.h"

namespace twinpost::tools::backup {

namespace {

constexpr std::string_view kBegins = ",\"crc\":\"";
constexpr std::string_view kEnds = "\"}";
constexpr std::size_t kDigits = 8;
constexpr std::size_t kCheckOctets = kBegins.size() + kDigits + kEnds.size();

LinePlace place_of(LinePlace above, std::uint32_t number) {
  const std::uint32_t stored = store::little_endian(number);
  return LinePlace{crc32c(static_cast<std::uint32_t>(above),
                          {reinterpret_cast<const char*>(&stored), sizeof(stored)})};
}

std::string check_of(std::string_view text, LinePlace place) {
  return fmt::format("{:08x}", crc32c(static_cast<std::uint32_t>(place), text));
}

}  // namespace

LinePlace mailbox_lines(store::AccountId account) {
  return place_of(LinePlace{2}, account.value());
}

LinePlace message_lines(store::AccountId account, store::MailboxId mailbox) {
  return place_of(place_of(LinePlace{3}, account.value()), mailbox.value());
}

std::string with_check(std::string line, LinePlace place) {
  line.resize(line.size() - 2);  // "}\n"
  const std::string check = check_of(line, place);
  line += kBegins;
  line += check;
  line += kEnds;
  line += '\n';
  return line;
}

std::optional<std::string> checked(std::string_view line, LinePlace place) {
  if (line.size() < kCheckOctets) return std::nullopt;
  const std::string_view text = line.substr(0, line.size() - kCheckOctets);
  const std::string_view check = line.substr(text.size());
  if (!check.starts_with(kBegins) || !check.ends_with(kEnds) ||
      check.substr(kBegins.size(), kDigits) != check_of(text, place)) {
    return std::nullopt;
  }
  std::string object(text);
  object += '}';
  return object;
}

}  // namespace twinpost::tools::backup
