#include "store/engine/page_walk.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace twinpost::engine {

namespace {

// As deep as LMDB's own cursors go.
constexpr unsigned kDeepest = 32;
constexpr std::size_t kPageHeader = 16;

std::string number(std::uint64_t value) { return std::to_string(value); }

KeyRange just(std::string_view key) {
  return {std::string(key), std::string(key) + std::string(1, '\0')};
}

}  // namespace

struct PageWalk::Tree {
  std::string name;
  WalkVisitor& visitor;
  // Gets the tree's entries: the visitor, or what collects tables and free pages.
  std::function<void(const PageNode&, ValuePlace)> entry;
  std::string last_key;
  bool any = false;
  bool damaged = false;
  std::uint64_t entries = 0;
  bool native_order = false;  // keys are numbers in host order

  [[nodiscard]] bool ascends(std::string_view key) const {
    if (!any) return true;
    if (!native_order) return key > last_key;
    std::uint64_t before = 0;
    std::uint64_t now = 0;
    if (key.size() != sizeof now || last_key.size() != sizeof before) return false;
    std::memcpy(&before, last_key.data(), sizeof before);
    std::memcpy(&now, key.data(), sizeof now);
    return now > before;
  }
  void damage(std::string what, KeyRange lost) {
    damaged = true;
    visitor.damage(name, std::move(what), std::move(lost));
  }
};

PageWalk::PageWalk(const PageFile& file, const FileHead& head) : file_(file), head_(head) {
  // A head may claim any number of pages: those that the file has count.
  const std::uint64_t pages = std::min(head.last_page + 1, file.pages());
  reached_.resize(pages);
  free_.resize(pages);
}

bool PageWalk::run(WalkVisitor& visitor, WalkOptions options) {
  options_ = std::move(options);
  Tree free{std::string(kFreeList), visitor, {}, {}};
  free.native_order = true;
  free.entry = [&](const PageNode& node, ValuePlace place) {
    read_free_list(node.value, place, visitor);
  };
  knows_free_ = true;
  walk_tree(free, head_.free);
  knows_free_ = knows_free_ && !free.damaged;
  std::vector<std::pair<std::string, TreeHead>> tables;
  Tree main{{}, visitor, {}, {}};
  main.entry = [&](const PageNode& node, ValuePlace) {
    const auto tree = parse_tree(node.value);
    if (node.flags != PageNode::kTree || !tree || tree->flags != 0) {
      main.damage("the head of a table makes no sense", just(node.key));
      return;
    }
    if (options_.is_table && !options_.is_table(node.key)) {
      main.damage("it names a table that there is not", just(node.key));
      return;
    }
    tables.emplace_back(std::string(node.key), *tree);
  };
  walk_tree(main, head_.main);
  for (const auto& [name, head] : tables) {
    if (ended_) break;
    tables_.push_back(name);
    Tree tree{name, visitor, {}, {}};
    tree.entry = [&tree](const PageNode& node, ValuePlace place) {
      tree.visitor.entry(tree.name, node.key, node.value, place);
    };
    walk_tree(tree, head);
  }
  return !ended_;
}

void PageWalk::walk_tree(Tree& tree, const TreeHead& head) {
  in_tree_.assign(reached_.size(), false);
  if (head.root == kNoPage) {
    if (head.entries != 0) tree.damage("it has lost its root page", {});
    return;
  }
  walk_page(tree, head.root, 0, {});
  if (!tree.damaged && !ended_ && tree.entries != head.entries) {
    tree.damage(
        "its head counts " + number(head.entries) + " entries, there are " + number(tree.entries),
        {std::string(1, '\xff'), std::string()});
  }
}

void PageWalk::walk_page(Tree& tree, std::uint64_t page, unsigned depth, KeyRange range) {
  if (ended_) return;
  const auto lost = [&](const std::string& why) {
    tree.damage("page " + number(page) + ": " + why, range);
  };
  if (page < 2 || page > head_.last_page) return lost("there is no such page");
  if (depth >= kDeepest) return lost("its tree is too deep");
  if (page < in_tree_.size() && in_tree_[page]) return lost("it is in use elsewhere too");
  std::string octets;
  if (auto read = file_.read_page(page, octets); !read) return lost(read.error().message);
  auto content = parse_page(octets, page);
  if (!content) return lost(content.error().message);
  if (content->kind == PageKind::kOverflow) return lost("it is no page of a tree");
  if (is_free(page))
    tree.damage("page " + number(page) + ": it is in use and free at once", just({}));
  if (reached(page)) tree.damage("page " + number(page) + ": it is in use elsewhere too", just({}));
  reached_[page] = in_tree_[page] = true;
  if (++pages_done_ % 256 == 0 && !tree.visitor.progress(pages_done_)) {
    ended_ = true;
    return;
  }
  if (content->kind == PageKind::kBranch) return walk_branch(tree, *content, page, depth, range);
  walk_leaf(tree, *content, page, range);
}

