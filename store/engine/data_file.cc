// The head of data.mdb (LMDB 0.9, 64-bit): two pages, each with a header of this layout in host
// order; the one with the larger transaction number is in force.
//
//   octet  16  u32 magic 0xBEEFC0DE        octet  40  u32 page size
//          20  u32 format version, 1              80  u64 root page of the free list's tree, all
//          ones: none 24  u64 address                       128  u64 root page of the main tree 32
//          u64 map size                      136  u64 last page in use
//                                                144  u64 transaction number
#include "store/engine/data_file.h"

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace twinpost::engine {

namespace {

constexpr std::uint32_t kMagic = 0xBEEFC0DE;
constexpr std::uint32_t kDataVersion = 1;
constexpr std::size_t kHeaderOctets = 152;
constexpr std::uint64_t kNoPage = ~std::uint64_t{0};
constexpr std::uint64_t kMostPages = std::uint64_t{1} << 48;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

template <class T>
T load(const std::array<char, kHeaderOctets>& header, std::size_t at) {
  T value{};
  std::memcpy(&value, header.data() + at, sizeof value);
  return value;
}

struct Head {
  std::uint64_t page_octets = 0;
  std::uint64_t last_page = 0;
  std::uint64_t transaction = 0;
};

Result<Head> read_head(int fd, std::uint64_t offset, const std::string& path) {
  std::array<char, kHeaderOctets> header{};
  const ssize_t got = ::pread(fd, header.data(), header.size(), static_cast<off_t>(offset));
  if (got < 0) return tl::unexpected(system_error(path, errno));
  if (static_cast<std::size_t>(got) != header.size()) {
    return fail(ErrorCode::kCorrupt, path + ": truncated, its head pages are missing");
  }
  if (load<std::uint32_t>(header, 16) != kMagic) {
    return fail(ErrorCode::kCorrupt, path + ": not a data file, or its head page is damaged");
  }
  if (load<std::uint32_t>(header, 20) != kDataVersion) {
    return fail(ErrorCode::kNewerFormat,
                path + ": data file format " + std::to_string(load<std::uint32_t>(header, 20)) +
                    ", this build reads format " + std::to_string(kDataVersion));
  }
  Head head{load<std::uint32_t>(header, 40), load<std::uint64_t>(header, 136),
            load<std::uint64_t>(header, 144)};
  const bool page_size_fits =
      std::has_single_bit(head.page_octets) && head.page_octets >= 512 && head.page_octets <= 65536;
  if (!page_size_fits || head.last_page >= kMostPages) {
    return fail(ErrorCode::kCorrupt, path + ": its head page is damaged");
  }
  for (const std::size_t at : {std::size_t{80}, std::size_t{128}}) {
    const auto root = load<std::uint64_t>(header, at);
    if (root != kNoPage && root > head.last_page) {
      return fail(ErrorCode::kCorrupt, path + ": its head page is damaged");
    }
  }
  return head;
}

}  // namespace

Result<std::optional<DataFile>> inspect_data_file(const std::string& path) {
  static_assert(sizeof(void*) == 8, "LMDB's layout is drawn for 64-bit systems");
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    if (errno == ENOENT) return std::nullopt;
    return tl::unexpected(system_error(path, errno));
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return tl::unexpected(system_error(path, errno));
  if (status.st_size == 0) {
    // LMDB would take it for a new one and start an empty store over what was lost.
    return fail(ErrorCode::kCorrupt,
                path + ": empty; restore it, or remove it to begin a new store");
  }
  auto first = read_head(file.get(), 0, path);
  if (!first) return tl::unexpected(first.error());
  auto second = read_head(file.get(), first->page_octets, path);
  if (!second) return tl::unexpected(second.error());
  const Head& newest = first->transaction > second->transaction ? *first : *second;
  return DataFile{static_cast<std::uint64_t>(status.st_size), newest.page_octets,
                  newest.last_page + 1};
}

}  // namespace twinpost::engine
