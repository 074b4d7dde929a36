#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

#include "store/prepare.h"
#include "store/spool_file.h"

namespace twinpost::store {

namespace {

// In the file, octets are gathered to pieces of this size.
constexpr std::size_t kWriteOctets = 256 * 1024;

}  // namespace

struct Spool::Impl {
  std::string folder;
  std::uint64_t limit = 0;
  std::uint64_t size = 0;  // canonical octets so far
  char last = '\0';        // the last of them
  bool finished = false;
  std::optional<Error> failure;  // what every later call says
  std::string memory;            // all of it, or what is not yet in the file
  int fd = -1;
  char* mapped = nullptr;

  Impl(std::string the_folder, std::uint64_t the_limit)
      : folder(std::move(the_folder)), limit(the_limit) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (mapped != nullptr) ::munmap(mapped, static_cast<std::size_t>(size));
    if (fd >= 0) ::close(fd);
  }

  Result<void> refuse(Error error) {
    memory.clear();
    memory.shrink_to_fit();
    if (fd >= 0) ::close(fd);  // gives the disk space back at once
    fd = -1;
    failure = std::move(error);
    return tl::unexpected(*failure);
  }

  // Takes canonical octets.
  Result<void> keep(std::string_view octets) {
    if (octets.empty()) return {};
    if (limit != 0 && octets.size() > limit - size) {
      return refuse({ErrorCode::kTooLarge,
                     "the message is larger than " + std::to_string(limit) + " octets"});
    }
    size += octets.size();
    last = octets.back();
    if (fd < 0 && memory.size() + octets.size() > kSpoolMemory) {
      if (auto opened = open_file(); !opened) return opened;
    }
    memory.append(octets);
    if (fd >= 0 && memory.size() >= kWriteOctets) return flush();
    return {};
  }

  Result<void> open_file() {
    auto opened = open_spool_file(folder);
    if (!opened) return refuse(std::move(opened.error()));
    fd = *opened;
    return {};
  }

  Result<void> flush() {
    auto written = write_spool_file(fd, memory, folder);
    if (!written) return refuse(std::move(written.error()));
    memory.clear();
    return {};
  }
};

Spool::Spool(std::string folder, std::uint64_t limit_octets)
    : impl_(std::make_unique<Impl>(std::move(folder), limit_octets)) {}
Spool::~Spool() = default;
Spool::Spool(Spool&&) noexcept = default;
Spool& Spool::operator=(Spool&&) noexcept = default;

// Every LF that does not follow a CR gets one; the last octet kept tells, so that it may have come
// in an earlier piece.
Result<void> Spool::append(std::string_view octets) {
  Impl& spool = *impl_;
  if (spool.failure) return tl::unexpected(*spool.failure);
  if (spool.finished) return fail(ErrorCode::kInternal, "append to a finished spool");
  std::size_t run_begin = 0;
  for (std::size_t at = 0; at < octets.size(); ++at) {
    const void* found = std::memchr(octets.data() + at, '\n', octets.size() - at);
    if (found == nullptr) break;
    at = static_cast<std::size_t>(static_cast<const char*>(found) - octets.data());
    const char before = at > 0 ? octets[at - 1] : (spool.size > 0 ? spool.last : '\0');
    if (before == '\r') continue;
    if (auto kept = spool.keep(octets.substr(run_begin, at - run_begin)); !kept) return kept;
    if (auto kept = spool.keep("\r"); !kept) return kept;
    run_begin = at;
  }
  return spool.keep(octets.substr(run_begin));
}

bool Spool::needs_worker(std::size_t octets) const {
  // Each of them may be a bare LF, which takes two; and finish() may add two more.
  return impl_->fd >= 0 || octets >= kSpoolMemory ||
         impl_->memory.size() + 2 * octets + 2 > kSpoolMemory;
}

Result<void> Spool::finish() {
  Impl& spool = *impl_;
  if (spool.failure) return tl::unexpected(*spool.failure);
  if (spool.finished) return {};
  // In canonical octets an LF is always half of a CRLF.
  if (spool.size > 0 && spool.last != '\n') {
    if (auto kept = spool.keep("\r\n"); !kept) return kept;
  }
  if (spool.fd >= 0) {
    if (auto flushed = spool.flush(); !flushed) return flushed;
    spool.memory.shrink_to_fit();
  }
  spool.finished = true;
  return {};
}

std::uint64_t Spool::size() const { return impl_->size; }

const std::string& Spool::folder() const { return impl_->folder; }

Result<std::string_view> Spool::view() const {
  Impl& spool = *impl_;
  if (spool.failure) return tl::unexpected(*spool.failure);
  if (!spool.finished) return fail(ErrorCode::kInternal, "view of an unfinished spool");
  if (spool.fd < 0) return std::string_view(spool.memory);
  if (spool.mapped == nullptr) {
    void* mapped =
        ::mmap(nullptr, static_cast<std::size_t>(spool.size), PROT_READ, MAP_SHARED, spool.fd, 0);
    if (mapped == MAP_FAILED) return tl::unexpected(spool_error(spool.folder, errno));
    spool.mapped = static_cast<char*>(mapped);
  }
  return std::string_view(spool.mapped, static_cast<std::size_t>(spool.size));
}

}  // namespace twinpost::store
