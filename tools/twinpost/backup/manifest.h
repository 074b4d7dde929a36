// The manifest of a generation as a text that is written once and read at any place, whether the
// file is that text or, in an encrypted backup, sealed blocks of it:
//
//   "TPSEAL01" | blocks | "TPSEALED" | SHA-256 of all before
//   block   u32 magic "BLCK" | u32 plain octets | u32 stored octets | u32 key |
//           u32 CRC-32C of the stored octets | u8 codec | 3 zero |
//           stored octets: a run of store/body_codec.h
//
// Every block but the last has kBlockOctets plain ones. Numbers are little-endian. Blocking; one
// thread.
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
  static constexpr std::size_t kBlockOctets = 1024 * 1024;

  // Sealed where `coder` encrypts; it outlives the writer.
  [[nodiscard]] static Result<ManifestWriter> create(const std::string& path,
                                                     const store::BodyCoder& coder);
  [[nodiscard]] Result<void> append(std::string_view text);
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
  std::uint64_t text_octets_ = 0;
  Sha256 hash_;
};

class ManifestReader {
 public:
  [[nodiscard]] static Result<ManifestReader> open(const std::string& path, bool sealed,
                                                   const store::BodyCoder& coder);
  [[nodiscard]] std::uint64_t size() const { return size_; }
  // Exactly these octets of the text, appended to `out`. kCorrupt where it has not so many.
  [[nodiscard]] Result<void> read(std::uint64_t offset, std::uint64_t length, std::string& out);

 private:
  struct Block {
    std::uint64_t at = 0;  // of its stored octets in the file
    std::uint32_t plain = 0;
    std::uint32_t stored = 0;
    std::uint32_t crc32c = 0;
    store::KeyId key{};
    store::Codec codec = store::Codec::kPlain;
  };
  ManifestReader(File file, const store::BodyCoder& coder)
      : file_(std::move(file)), coder_(&coder) {}
  [[nodiscard]] Result<void> find_blocks();
  [[nodiscard]] Result<void> load_block(std::size_t number);

  File file_;
  const store::BodyCoder* coder_;
  bool sealed_ = false;
  std::uint64_t size_ = 0;
  std::vector<Block> blocks_;
  std::size_t loaded_ = ~std::size_t{0};
  std::string block_;
};

// The lines of a part of a manifest, one after the other.
class LineReader {
 public:
  LineReader(ManifestReader& manifest, std::uint64_t offset, std::uint64_t octets)
      : manifest_(manifest), next_(offset), end_(offset + octets) {}
  // Without its line end; good until the next call. nullopt at the end. kCorrupt where a line does
  // not end.
  [[nodiscard]] Result<std::optional<std::string_view>> next();
  // Of the line that next() gave.
  [[nodiscard]] std::uint64_t offset() const { return line_; }

 private:
  ManifestReader& manifest_;
  std::uint64_t next_;  // what is to be read into the buffer next
  std::uint64_t end_;
  std::uint64_t line_ = 0;
  std::string buffer_;
  std::size_t taken_ = 0;  // of the buffer
};

}  // namespace twinpost::tools::backup
