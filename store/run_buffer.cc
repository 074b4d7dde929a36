#include "store/run_buffer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

#include "store/spool_file.h"

namespace twinpost::store {

namespace {

// In the file, octets are gathered to pieces of about this size.
constexpr std::size_t kWriteOctets = 256 * 1024;

}  // namespace

Result<RunBuffer> RunBuffer::make(std::uint64_t expected, const RunPlace& place) {
  RunBuffer buffer;
  if (expected > place.most_in_memory && !place.folder.empty()) {
    auto opened = open_spool_file(place.folder);
    if (!opened) return tl::unexpected(std::move(opened.error()));
    buffer.fd_ = *opened;
    buffer.folder_ = place.folder;
  }
  return buffer;
}

RunBuffer::RunBuffer(RunBuffer&& other) noexcept
    : folder_(std::move(other.folder_)),
      fd_(std::exchange(other.fd_, -1)),
      written_(other.written_),
      memory_(std::move(other.memory_)) {}

RunBuffer::~RunBuffer() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> RunBuffer::append(std::string_view octets) {
  memory_.append(octets);
  return fd_ >= 0 && memory_.size() >= kWriteOctets ? flush() : Result<void>{};
}

Result<void> RunBuffer::flush() {
  if (auto written = write_spool_file(fd_, memory_, folder_); !written) return written;
  written_ += memory_.size();
  memory_.clear();
  return {};
}

Result<RunBuffer::Run> RunBuffer::finish(std::string_view front) {
  if (fd_ < 0) {
    std::copy(front.begin(), front.end(), memory_.begin());
    auto owner = std::make_shared<const std::string>(std::move(memory_));
    const std::string_view octets = *owner;
    return Run{std::move(owner), octets};
  }
  if (auto flushed = flush(); !flushed) return tl::unexpected(std::move(flushed.error()));
  if (::lseek(fd_, 0, SEEK_SET) < 0) return tl::unexpected(spool_error(folder_, errno));
  if (auto put = write_spool_file(fd_, front, folder_); !put) {
    return tl::unexpected(std::move(put.error()));
  }
  const auto size = static_cast<std::size_t>(written_);
  void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd_, 0);
  if (mapped == MAP_FAILED) return tl::unexpected(spool_error(folder_, errno));
  // The mapping keeps the file.
  ::close(std::exchange(fd_, -1));
  std::shared_ptr<const void> owner(static_cast<const void*>(mapped), [size](const void* octets) {
    ::munmap(const_cast<void*>(octets), size);
  });
  return Run{std::move(owner), {static_cast<const char*>(mapped), size}};
}

}  // namespace twinpost::store
