// The manifest of a generation as a text that is written once and read at any place, whether the
// file is that text or, in an encrypted backup, sealed blocks of it:
//
//   "TPSEAL02" | blocks
//   block   u32 magic "BLCK" | u32 number, from 0 | u32 plain octets | u32 stored octets | u32 key |
//           u32 CRC-32C of the stored octets | u8 codec | 3 zero | u32 CRC-32C of the header so far |
//           stored octets: a run of store/body_codec.h
//
// Block n has the text from n * kBlockOctets on; every block but the last has so many. A block is
// found by its magic where the one before it is damaged, so that damage costs a block and no more;
// they are small for that reason. Numbers are little-endian. Blocking; one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/body_codec.h"
#include "tools/twinpost/backup/files.h"
#include "tools/twinpost/backup/format.h"

namespace twinpost::tools::backup {

class ManifestWriter {
 public:
  static constexpr std::size_t kBlockOctets = 16 * 1024;

  // Sealed where `coder` encrypts; it outlives the writer.
  [[nodiscard]] static Result<ManifestWriter> create(const std::string& path,
                                                     const store::BodyCoder& coder);
  [[nodiscard]] Result<void> append(std::string_view text);
  // Line ends up to the end of a block, so that what follows is not lost with what was before.
  [[nodiscard]] Result<void> end_block();
  [[nodiscard]] std::uint64_t size() const { return text_octets_; }  // of the text

  struct Written {
    std::uint64_t octets = 0;  // of the file
    Sha256Digest sha256{};
  };
  [[nodiscard]] Result<Written> finish();  // once; on the disk then

 private:
  ManifestWriter(File file, const store::BodyCoder& coder)
      : out_(std::move(file), 0), coder_(&coder) {}
  [[nodiscard]] Result<void> put(std::string_view octets);
  [[nodiscard]] Result<void> seal_block();

  Appender out_;
  const store::BodyCoder* coder_;
  std::string block_;
  std::uint32_t blocks_ = 0;
  std::uint64_t text_octets_ = 0;
  Sha256 hash_;
};

class ManifestReader {
 public:
  // kPermission where it is encrypted with a key that is not there. Damage is no error.
  [[nodiscard]] static Result<ManifestReader> open(const std::string& path, bool sealed,
                                                   const store::BodyCoder& coder);
  // Of the text, as far as the file goes.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  // Appends exactly these octets of the text, which lie within size(). What can't be read is line
  // ends: whatever line it was in does not pass its check.
  void read(std::uint64_t offset, std::uint64_t length, std::string& out);

 private:
  struct Block {
    std::uint64_t at = 0;  // of its stored octets in the file
    std::uint32_t number = 0;
    std::uint32_t plain = 0;
    std::uint32_t stored = 0;
    std::uint32_t crc32c = 0;
    store::KeyId key{};
    store::Codec codec = store::Codec::kPlain;
  };
  ManifestReader(File file, const store::BodyCoder& coder)
      : file_(std::move(file)), coder_(&coder) {}
  [[nodiscard]] Result<void> find_blocks();
  [[nodiscard]] std::optional<Block> block_at(std::uint64_t at, std::uint64_t end) const;
  [[nodiscard]] Result<std::string> read_block(const Block& block) const;
  void load_block(std::uint64_t number);
  void read_plain(std::uint64_t offset, std::uint64_t length, std::string& out) const;

  File file_;
  const store::BodyCoder* coder_;
  bool sealed_ = false;
  std::uint64_t size_ = 0;
  std::vector<Block> blocks_;  // by number
  std::uint64_t loaded_ = ~std::uint64_t{0};
  std::string block_;
};

// The lines of a part of a manifest, one after the other.
class LineReader {
 public:
  LineReader(ManifestReader& manifest, std::uint64_t offset, std::uint64_t octets);
  // Without its line end; good until the next call. nullopt at the end. Empty lines are passed over.
  [[nodiscard]] std::optional<std::string_view> next();
  // Of the line that next() gave.
  [[nodiscard]] std::uint64_t offset() const { return line_; }

 private:
  [[nodiscard]] std::optional<std::string_view> next_line();

  ManifestReader& manifest_;
  std::uint64_t next_;  // what is to be read into the buffer next
  std::uint64_t end_;
  std::uint64_t line_ = 0;
  std::string buffer_;
  std::size_t taken_ = 0;  // of the buffer
};

}  // namespace twinpost::tools::backup