void PageWalk::walk_branch(Tree& tree, const PageContent& content, std::uint64_t page,
                           unsigned depth, const KeyRange& range) {
  const auto& nodes = content.nodes;
  const auto in_order = [&](std::size_t i) {
    return tree.native_order || (nodes[i].key > nodes[i - 1].key && range.contains(nodes[i].key));
  };
  for (std::size_t i = 1; i < nodes.size(); ++i) {
    if (in_order(i)) continue;
    // The page is left to those who look at it entry by entry.
    tree.damage("page " + number(page) + ": its keys are out of order", {});
    reached_[page] = false;
    return;
  }
  for (std::size_t i = 0; i < nodes.size() && !ended_; ++i) {
    KeyRange child = range;
    if (!tree.native_order && i > 0) child.from = nodes[i].key;
    if (!tree.native_order && i + 1 < nodes.size()) child.to = nodes[i + 1].key;
    walk_page(tree, nodes[i].child, depth + 1, std::move(child));
  }
}

void PageWalk::walk_leaf(Tree& tree, const PageContent& content, std::uint64_t page,
                         const KeyRange& range) {
  for (const PageNode& node : content.nodes) {
    if (!tree.ascends(node.key) || (!tree.native_order && !range.contains(node.key))) {
      tree.damage("page " + number(page) + ": its keys are out of order", {});
      reached_[page] = false;
      return;
    }
    tree.any = true;
    tree.last_key = node.key;
    ++tree.entries;
    if (node.flags == PageNode::kOutside) {
      if (auto wrong = claim_run(node)) tree.damage(*wrong, just(node.key));
    }
    if (node.flags == PageNode::kTree && !tree.name.empty()) {
      tree.damage("page " + number(page) + ": an entry is a tree", just(node.key));
      continue;
    }
    tree.entry(node, file_.place_of(page, node));
  }
}

std::optional<std::string> PageWalk::claim_run(const PageNode& node) {
  const std::uint64_t octets = file_.page_octets();
  const std::uint64_t pages = (kPageHeader + std::uint64_t{node.octets} + octets - 1) / octets;
  const std::string where = "page " + number(node.overflow) + ": ";
  if (node.overflow < 2 || node.overflow > head_.last_page ||
      pages > head_.last_page + 1 - node.overflow) {
    return where + "there is no such page";
  }
  if (node.overflow + pages > file_.pages()) return where + "it is past the file's end";
  for (std::uint64_t page = node.overflow; page < node.overflow + pages; ++page) {
    if (reached(page)) return where + "it is in use elsewhere too";
    if (is_free(page)) return where + "it is in use and free at once";
  }
  if (options_.overflow_heads) {
    std::string head;
    if (auto read = file_.read({node.overflow * octets, kPageHeader}, head); !read) {
      return where + read.error().message;
    }
    const auto content = parse_page(head, node.overflow);
    if (!content) return where + content.error().message;
    if (content->kind != PageKind::kOverflow || content->pages != pages) {
      return where + "it is not the run of pages that it should be";
    }
  }
  for (std::uint64_t page = node.overflow; page < node.overflow + pages; ++page) {
    reached_[page] = true;
  }
  return std::nullopt;
}

// u64 count, then so many page numbers.
void PageWalk::read_free_list(std::string_view value, ValuePlace place, WalkVisitor& visitor) {
  std::string octets(value);
  const auto damaged = [&](const std::string& why) {
    knows_free_ = false;
    visitor.damage(kFreeList, why, {});
  };
  if (octets.empty()) {
    if (auto read = file_.read(place, octets); !read) return damaged(read.error().message);
  }
  const auto at = [&octets](std::size_t index) {
    std::uint64_t word = 0;
    std::memcpy(&word, octets.data() + index * sizeof word, sizeof word);
    return word;
  };
  const std::size_t words = octets.size() / sizeof(std::uint64_t);
  if (words == 0 || at(0) > words - 1) return damaged("a list of free pages makes no sense");
  for (std::size_t i = 1; i <= at(0); ++i) {
    const std::uint64_t page = at(i);
    if (page < 2 || page > head_.last_page) {
      return damaged("the list of free pages names page " + number(page) + ", which is not there");
    }
    if (page >= free_.size()) continue;  // past the end of a shorter file: free pages may be
    if (free_[page]) return damaged("page " + number(page) + " is listed as free twice");
    if (reached_[page]) return damaged("page " + number(page) + ": it is in use and free at once");
    free_[page] = true;
  }
}

}  // namespace twinpost::engine
