// The UIDLs of an INBOX's messages, asked of the same server's POP3 side. Blocking; one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "tools/twinpost/transfer/pop3_client.h"
#include "tools/twinpost/transfer/pop3_match.h"

namespace twinpost::tools {

// The headers of these UIDs, by IMAP; a message that is not there is missing from the map.
using HeadersByUid = std::function<Result<std::map<std::uint32_t, std::string>>(
    std::span<const std::uint32_t> uids)>;
using Note = std::function<void(std::string_view)>;

// By UID. What got no UIDL, and why, is said by `note`. kUnsupported where the server has no UIDL.
[[nodiscard]] Result<std::map<std::uint32_t, std::string>> fetch_uidls(
    Pop3Client& pop3, std::vector<InboxMessage> inbox, std::uint32_t uid_validity,
    const HeadersByUid& headers, const Note& note);

}  // namespace twinpost::tools
