// The summary of a message body: what clients ask most, made once at arrival and kept beside the blob.
//
// Its layout is drawn in summary.cc; it is versioned and checksummed, and an unreadable or older one is made anew
// from the body by whoever reads it. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/mail/message.h"

namespace twinpost::store {

struct Summary {
  // Structure, envelope, header fields, preview; all spans count from the body's first octet.
  mail::Message message;
};

[[nodiscard]] std::string encode_summary(const Summary& summary);
// kCorrupt, kUnsupported (another version).
[[nodiscard]] Result<Summary> decode_summary(std::string_view octets);

}  // namespace twinpost::store
