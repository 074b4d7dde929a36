// Records whose checksum does not match, read as if it did: the fields are what the octets say, and
// mean nothing until they are compared with the rest of the store. nullopt where the octets can't
// be such a record. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "store/records.h"

namespace twinpost::store {

// The value with a checksum that fits; empty where it is too short for one.
[[nodiscard]] std::string sealed_anew(std::string_view key, std::string_view value);

[[nodiscard]] std::optional<MessageRecord> guess_message(std::string_view key,
                                                         std::string_view value);
[[nodiscard]] std::optional<RemovedRow> guess_removed(std::string_view key, std::string_view value);
[[nodiscard]] std::optional<MailboxRow> guess_mailbox(std::string_view key, std::string_view value);
[[nodiscard]] std::optional<AccountRow> guess_account(std::string_view key, std::string_view value);
[[nodiscard]] std::optional<BlobRow> guess_blob(std::string_view key, std::string_view value);

// Nothing in it is out of its range, whatever the rest of the store says.
[[nodiscard]] bool is_plausible(const MessageRecord& record);

}  // namespace twinpost::store
