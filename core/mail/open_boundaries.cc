#include "core/mail/open_boundaries.h"

namespace twinpost::mail {

void OpenBoundaries::push(std::string_view boundary) {
  Open open{};
  open.length = boundary.size();
  std::uint32_t node = 0;
  for (const char octet : boundary) {
    const auto next = static_cast<std::uint32_t>(ends_.size());
    const auto [found, added] = edges_.try_emplace(edge(node, octet), next);
    if (added) {
      ends_.push_back(kNone);
      open.edges.push_back(found->first);
    }
    node = found->second;
  }
  open.node = node;
  open.shadowed = ends_[node];
  ends_[node] = static_cast<std::uint32_t>(open_.size());
  open_.push_back(std::move(open));
}

void OpenBoundaries::shrink(std::size_t count) {
  while (open_.size() > count) {
    const Open& last = open_.back();
    ends_[last.node] = last.shadowed;
    for (const std::uint64_t key : last.edges) edges_.erase(key);
    ends_.resize(ends_.size() - last.edges.size());  // its nodes are the newest
    open_.pop_back();
  }
}

std::optional<OpenBoundaries::Match> OpenBoundaries::find(std::string_view text) const {
  std::optional<Match> best;
  std::uint32_t node = 0;
  for (const char octet : text) {
    ++steps_;
    const auto found = edges_.find(edge(node, octet));
    if (found == edges_.end()) break;
    node = found->second;
    if (ends_[node] != kNone) best = Match{ends_[node], open_[ends_[node]].length};
  }
  return best;
}

}  // namespace twinpost::mail
