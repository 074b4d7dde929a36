#include "tools/twinpost/backup/files.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace twinpost::tools::backup {

namespace {

constexpr std::string_view kSealBegins = "{\"sha256\":\"";
constexpr std::string_view kSealEnds = "\"}\n";
constexpr std::size_t kSealOctets = kSealBegins.size() + 64 + kSealEnds.size();

tl::unexpected<Error> failed_with(const std::string& path, int error_number) {
  return tl::unexpected(system_error(path, error_number));
}

tl::unexpected<Error> failed_with(const std::string& path, const std::error_code& error) {
  return failed_with(path, error.value());
}

}  // namespace

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

File& File::operator=(File&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  return *this;
}

Result<File> File::open(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return failed_with(path, errno);
  return File(fd, path);
}

Result<File> File::temporary(const std::string& folder) {
  std::string path = folder + "/temporary-XXXXXX";
  const int fd = ::mkostemp(path.data(), O_CLOEXEC);
  if (fd < 0) return failed_with(path, errno);
  if (::unlink(path.c_str()) != 0) {
    const int error = errno;
    ::close(fd);
    return failed_with(path, error);
  }
  return File(fd, path);
}

Result<std::uint64_t> File::size() const {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return failed_with(path_, errno);
  return static_cast<std::uint64_t>(status.st_size);
}

Result<void> File::write_at(std::uint64_t offset, std::string_view octets) {
  while (!octets.empty()) {
    const ssize_t done = ::pwrite(fd_, octets.data(), octets.size(), static_cast<off_t>(offset));
    if (done < 0) {
      if (errno == EINTR) continue;
      return failed_with(path_, errno);
    }
    octets.remove_prefix(static_cast<std::size_t>(done));
    offset += static_cast<std::uint64_t>(done);
  }
  return {};
}

Result<void> File::read_at(std::uint64_t offset, std::size_t length, std::string& out) const {
  // A length that a damaged file claims is looked at before memory is taken for it.
  const auto whole = size();
  if (!whole) return tl::unexpected(whole.error());
  if (offset > *whole || length > *whole - offset) {
    return fail(ErrorCode::kCorrupt, path_ + " ends too early");
  }
  out.resize(length);
  std::size_t have = 0;
  while (have < length) {
    const ssize_t done =
        ::pread(fd_, out.data() + have, length - have, static_cast<off_t>(offset + have));
    if (done < 0) {
      if (errno == EINTR) continue;
      return failed_with(path_, errno);
    }
    if (done == 0) return fail(ErrorCode::kCorrupt, path_ + " ends too early");
    have += static_cast<std::size_t>(done);
  }
  return {};
}

Result<void> File::truncate(std::uint64_t size) {
  if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) return failed_with(path_, errno);
  return {};
}

Result<void> File::sync() {
  if (::fsync(fd_) != 0) return failed_with(path_, errno);
  return {};
}

Result<void> Appender::append(std::string_view octets) {
  if (buffer_.size() + octets.size() > kBuffer) {
    if (auto done = flush(); !done) return done;
  }
  if (octets.size() >= kBuffer) {
    if (auto done = file_.write_at(flushed_, octets); !done) return done;
    flushed_ += octets.size();
    return {};
  }
  buffer_ += octets;
  return {};
}

Result<void> Appender::flush() {
  if (buffer_.empty()) return {};
  if (auto done = file_.write_at(flushed_, buffer_); !done) return done;
  flushed_ += buffer_.size();
  buffer_.clear();
  return {};
}

Result<void> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return failed_with(path, errno);
}

Result<void> sync_folder(const std::string& path) {
  auto folder = File::open(path, O_RDONLY | O_DIRECTORY);
  if (!folder) return tl::unexpected(folder.error());
  return folder->sync();
}

Result<void> rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return failed_with(from, errno);
  return {};
}

Result<void> remove_tree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return failed_with(path, error);
  return {};
}

Result<std::vector<std::string>> names_in(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> names;
  std::filesystem::directory_iterator at(folder, error);
  while (!error && at != std::filesystem::directory_iterator()) {
    names.push_back(at->path().filename().string());
    at.increment(error);
  }
  if (error) return failed_with(folder, error);
  std::sort(names.begin(), names.end());
  return names;
}

bool exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

namespace {

Result<void> write_one(const std::string& path, std::string_view text) {
  const std::string temporary = path + ".new";
  auto file = File::open(temporary, O_WRONLY | O_CREAT | O_TRUNC);
  if (!file) return tl::unexpected(file.error());
  std::string octets(text);
  octets += kSealBegins;
  octets += hex(sha256(text));
  octets += kSealEnds;
  auto done = file->write_at(0, octets);
  if (done) done = file->sync();
  if (done) done = rename_file(temporary, path);
  if (done) done = sync_folder(std::filesystem::path(path).parent_path().string());
  return done;
}

Result<std::string> read_one(const std::string& path, std::size_t limit) {
  auto file = File::open(path, O_RDONLY);
  if (!file) return tl::unexpected(file.error());
  const auto size = file->size();
  if (!size) return tl::unexpected(size.error());
  if (*size > limit) return fail(ErrorCode::kTooLarge, path + " is larger than such a file can be");
  if (*size < kSealOctets) return fail(ErrorCode::kCorrupt, path + " is cut short");
  std::string octets;
  auto read = file->read_at(0, static_cast<std::size_t>(*size), octets);
  if (!read) return tl::unexpected(read.error());
  const std::string_view seal = std::string_view(octets).substr(octets.size() - kSealOctets);
  const std::string_view text = std::string_view(octets).substr(0, octets.size() - kSealOctets);
  if (!seal.starts_with(kSealBegins) || !seal.ends_with(kSealEnds) ||
      seal.substr(kSealBegins.size(), 64) != hex(sha256(text))) {
    return fail(ErrorCode::kCorrupt, path + " does not match its checksum");
  }
  return std::string(text);
}

}  // namespace

std::string copy_of(const std::string& path) { return path + ".copy"; }

Result<void> write_sealed_text(const std::string& path, std::string_view text) {
  auto done = write_one(path, text);
  if (done) done = write_one(copy_of(path), text);
  return done;
}

Result<SealedText> read_sealed_text(const std::string& path, std::size_t limit) {
  auto text = read_one(path, limit);
  auto copy = read_one(copy_of(path), limit);
  if (!text && !copy) {
    const bool is_gone = text.error().code == ErrorCode::kNotFound;
    return tl::unexpected(is_gone ? copy.error() : text.error());
  }
  if (!text) return SealedText{*std::move(copy), text.error().message + ": its copy is read"};
  if (!copy) return SealedText{*std::move(text), copy.error().message};
  std::string problem = *text == *copy ? "" : copy_of(path) + " is another one's copy";
  return SealedText{*std::move(text), std::move(problem)};
}

std::string hex(const Sha256Digest& digest) {
  return hex_encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

Sha256Digest sha256(std::string_view octets) {
  Sha256 hash;
  hash.update(octets);
  return hash.finish();
}

}  // namespace twinpost::tools::backup
