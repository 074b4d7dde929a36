// The check that every line of a manifest ends with, so that damage costs the lines it is in and
// nothing else:
//
//   {"uid":3, ... ,"crc":"5f0c9a21"}
//
// It is the CRC-32C of all before it, begun with a number that says where the line belongs: a line
// of one mailbox does not pass as one of another, whatever was lost between them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "store/types.h"

namespace twinpost::tools::backup {

enum class LinePlace : std::uint32_t {};

inline constexpr LinePlace kAccountLines{0};
inline constexpr LinePlace kIndexLines{1};
[[nodiscard]] LinePlace mailbox_lines(store::AccountId account);
[[nodiscard]] LinePlace message_lines(store::AccountId account, store::MailboxId mailbox);

// `line` is an object on a line, with its line end; so is what is given back.
[[nodiscard]] std::string with_check(std::string line, LinePlace place);
// `line` without its line end. The object without its check, or nullopt where it is damaged or
// belongs elsewhere.
[[nodiscard]] std::optional<std::string> checked(std::string_view line, LinePlace place);

}  // namespace twinpost::tools::backup
