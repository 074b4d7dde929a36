// LMDB's data file (format 1 of LMDB 0.9, 64-bit) as octets that nobody vouches for: for finding
// damage, and for taking out what is left. Reads with pread(), never maps: what is past the file's
// end, or on a bad sector, is one page that can't be read, not a dead process. Writes nothing.
//
//   page    octet  0 u64 its own number        octet 10 u16 flags: 1 branch, 2 leaf, 4 overflow,
//                                                       8 head
//                 12 u16 end of the pointers, u16 begin of the nodes; overflow: u32 pages
//                 16 u16 pointers to the nodes, by key
//   node    octet  0 u16, u16 low and high half of a leaf's value size, or a branch's page number
//                  4 u16 leaf: flags, 1 the value is a u64: its first overflow page,
//                        2 it is the head of a named tree; branch: the page number's top
//                  6 u16 key size             8 key, value
//   tree    octet  4 u16 flags   6 u16 depth   8 u64 branch pages   16 u64 leaf pages
//                 24 u64 overflow pages       32 u64 entries        40 u64 root page
//
// Host order throughout. Heads are drawn in data_file.cc. Any thread; one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace twinpost::engine {

inline constexpr std::uint64_t kNoPage = ~std::uint64_t{0};

struct TreeHead {
  std::uint16_t flags = 0;
  std::uint16_t depth = 0;
  std::uint64_t branch_pages = 0;
  std::uint64_t leaf_pages = 0;
  std::uint64_t overflow_pages = 0;
  std::uint64_t entries = 0;
  std::uint64_t root = kNoPage;
};

struct FileHead {
  std::uint64_t commit = 0;
  std::uint64_t last_page = 0;
  std::uint64_t page_octets = 0;
  TreeHead free;
  TreeHead main;
};

// Where a value's octets are in the file.
struct ValuePlace {
  std::uint64_t offset = 0;
  std::uint32_t octets = 0;
  friend bool operator==(const ValuePlace&, const ValuePlace&) = default;
};

enum class PageKind : std::uint8_t { kBranch, kLeaf, kOverflow };

struct PageNode {
  std::string_view key;
  std::uint16_t flags = 0;           // of a leaf's
  std::uint64_t child = 0;           // of a branch's
  std::string_view value;            // of a leaf's that has it inside; else empty
  std::uint32_t octets = 0;          // of the value
  std::uint64_t overflow = kNoPage;  // its first page, where it is not inside
  std::size_t value_at = 0;          // in the page, where it is inside

  static constexpr std::uint16_t kOutside = 1;
  static constexpr std::uint16_t kTree = 2;
};

struct PageContent {
  PageKind kind = PageKind::kLeaf;
  std::uint32_t pages = 1;  // of an overflow run
  std::vector<PageNode> nodes;
};

class PageFile {
 public:
  // kNotFound, kIo, kPermission; kCorrupt where it is empty. A file whose heads are both gone is
  // opened too.
  [[nodiscard]] static Result<PageFile> open(const std::string& path);
  PageFile(PageFile&& other) noexcept;
  PageFile& operator=(PageFile&&) = delete;
  PageFile(const PageFile&) = delete;
  PageFile& operator=(const PageFile&) = delete;
  ~PageFile();

  [[nodiscard]] std::uint64_t page_octets() const { return page_octets_; }
  [[nodiscard]] std::uint64_t pages() const { return pages_; }  // a cut one at the end not counted
  // Those that make sense, the newest first. Read again each time: a live file's change.
  [[nodiscard]] std::vector<FileHead> heads() const;
  // The two heads are there and tell of commits that follow each other, each in its place: the
  // first of heads() is the one in force.
  [[nodiscard]] bool heads_agree() const;

  // Into `out`, which is as large as a page then. kIo, kCorrupt (past the end).
  [[nodiscard]] Result<void> read_page(std::uint64_t page, std::string& out) const;
  [[nodiscard]] Result<void> read(ValuePlace place, std::string& out) const;  // appends

  [[nodiscard]] ValuePlace place_of(std::uint64_t page, const PageNode& node) const;

 private:
  PageFile(int fd, std::uint64_t octets) : fd_(fd), octets_(octets) {}
  [[nodiscard]] std::optional<FileHead> head_at(std::uint64_t offset, std::uint64_t index) const;
  void find_page_size();

  int fd_;
  std::uint64_t octets_;
  std::uint64_t page_octets_ = 4096;
  std::uint64_t pages_ = 0;
};

// The content of a page as it should be: kCorrupt, in words, where anything in it does not fit.
// Points into `octets`. Of a branch the first key is empty.
[[nodiscard]] Result<PageContent> parse_page(std::string_view octets, std::uint64_t number);
// A tree's head as a value; nullopt where its size is wrong.
[[nodiscard]] std::optional<TreeHead> parse_tree(std::string_view octets);

// Everything in a page that could be a leaf's node, whatever its head and its pointers say: what a
// damaged leaf still has. Most calls are no node at all: the caller must be able to tell.
void for_each_possible_node(std::string_view octets,
                            const std::function<void(const PageNode&)>& visit);

}  // namespace twinpost::engine
