#include "store/prepare.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/mail/message.h"
#include "store/summary.h"

namespace twinpost::store {

namespace {

// Of a run beside many others of one command, whose messages are in a file for the same reason.
constexpr std::uint64_t kMostBesideOthers = 32 * 1024;

RunPlace place_of(const Spool& spool, std::string_view octets) {
  RunPlace place{spool.folder()};
  const bool has_others = octets.size() < spool.size();
  if (has_others && spool.size() > Spool::kSpoolMemory) place.most_in_memory = kMostBesideOthers;
  return place;
}

}  // namespace

Result<PreparedMessagePtr> prepare_message(std::shared_ptr<const Spool> spool,
                                           std::string_view octets, const BodyCoder& coder) {
  auto message = std::make_shared<PreparedMessage>();
  Sha256 hash;
  hash.update(octets);
  message->sha256 = hash.finish();
  message->name = coder.name_of(message->sha256);
  Summary summary{mail::parse_message(octets)};
  message->header_octets = static_cast<std::uint32_t>(std::min<std::uint64_t>(
      summary.message.root.header.end, std::numeric_limits<std::uint32_t>::max()));
  message->summary = encode_summary(summary);
  if (coder.encrypts()) {
    auto sealed = coder.encode_uncompressed(message->summary);
    if (!sealed) return tl::unexpected(std::move(sealed.error()));
    message->summary = std::string(sealed->octets);
  }
  if (message->summary.size() > std::numeric_limits<std::uint32_t>::max()) {
    return fail(ErrorCode::kTooLarge, "the message has too much in its headers");
  }
  auto body = coder.encode(octets, place_of(*spool, octets));
  if (!body) return tl::unexpected(std::move(body.error()));
  message->body = std::move(*body);
  message->crc32c = crc32c(0, message->body.octets);
  message->octets = octets;
  message->spool = std::move(spool);
  return message;
}

Result<PreparedMessagePtr> prepare_message(Spool spool, const BodyCoder& coder) {
  if (auto finished = spool.finish(); !finished) return tl::unexpected(finished.error());
  auto shared = std::make_shared<const Spool>(std::move(spool));
  const auto octets = shared->view();
  if (!octets) return tl::unexpected(octets.error());
  return prepare_message(std::move(shared), *octets, coder);
}

}  // namespace twinpost::store
