// Files of a backup: written so that after a power cut they are there whole or not at all, and
// never larger in memory than they may be. Blocking; one thread. Errors name the file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/encoding.h"
#include "core/base/error.h"

namespace twinpost::tools::backup {

// An open file; closed with the object.
class File {
 public:
  File() = default;
  explicit File(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~File();
  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
  File& operator=(File&& other) noexcept;

  [[nodiscard]] static Result<File> open(const std::string& path, int flags);
  // Without a name, in `folder`: gone with the object.
  [[nodiscard]] static Result<File> temporary(const std::string& folder);

  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] Result<std::uint64_t> size() const;
  [[nodiscard]] Result<void> write_at(std::uint64_t offset, std::string_view octets);
  // Exactly `length` octets, put in place of what `out` has; kCorrupt where the file ends before.
  [[nodiscard]] Result<void> read_at(std::uint64_t offset, std::size_t length,
                                     std::string& out) const;
  [[nodiscard]] Result<void> truncate(std::uint64_t size);
  [[nodiscard]] Result<void> sync();

 private:
  int fd_ = -1;
  std::string path_;
};

// Octets that are appended to a file by way of a buffer.
class Appender {
 public:
  Appender(File file, std::uint64_t at) : file_(std::move(file)), flushed_(at) {}
  [[nodiscard]] Result<void> append(std::string_view octets);
  [[nodiscard]] Result<void> flush();
  [[nodiscard]] std::uint64_t size() const { return flushed_ + buffer_.size(); }
  [[nodiscard]] File& file() { return file_; }

 private:
  static constexpr std::size_t kBuffer = 256 * 1024;
  File file_;
  std::uint64_t flushed_;
  std::string buffer_;
};

[[nodiscard]] Result<void> make_folder(const std::string& path);  // 0700; may be there already
[[nodiscard]] Result<void> sync_folder(const std::string& path);
[[nodiscard]] Result<void> rename_file(const std::string& from, const std::string& to);
// What is not there is removed already.
[[nodiscard]] Result<void> remove_tree(const std::string& path);
[[nodiscard]] Result<std::vector<std::string>> names_in(const std::string& folder);  // sorted
[[nodiscard]] bool exists(const std::string& path);

// A small text file that ends with the line {"sha256":"..."} over all that stands before it, and a
// copy of it beside it, PATH.copy. Each is written under another name first, and synced.
[[nodiscard]] Result<void> write_sealed_text(const std::string& path, std::string_view text);

struct SealedText {
  std::string text;     // without the last line
  std::string problem;  // where the file or its copy is not as it should be
};
// kNotFound; kCorrupt where neither's checksum fits; kTooLarge over `limit`.
[[nodiscard]] Result<SealedText> read_sealed_text(const std::string& path, std::size_t limit);
[[nodiscard]] std::string copy_of(const std::string& path);

[[nodiscard]] std::string hex(const Sha256Digest& digest);
[[nodiscard]] Sha256Digest sha256(std::string_view octets);

}  // namespace twinpost::tools::backup
