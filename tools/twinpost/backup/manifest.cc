#include "tools/twinpost/backup/manifest.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>

#include "store/codec.h"

namespace twinpost::tools::backup {

namespace {

constexpr std::string_view kBegins = "TPSEAL02";
constexpr std::string_view kBlockMagic = "BLCK";
constexpr std::size_t kHeaderChecked = 28;
constexpr std::size_t kBlockHeader = kHeaderChecked + 4;
constexpr std::size_t kReadAhead = 256 * 1024;
constexpr std::size_t kSector = 4096;
// A sealed block is a little larger than what is in it.
constexpr std::uint32_t kLargestStored = 2 * ManifestWriter::kBlockOctets;

void put32(std::string& out, std::uint32_t value) {
  const std::uint32_t stored = store::little_endian(value);
  out.append(reinterpret_cast<const char*>(&stored), sizeof(stored));
}

std::uint32_t get32(std::string_view octets, std::size_t at) {
  std::uint32_t value = 0;
  std::memcpy(&value, octets.data() + at, sizeof(value));
  return store::little_endian(value);
}

// Where a block may begin at or after `from`; `end` where none does.
std::uint64_t find_magic(const File& file, std::uint64_t from, std::uint64_t end) {
  std::string window;
  while (from + kBlockHeader <= end) {
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(kReadAhead, end - from));
    if (!file.read_at(from, length, window)) {
      from += std::min<std::uint64_t>(kSector, length);
      continue;
    }
    const auto found = window.find(kBlockMagic);
    if (found != std::string::npos) return from + found;
    from += length - (kBlockMagic.size() - 1);
  }
  return end;
}

}  // namespace

