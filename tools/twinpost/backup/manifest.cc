#include "tools/twinpost/backup/manifest.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>

#include "store/codec.h"

namespace twinpost::tools::backup {

namespace {

constexpr std::string_view kBegins = "TPSEAL01";
constexpr std::string_view kEnds = "TPSEALED";
constexpr std::string_view kBlockMagic = "BLCK";
constexpr std::size_t kBlockHeader = 24;
constexpr std::size_t kTrailer = 8 + 32;
constexpr std::size_t kReadAhead = 256 * 1024;
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

tl::unexpected<Error> damaged(const File& file) {
  return fail(ErrorCode::kCorrupt, file.path() + " is damaged");
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

Result<void> ManifestWriter::seal_block() {
  if (block_.empty()) return {};
  auto encoded = coder_->encode(block_);
  if (!encoded) return tl::unexpected(encoded.error());
  std::string header(kBlockMagic);
  put32(header, static_cast<std::uint32_t>(block_.size()));
  put32(header, static_cast<std::uint32_t>(encoded->octets.size()));
  put32(header, encoded->key.value());
  put32(header, crc32c(0, encoded->octets));
  header += static_cast<char>(encoded->codec);
  header.append(3, '\0');
  auto done = put(header);
  if (done) done = put(encoded->octets);
  block_.clear();
  return done;
}

Result<ManifestWriter::Written> ManifestWriter::finish() {
  Written written;
  if (coder_->encrypts()) {
    auto done = seal_block();
    if (done) done = put(kEnds);
    if (!done) return tl::unexpected(done.error());
    Sha256 so_far = hash_;
    const Sha256Digest digest = so_far.finish();
    done = put({reinterpret_cast<const char*>(digest.data()), digest.size()});
    if (!done) return tl::unexpected(done.error());
  }
  auto done = out_.flush();
  if (done) done = out_.file().sync();
  if (!done) return tl::unexpected(done.error());
  written.octets = out_.size();
  written.sha256 = hash_.finish();
  return written;
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

Result<void> ManifestReader::find_blocks() {
  const auto whole = file_.size();
  if (!whole) return tl::unexpected(whole.error());
  if (*whole < kBegins.size() + kTrailer) return damaged(file_);
  std::string octets;
  if (auto read = file_.read_at(0, kBegins.size(), octets); !read) return read;
  if (octets != kBegins) return damaged(file_);
  const std::uint64_t end = *whole - kTrailer;
  if (auto read = file_.read_at(end, kEnds.size(), octets); !read) return read;
  if (octets != kEnds) return damaged(file_);
  for (std::uint64_t at = kBegins.size(); at < end;) {
    if (end - at < kBlockHeader) return damaged(file_);
    if (auto read = file_.read_at(at, kBlockHeader, octets); !read) return read;
    Block block;
    block.at = at + kBlockHeader;
    block.plain = get32(octets, 4);
    block.stored = get32(octets, 8);
    block.key = store::KeyId(get32(octets, 12));
    block.crc32c = get32(octets, 16);
    const auto codec = static_cast<std::uint8_t>(octets[20]);
    block.codec = static_cast<store::Codec>(codec);
    const bool is_last = block.at + block.stored == end;
    const bool fits = is_last ? block.plain > 0 && block.plain <= ManifestWriter::kBlockOctets
                              : block.plain == ManifestWriter::kBlockOctets;
    if (!octets.starts_with(kBlockMagic) || !fits || block.stored > kLargestStored || codec > 3 ||
        block.stored > end - block.at) {
      return damaged(file_);
    }
    size_ += block.plain;
    at = block.at + block.stored;
    blocks_.push_back(block);
  }
  return {};
}

Result<void> ManifestReader::load_block(std::size_t number) {
  if (number == loaded_) return {};
  const Block& block = blocks_[number];
  std::string stored;
  if (auto read = file_.read_at(block.at, block.stored, stored); !read) return read;
  if (crc32c(0, stored) != block.crc32c) return damaged(file_);
  if (block.codec != store::Codec::kPlain) {
    auto plain = coder_->decode_whole(block.codec, block.key, stored, block.plain);
    if (!plain) return fail(plain.error().code, file_.path() + ": " + plain.error().message);
    stored = *std::move(plain);
  }
  if (stored.size() != block.plain) return damaged(file_);
  block_ = std::move(stored);
  loaded_ = number;
  return {};
}

Result<void> ManifestReader::read(std::uint64_t offset, std::uint64_t length, std::string& out) {
  if (offset > size_ || length > size_ - offset) return damaged(file_);
  if (!sealed_) {
    std::string part;
    if (auto read = file_.read_at(offset, static_cast<std::size_t>(length), part); !read) {
      return read;
    }
    out += part;
    return {};
  }
  while (length > 0) {
    const auto number = static_cast<std::size_t>(offset / ManifestWriter::kBlockOctets);
    const auto within = static_cast<std::size_t>(offset % ManifestWriter::kBlockOctets);
    if (auto loaded = load_block(number); !loaded) return loaded;
    const auto take =
        static_cast<std::size_t>(std::min<std::uint64_t>(length, block_.size() - within));
    out.append(block_, within, take);
    offset += take;
    length -= take;
  }
  return {};
}

Result<std::optional<std::string_view>> LineReader::next() {
  for (std::size_t from = taken_;;) {
    const auto line_end = buffer_.find('\n', from);
    if (line_end != std::string::npos) {
      const std::string_view line = std::string_view(buffer_).substr(taken_, line_end - taken_);
      line_ = next_ - (buffer_.size() - taken_);
      taken_ = line_end + 1;
      return line;
    }
    buffer_.erase(0, taken_);
    taken_ = 0;
    if (next_ == end_) {
      if (buffer_.empty()) return std::nullopt;
      return fail(ErrorCode::kCorrupt, "a manifest ends within a line");
    }
    if (buffer_.size() > kLargestLine) {
      return fail(ErrorCode::kCorrupt, "a manifest has a line that is longer than any can be");
    }
    from = buffer_.size();
    const std::uint64_t part = std::min<std::uint64_t>(kReadAhead, end_ - next_);
    if (auto read = manifest_.read(next_, part, buffer_); !read) {
      return tl::unexpected(read.error());
    }
    next_ += part;
  }
}

}  // namespace twinpost::tools::backup
