// The boundaries of the multiparts that are open around the line being read (RFC 2046 section 5.1).
//
// A line is a delimiter where its text after "--" begins with an open boundary; it need not end
// there (5.1.1). Of several, the longest is meant (one may be the prefix of another), and of equal
// ones the innermost. A stack and a trie: a line costs as many steps as it has octets in common
// with some open boundary, however many are open. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace twinpost::mail {

class OpenBoundaries {
 public:
  // RFC 2046 allows 70; what is far beyond any line that was ever meant is not looked for.
  static constexpr std::size_t kMaxBoundary = 8192;

  // The innermost from now on. Not empty, at most kMaxBoundary octets.
  void push(std::string_view boundary);
  // Forgets all but the outer `count`.
  void shrink(std::size_t count);
  [[nodiscard]] std::size_t size() const { return open_.size(); }

  struct Match {
    std::size_t index;   // 0 is the outermost
    std::size_t length;  // of the boundary
  };
  // `text`: the message from behind the "--" of a line.
  [[nodiscard]] std::optional<Match> find(std::string_view text) const;

  // Trie steps that find() has made: what it cost, for tests.
  [[nodiscard]] std::uint64_t steps() const { return steps_; }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Open {
    std::uint32_t node;      // where it ends
    std::uint32_t shadowed;  // the equal one further out, or kNone
    std::size_t length;
    std::vector<std::uint64_t> edges;  // that it added
  };
  static std::uint64_t edge(std::uint32_t node, char octet) {
    return (std::uint64_t{node} << 8) | static_cast<unsigned char>(octet);
  }

  std::vector<Open> open_;
  std::vector<std::uint32_t> ends_{
      kNone};  // per node: the open boundary that ends there; node 0 is the root
  std::unordered_map<std::uint64_t, std::uint32_t> edges_;
  mutable std::uint64_t steps_ = 0;
};

}  // namespace twinpost::mail
