#include "core/config/schema.h"

#include <algorithm>

#include "core/base/ascii.h"

namespace twinpost::config {

namespace {

// Keys differ in case, hyphens and blanks when people remember them half.
std::string folded(std::string_view key) {
  std::string out = ascii::lower(key);
  std::replace(out.begin(), out.end(), '-', '_');
  std::replace(out.begin(), out.end(), ' ', '_');
  return out;
}

constexpr std::size_t kLongestCompared = 100;

std::string nearest_within(std::string_view unknown, const std::vector<std::string>& known,
                           std::size_t limit) {
  if (unknown.size() > kLongestCompared) return {};
  const std::string wanted = folded(unknown);
  std::string best;
  std::size_t best_distance = limit + 1;
  for (const std::string& key : known) {
    const std::size_t distance = edit_distance(wanted, folded(key));
    // A short key must not be "near" only because almost nothing of it is left.
    if (distance < best_distance && distance < key.size()) {
      best_distance = distance;
      best = key;
    }
  }
  return best;
}

// "idle" or "log_level": one is the beginning of the other.
std::string nearest_by_beginning(std::string_view unknown, const std::vector<std::string>& known) {
  constexpr std::size_t kShortest = 3;
  if (unknown.size() < kShortest || unknown.size() > kLongestCompared) return {};
  const std::string wanted = folded(unknown);
  for (const std::string& key : known) {
    if (key.starts_with(wanted)) return key;
    if (key.size() >= kShortest && wanted.starts_with(key)) return key;
  }
  return {};
}

struct NamedPath {
  std::string name;
  std::string path;
};

void collect_paths(const KeyInfo& section, const std::string& prefix, std::vector<NamedPath>& out) {
  for (const KeyInfo& key : section.keys) {
    const std::string path = prefix + key.name;
    out.push_back(NamedPath{key.name, path});
    const bool has_names = key.type == KeyType::kSectionMap;
    const bool is_list = key.type == KeyType::kSectionList;
    collect_paths(key, path + (has_names ? ".NAME." : is_list ? "[]." : "."), out);
  }
}

// The full path of a key of that name which belongs to another place.
std::string elsewhere(std::string_view unknown, const std::vector<NamedPath>& all) {
  for (const NamedPath& key : all) {
    if (key.name == folded(unknown)) return key.path;
  }
  return {};
}

}  // namespace

// Optimal string alignment, three rows of the matrix at a time.
std::size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> before_last(right.size() + 1);
  std::vector<std::size_t> last(right.size() + 1);
  std::vector<std::size_t> current(right.size() + 1);
  for (std::size_t j = 0; j <= right.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= left.size(); ++i) {
    current[0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t change = left[i - 1] == right[j - 1] ? 0 : 1;
      current[j] = std::min({last[j] + 1, current[j - 1] + 1, last[j - 1] + change});
      if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1]) {
        current[j] = std::min(current[j], before_last[j - 2] + 1);
      }
    }
    std::swap(before_last, last);
    std::swap(last, current);
  }
  return last[right.size()];
}

std::string nearest(std::string_view unknown, const std::vector<std::string>& known) {
  return nearest_within(unknown, known, std::max<std::size_t>(1, unknown.size() / 3));
}

std::string suggest_key(std::string_view unknown, const KeyInfo& section, const KeyInfo& file) {
  std::vector<std::string> siblings;
  siblings.reserve(section.keys.size());
  for (const KeyInfo& key : section.keys) siblings.push_back(key.name);
  std::string found = nearest_within(unknown, siblings, 1);
  std::vector<NamedPath> all;
  collect_paths(file, "", all);
  if (found.empty()) found = elsewhere(unknown, all);
  if (found.empty()) found = nearest(unknown, siblings);
  if (found.empty()) found = nearest_by_beginning(unknown, siblings);
  return found;
}

std::string path_component(std::string_view key) {
  const bool plain = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return ascii::is_alnum(c) || c == '_' || c == '-';
  });
  if (plain && key.size() <= kLongestCompared) return std::string(key);
  return '"' + ascii::printable(key) + '"';
}

std::string account_path(std::string_view account_name) {
  return "accounts." + path_component(account_name);
}

}  // namespace twinpost::config
