// A walk over the trees of a data file (page_file.h), from a head down, past every page that is
// damaged.
//
// Each page is checked before it is used: its number and kind, that all in it fits it, that no page
// is reached twice, that keys ascend. A page that two trees reach is walked for both of them, since
// nothing tells whose it is. Memory: three bits a page. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/engine/page_file.h"

namespace twinpost::engine {

// Keys from `from` on, below `to`; nullopt: to the end.
struct KeyRange {
  std::string from;
  std::optional<std::string> to;
  [[nodiscard]] bool contains(std::string_view key) const {
    return key >= from && (!to || key < *to);
  }
};

class WalkVisitor {
 public:
  virtual ~WalkVisitor() = default;
  // An entry of a table, in order of the keys. `value` is its octets where they are inside the
  // leaf, else empty.
  virtual void entry(std::string_view table, std::string_view key, std::string_view value,
                     ValuePlace place) = 0;
  // What is wrong, and the keys of the table that may be lost with it: all of them where keys are
  // out of order, as nothing tells then which page's bounds are wrong. `table` is empty where it is
  // the list of tables, "free" the list of free pages. An entry whose own pages are in doubt is told
  // here and given by entry() too.
  virtual void damage(std::string_view table, std::string what, KeyRange lost) = 0;
  // Now and then; false ends the walk.
  virtual bool progress(std::uint64_t /*pages*/) { return true; }
};

struct WalkOptions {
  bool overflow_heads = false;  // look at the first page of every value that has pages of its own
  // Where it is set: a table that it does not know is damage, and its pages are not walked.
  std::function<bool(std::string_view table)> is_table;
};

class PageWalk {
 public:
  static constexpr std::string_view kFreeList = "free";

  PageWalk(const PageFile& file, const FileHead& head);

  // The list of free pages, then every table. False where the visitor ended it.
  bool run(WalkVisitor& visitor, WalkOptions options = {});

  // Read and found good, or a run of pages that a good one points to.
  [[nodiscard]] bool reached(std::uint64_t page) const {
    return page < reached_.size() && reached_[page];
  }
  [[nodiscard]] bool is_free(std::uint64_t page) const {
    return page < free_.size() && free_[page];
  }
  // The whole list of free pages could be read, so that is_free() says what the head says.
  [[nodiscard]] bool knows_free_pages() const { return knows_free_; }
  [[nodiscard]] const std::vector<std::string>& tables() const { return tables_; }

 private:
  struct Tree;
  void walk_tree(Tree& tree, const TreeHead& head);
  void walk_page(Tree& tree, std::uint64_t page, unsigned depth, KeyRange range);
  void walk_branch(Tree& tree, const PageContent& content, std::uint64_t page, unsigned depth,
                   const KeyRange& range);
  void walk_leaf(Tree& tree, const PageContent& content, std::uint64_t page, const KeyRange& range);
  // What is wrong with the run of pages of a value, if anything.
  [[nodiscard]] std::optional<std::string> claim_run(const PageNode& node);
  void read_free_list(std::string_view value, ValuePlace place, WalkVisitor& visitor);

  const PageFile& file_;
  FileHead head_;
  WalkOptions options_;
  std::vector<bool> reached_;
  std::vector<bool> in_tree_;  // reached by the tree that is being walked
  std::vector<bool> free_;
  std::vector<std::string> tables_;
  bool knows_free_ = false;
  bool ended_ = false;
  std::uint64_t pages_done_ = 0;
};

}  // namespace twinpost::engine
