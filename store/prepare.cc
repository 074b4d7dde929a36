#include "store/prepare.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/mail/message.h"
#include "store/summary.h"

namespace twinpost::store {

PreparedMessagePtr prepare_message(std::shared_ptr<const Spool> spool, std::string_view octets) {
  auto message = std::make_shared<PreparedMessage>();
  message->spool = std::move(spool);
  message->octets = octets;
  Sha256 hash;
  hash.update(octets);
  message->sha256 = hash.finish();
  message->crc32c = crc32c(0, octets);
  Summary summary{mail::parse_message(octets)};
  message->header_octets = static_cast<std::uint32_t>(std::min<std::uint64_t>(
      summary.message.root.header.end, std::numeric_limits<std::uint32_t>::max()));
  message->summary = encode_summary(summary);
  return message;
}

Result<PreparedMessagePtr> prepare_message(Spool spool) {
  if (auto finished = spool.finish(); !finished) return tl::unexpected(finished.error());
  auto shared = std::make_shared<const Spool>(std::move(spool));
  const auto octets = shared->view();
  if (!octets) return tl::unexpected(octets.error());
  return prepare_message(std::move(shared), *octets);
}

}  // namespace twinpost::store
