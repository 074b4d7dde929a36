// Message bytes on their way in: canonical line ends, the spool, and everything that is computed once at arrival.
//
// The line-end rule, one for every entrance (LMTP, deliver, APPEND, import):
//   - CRLF stays;  a bare LF becomes CRLF;  a bare CR is an octet like any other and stays;  NUL stays;
//   - a message that does not end in CRLF gets one at its end. An empty message stays empty.
// So what POP3 sends is unambiguous (no client can see a "." line that is not the end), and what was CRLF
// comes out octet for octet.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/encoding.h"
#include "core/base/error.h"
#include "store/body_codec.h"
#include "store/types.h"

namespace twinpost::store {

// Takes a message piece by piece, canonicalises it, counts, and keeps it: in memory up to kSpoolMemory, then in
// an unlinked temporary file in the spool folder. One owner; any one thread at a time. append() may write to the
// temporary file, so past kSpoolMemory it belongs on a worker (see needs_worker()).
class Spool {
 public:
  static constexpr std::size_t kSpoolMemory = 1024 * 1024;

  // `folder` is where temporary files may be made; `limit_octets` 0 is none.
  Spool(std::string folder, std::uint64_t limit_octets);
  ~Spool();
  Spool(Spool&&) noexcept;
  Spool& operator=(Spool&&) noexcept;

  // kTooLarge once the canonical size passes the limit (nothing more is kept from then on), kDiskFull, kIo.
  [[nodiscard]] Result<void> append(std::string_view octets);
  // True where appending `octets` more could touch the disk.
  [[nodiscard]] bool needs_worker(std::size_t octets) const;
  // The end of the message: adds the last CRLF where it is missing. Once.
  [[nodiscard]] Result<void> finish();

  [[nodiscard]] std::uint64_t size() const;
  [[nodiscard]] const std::string& folder() const;
  // The whole message, finished, as one contiguous run: the memory itself, or the file mapped. Good as long as the Spool.
  [[nodiscard]] Result<std::string_view> view() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// What the writer needs to store a body, computed before it gets there.
struct PreparedMessage {
  std::shared_ptr<const Spool> spool;  // owns the octets, perhaps beside those of other messages
  std::string_view octets;             // canonical body
  Sha256Digest sha256{};               // of these
  Sha256Digest name{};                 // BodyCoder::name_of() that
  EncodedBody body;                    // as it will be stored
  std::uint32_t crc32c = 0;            // of the body as it will be stored
  std::string summary;                 // as it will be stored; its plain form is summary.h's
  std::uint32_t header_octets = 0;     // of the body's header, with the blank line
};

// Hashes, parses, summarises and encodes. On a worker. kTooLarge for headers whose summary would be, and what
// BodyCoder::encode() and the spool fail with.
[[nodiscard]] Result<PreparedMessagePtr> prepare_message(
    Spool spool, const BodyCoder& coder = BodyCoder::plain());
// The same for one of several messages that came into one finished spool: `octets` are a part of its
// view and end in CRLF.
[[nodiscard]] Result<PreparedMessagePtr> prepare_message(
    std::shared_ptr<const Spool> spool, std::string_view octets,
    const BodyCoder& coder = BodyCoder::plain());

}  // namespace twinpost::store
