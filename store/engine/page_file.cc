#include "store/engine/page_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "store/engine/engine.h"

namespace twinpost::engine {

namespace {

constexpr std::uint32_t kMagic = 0xBEEFC0DE;
constexpr std::uint32_t kDataVersion = 1;
constexpr std::size_t kHeadOctets = 152;
constexpr std::size_t kPageHeader = 16;
constexpr std::size_t kNodeHeader = 8;
constexpr std::size_t kTreeOctets = 48;
constexpr std::uint64_t kMostPages = std::uint64_t{1} << 48;
constexpr std::uint64_t kDefaultPageOctets = 4096;
// Flags that LMDB keeps in memory only, but may leave in a page that it writes.
constexpr std::uint16_t kPassingFlags = 0x10 | 0x4000 | 0x8000;

template <class T>
T load(std::string_view octets, std::size_t at) {
  T value{};
  std::memcpy(&value, octets.data() + at, sizeof value);
  return value;
}

bool is_page_size(std::uint64_t octets) {
  return std::has_single_bit(octets) && octets >= 512 && octets <= 65536;
}

TreeHead tree_at(std::string_view octets, std::size_t at) {
  TreeHead tree;
  tree.flags = load<std::uint16_t>(octets, at + 4);
  tree.depth = load<std::uint16_t>(octets, at + 6);
  tree.branch_pages = load<std::uint64_t>(octets, at + 8);
  tree.leaf_pages = load<std::uint64_t>(octets, at + 16);
  tree.overflow_pages = load<std::uint64_t>(octets, at + 24);
  tree.entries = load<std::uint64_t>(octets, at + 32);
  tree.root = load<std::uint64_t>(octets, at + 40);
  return tree;
}

Result<std::size_t> read_at(int fd, std::uint64_t offset, char* out, std::size_t octets) {
  std::size_t done = 0;
  while (done < octets) {
    const ssize_t got = ::pread(fd, out + done, octets - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return tl::unexpected(system_error("reading the data file", errno));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

tl::unexpected<Error> bad(std::string what) { return fail(ErrorCode::kCorrupt, std::move(what)); }

// The node at `at`; nullopt where it does not fit the page.
std::optional<PageNode> node_at(std::string_view octets, std::size_t at, PageKind kind) {
  if (at + kNodeHeader > octets.size()) return std::nullopt;
  const auto low = load<std::uint16_t>(octets, at);
  const auto high = load<std::uint16_t>(octets, at + 2);
  const auto flags = load<std::uint16_t>(octets, at + 4);
  const auto key_octets = load<std::uint16_t>(octets, at + 6);
  const std::uint32_t number = low | (static_cast<std::uint32_t>(high) << 16);
  const std::size_t value_at = at + kNodeHeader + key_octets;
  if (key_octets > kMaxKeyOctets || value_at > octets.size()) return std::nullopt;
  PageNode node;
  node.key = octets.substr(at + kNodeHeader, key_octets);
  if (kind == PageKind::kBranch) {
    node.child = number | (static_cast<std::uint64_t>(flags) << 32);
    return node;
  }
  node.flags = flags;
  node.octets = number;
  node.value_at = value_at;
  if (flags == PageNode::kOutside) {
    if (value_at + sizeof(std::uint64_t) > octets.size()) return std::nullopt;
    node.overflow = load<std::uint64_t>(octets, value_at);
    return node;
  }
  if ((flags & ~PageNode::kTree) != 0 || number > octets.size() - value_at) return std::nullopt;
  node.value = octets.substr(value_at, number);
  return node;
}

}  // namespace

PageFile::PageFile(PageFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      octets_(other.octets_),
      page_octets_(other.page_octets_),
      pages_(other.pages_) {}

PageFile::~PageFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<PageFile> PageFile::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return tl::unexpected(system_error(path, errno));
  PageFile file(fd, 0);
  struct stat status {};
  if (::fstat(fd, &status) != 0) return tl::unexpected(system_error(path, errno));
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::kInvalid, path + ": not a regular file");
  if (status.st_size == 0) return bad(path + ": empty");
  file.octets_ = static_cast<std::uint64_t>(status.st_size);
  file.find_page_size();
  file.pages_ = file.octets_ / file.page_octets_;
  return file;
}

// From a head that makes sense, else the size for which most pages bear their own number.
void PageFile::find_page_size() {
  constexpr std::array<std::uint64_t, 8> kSizes{4096, 16384, 65536, 8192, 32768, 2048, 1024, 512};
  if (auto first = head_at(0, 0)) {
    page_octets_ = first->page_octets;
    return;
  }
  for (const std::uint64_t size : kSizes) {
    const auto second = head_at(size, 1);
    if (second && second->page_octets == size) {
      page_octets_ = size;
      return;
    }
  }
  constexpr std::uint64_t kSample = 1000;
  std::uint64_t most = 0;
  page_octets_ = kDefaultPageOctets;
  for (const std::uint64_t size : kSizes) {
    std::uint64_t fitting = 0;
    for (std::uint64_t page = 2; page < std::min(octets_ / size, kSample); ++page) {
      std::uint64_t number = 0;
      const auto got = read_at(fd_, page * size, reinterpret_cast<char*>(&number), sizeof number);
      if (got && *got == sizeof number && number == page) ++fitting;
    }
    if (fitting > most) {
      most = fitting;
      page_octets_ = size;
    }
  }
}

std::optional<FileHead> PageFile::head_at(std::uint64_t offset, std::uint64_t index) const {
  std::array<char, kHeadOctets> buffer{};
  const auto got = read_at(fd_, offset, buffer.data(), buffer.size());
  if (!got || *got != buffer.size()) return std::nullopt;
  const std::string_view octets(buffer.data(), buffer.size());
  FileHead head;
  head.page_octets = load<std::uint32_t>(octets, 40);
  head.free = tree_at(octets, 40);
  head.main = tree_at(octets, 88);
  head.last_page = load<std::uint64_t>(octets, 136);
  head.commit = load<std::uint64_t>(octets, 144);
  const auto root_fits = [&head](const TreeHead& tree) {
    return tree.root == kNoPage || (tree.root > 1 && tree.root <= head.last_page);
  };
  const bool sensible =
      load<std::uint64_t>(octets, 0) == index && load<std::uint32_t>(octets, 16) == kMagic &&
      load<std::uint32_t>(octets, 20) == kDataVersion && is_page_size(head.page_octets) &&
      head.last_page < kMostPages && root_fits(head.free) && root_fits(head.main);
  if (!sensible) return std::nullopt;
  return head;
}

std::vector<FileHead> PageFile::heads() const {
  std::vector<FileHead> found;
  for (std::uint64_t index = 0; index < 2; ++index) {
    auto head = head_at(index * page_octets_, index);
    if (head && head->page_octets == page_octets_) found.push_back(*head);
  }
  if (found.size() == 2 && found[1].commit > found[0].commit) std::swap(found[0], found[1]);
  return found;
}

bool PageFile::heads_agree() const {
  const auto first = head_at(0, 0);
  const auto second = head_at(page_octets_, 1);
  if (!first || !second || first->page_octets != second->page_octets) return false;
  // Commit n is written to head n mod 2; a new file has 0 in both.
  const std::uint64_t a = first->commit;
  const std::uint64_t b = second->commit;
  return a % 2 == 0 && (b % 2 == 1 || b == 0) && (a > b ? a - b : b - a) <= 1;
}

Result<void> PageFile::read_page(std::uint64_t page, std::string& out) const {
  if (page >= pages_) return bad("it is past the file's end");
  out.resize(page_octets_);
  const auto got = read_at(fd_, page * page_octets_, out.data(), out.size());
  if (!got) return tl::unexpected(got.error());
  if (*got != out.size()) return bad("it is past the file's end");
  return {};
}

Result<void> PageFile::read(ValuePlace place, std::string& out) const {
  if (place.offset > octets_ || place.octets > octets_ - place.offset) {
    return bad("it is past the file's end");
  }
  const std::size_t before = out.size();
  out.resize(before + place.octets);
  const auto got = read_at(fd_, place.offset, out.data() + before, place.octets);
  if (got && *got == place.octets) return {};
  out.resize(before);
  if (!got) return tl::unexpected(got.error());
  return bad("it is past the file's end");
}

ValuePlace PageFile::place_of(std::uint64_t page, const PageNode& node) const {
  if (node.overflow != kNoPage) {
    // A number that no file has is a place that can't be read.
    const std::uint64_t run = std::min(node.overflow, kMostPages);
    return {run * page_octets_ + kPageHeader, node.octets};
  }
  return {page * page_octets_ + node.value_at, node.octets};
}

std::optional<TreeHead> parse_tree(std::string_view octets) {
  if (octets.size() != kTreeOctets) return std::nullopt;
  return tree_at(octets, 0);
}

Result<PageContent> parse_page(std::string_view octets, std::uint64_t number) {
  if (octets.size() < kPageHeader) return bad("it is cut short");
  if (load<std::uint64_t>(octets, 0) != number) return bad("it bears another page's number");
  PageContent content;
  const auto flags = static_cast<std::uint16_t>(load<std::uint16_t>(octets, 10) & ~kPassingFlags);
  if (flags == 4) {
    content.kind = PageKind::kOverflow;
    content.pages = load<std::uint32_t>(octets, 12);
    if (content.pages == 0) return bad("its run of pages has no length");
    return content;
  }
  if (flags != 1 && flags != 2) return bad("it is of no known kind");
  content.kind = flags == 1 ? PageKind::kBranch : PageKind::kLeaf;
  const auto lower = load<std::uint16_t>(octets, 12);
  const auto upper = load<std::uint16_t>(octets, 14);
  if (lower < kPageHeader || lower > upper || upper > octets.size() || lower % 2 != 0) {
    return bad("its head makes no sense");
  }
  const std::size_t count = (lower - kPageHeader) / 2;
  if (content.kind == PageKind::kBranch && count < 2) return bad("it has too few branches");
  content.nodes.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto at = load<std::uint16_t>(octets, kPageHeader + 2 * i);
    auto node = at >= upper ? node_at(octets, at, content.kind) : std::nullopt;
    if (!node) return bad("entry " + std::to_string(i) + " does not fit it");
    // The first key of a branch stands for everything below the second.
    if (content.kind == PageKind::kBranch && i == 0) node->key = {};
    if (node->key.empty() && !(content.kind == PageKind::kBranch && i == 0)) {
      return bad("entry " + std::to_string(i) + " has no key");
    }
    content.nodes.push_back(*node);
  }
  return content;
}

void for_each_possible_node(std::string_view octets,
                            const std::function<void(const PageNode&)>& visit) {
  for (std::size_t at = kPageHeader; at + kNodeHeader < octets.size(); at += 2) {
    const auto node = node_at(octets, at, PageKind::kLeaf);
    if (node && !node->key.empty()) visit(*node);
  }
}

}  // namespace twinpost::engine