Result<ManifestWriter> ManifestWriter::create(const std::string& path,
                                              const store::BodyCoder& coder) {
  auto file = File::open(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (!file) return tl::unexpected(file.error());
  ManifestWriter writer(*std::move(file), coder);
  if (coder.encrypts()) {
    if (auto begun = writer.put(kBegins); !begun) return tl::unexpected(begun.error());
  }
  return writer;
}

Result<void> ManifestWriter::put(std::string_view octets) {
  hash_.update(octets);
  return out_.append(octets);
}

Result<void> ManifestWriter::append(std::string_view text) {
  text_octets_ += text.size();
  if (!coder_->encrypts()) return put(text);
  while (!text.empty()) {
    const std::string_view part = text.substr(0, kBlockOctets - block_.size());
    block_ += part;
    text.remove_prefix(part.size());
    if (block_.size() < kBlockOctets) break;
    if (auto sealed = seal_block(); !sealed) return sealed;
  }
  return {};
}

Result<void> ManifestWriter::end_block() {
  if (block_.empty()) return {};
  return append(std::string(kBlockOctets - block_.size(), '\n'));
}

Result<void> ManifestWriter::seal_block() {
  if (block_.empty()) return {};
  auto encoded = coder_->encode(block_);
  if (!encoded) return tl::unexpected(encoded.error());
  std::string header(kBlockMagic);
  put32(header, blocks_++);
  put32(header, static_cast<std::uint32_t>(block_.size()));
  put32(header, static_cast<std::uint32_t>(encoded->octets.size()));
  put32(header, encoded->key.value());
  put32(header, crc32c(0, encoded->octets));
  header += static_cast<char>(encoded->codec);
  header.append(3, '\0');
  put32(header, crc32c(0, header));
  auto done = put(header);
  if (done) done = put(encoded->octets);
  block_.clear();
  return done;
}

Result<ManifestWriter::Written> ManifestWriter::finish() {
  auto done = coder_->encrypts() ? seal_block() : Result<void>{};
  if (done) done = out_.flush();
  if (done) done = out_.file().sync();
  if (!done) return tl::unexpected(done.error());
  return Written{out_.size(), hash_.finish()};
}

Result<ManifestReader> ManifestReader::open(const std::string& path, bool sealed,
                                            const store::BodyCoder& coder) {
  auto file = File::open(path, O_RDONLY);
  if (!file) return tl::unexpected(file.error());
  ManifestReader reader(*std::move(file), coder);
  reader.sealed_ = sealed;
  if (sealed) {
    if (auto found = reader.find_blocks(); !found) return tl::unexpected(found.error());
    return reader;
  }
  const auto size = reader.file_.size();
  if (!size) return tl::unexpected(size.error());
  reader.size_ = *size;
  return reader;
}

std::optional<ManifestReader::Block> ManifestReader::block_at(std::uint64_t at,
                                                              std::uint64_t end) const {
  std::string header;
  if (end - at < kBlockHeader || !file_.read_at(at, kBlockHeader, header)) return std::nullopt;
  const std::string_view said = std::string_view(header).substr(0, kHeaderChecked);
  if (!said.starts_with(kBlockMagic) || get32(header, kHeaderChecked) != crc32c(0, said)) {
    return std::nullopt;
  }
  Block block;
  block.at = at + kBlockHeader;
  block.number = get32(header, 4);
  block.plain = get32(header, 8);
  block.stored = get32(header, 12);
  block.key = store::KeyId(get32(header, 16));
  block.crc32c = get32(header, 20);
  const auto codec = static_cast<std::uint8_t>(header[24]);
  block.codec = static_cast<store::Codec>(codec);
  const bool fits = block.plain > 0 && block.plain <= ManifestWriter::kBlockOctets &&
                    block.stored <= kLargestStored && codec <= 3 && block.stored <= end - block.at;
  // There can't be more blocks than there are headers.
  const bool is_one_of_them = block.number < end / kBlockHeader;
  if (!fits || !is_one_of_them) return std::nullopt;
  return block;
}

Result<void> ManifestReader::find_blocks() {
  const auto whole = file_.size();
  if (!whole) return tl::unexpected(whole.error());
  for (std::uint64_t at = std::min<std::uint64_t>(kBegins.size(), *whole); at < *whole;) {
    const auto block = block_at(at, *whole);
    if (!block) {
      at = find_magic(file_, at + 1, *whole);
      continue;
    }
    // All of them have the one key that was current then.
    const auto known = coder_->name_of(Sha256Digest{}, block->codec, block->key);
    if (!known) return fail(known.error().code, file_.path() + ": " + known.error().message);
    size_ =
        std::max(size_, std::uint64_t{block->number} * ManifestWriter::kBlockOctets + block->plain);
    at = block->at + block->stored;
    blocks_.push_back(*block);
  }
  std::stable_sort(blocks_.begin(), blocks_.end(), [](const Block& left, const Block& right) {
    return left.number < right.number;
  });
  return {};
}

Result<std::string> ManifestReader::read_block(const Block& block) const {
  std::string stored;
  if (auto read = file_.read_at(block.at, block.stored, stored); !read) {
    return tl::unexpected(read.error());
  }
  if (crc32c(0, stored) != block.crc32c) return fail(ErrorCode::kCorrupt, file_.path());
  if (block.codec == store::Codec::kPlain) return stored;
  return coder_->decode_whole(block.codec, block.key, stored, block.plain);
}

void ManifestReader::load_block(std::uint64_t number) {
  if (number == loaded_) return;
  loaded_ = number;
  block_.clear();
  const auto found =
      std::lower_bound(blocks_.begin(), blocks_.end(), number,
                       [](const Block& block, std::uint64_t n) { return block.number < n; });
  if (found != blocks_.end() && found->number == number) {
    if (auto text = read_block(*found); text && text->size() == found->plain) {
      block_ = *std::move(text);
    }
  }
  block_.resize(ManifestWriter::kBlockOctets, '\n');
}

void ManifestReader::read_plain(std::uint64_t offset, std::uint64_t length,
                                std::string& out) const {
  std::string part;
  if (file_.read_at(offset, static_cast<std::size_t>(length), part)) {
    out += part;
    return;
  }
  // A bad place of the disk, mostly: what is beside it can be read.
  while (length > 0) {
    const std::uint64_t step = std::min<std::uint64_t>(kSector - offset % kSector, length);
    if (file_.read_at(offset, static_cast<std::size_t>(step), part)) {
      out += part;
    } else {
      out.append(static_cast<std::size_t>(step), '\n');
    }
    offset += step;
    length -= step;
  }
}

void ManifestReader::read(std::uint64_t offset, std::uint64_t length, std::string& out) {
  if (!sealed_) return read_plain(offset, length, out);
  while (length > 0) {
    const auto within = static_cast<std::size_t>(offset % ManifestWriter::kBlockOctets);
    load_block(offset / ManifestWriter::kBlockOctets);
    const auto take =
        static_cast<std::size_t>(std::min<std::uint64_t>(length, block_.size() - within));
    out.append(block_, within, take);
    offset += take;
    length -= take;
  }
}

LineReader::LineReader(ManifestReader& manifest, std::uint64_t offset, std::uint64_t octets)
    : manifest_(manifest),
      next_(std::min(offset, manifest.size())),
      end_(next_ + std::min(octets, manifest.size() - next_)) {}

std::optional<std::string_view> LineReader::next() {
  for (;;) {
    auto line = next_line();
    if (!line || !line->empty()) return line;
  }
}

std::optional<std::string_view> LineReader::next_line() {
  for (std::size_t from = taken_;;) {
    const auto line_end = buffer_.find('\n', from);
    // What is longer than any line can be is damage, and no reason to take more memory.
    const bool is_too_long =
        line_end == std::string::npos && buffer_.size() - taken_ > kLargestLine;
    const bool is_cut_off = line_end == std::string::npos && next_ == end_;
    if (line_end != std::string::npos || is_too_long || (is_cut_off && taken_ < buffer_.size())) {
      const std::size_t line = std::min(line_end, buffer_.size());
      const std::string_view text = std::string_view(buffer_).substr(taken_, line - taken_);
      line_ = next_ - (buffer_.size() - taken_);
      taken_ = std::min(line + 1, buffer_.size());
      return text;
    }
    if (is_cut_off) return std::nullopt;
    buffer_.erase(0, taken_);
    taken_ = 0;
    from = buffer_.size();
    const std::uint64_t part = std::min<std::uint64_t>(kReadAhead, end_ - next_);
    manifest_.read(next_, part, buffer_);
    next_ += part;
  }
}

}  // namespace twinpost::tools::backup
