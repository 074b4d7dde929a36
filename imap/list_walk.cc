#include "imap/list_walk.h"

#include <algorithm>
#include <utility>

namespace twinpost::imap {

namespace {

constexpr std::string_view kInbox = "INBOX";

bool is_in_inbox(std::string_view name) { return name == kInbox || is_below(name, kInbox); }

unsigned weight(char c) { return c == kDelimiter ? 0U : 1U + static_cast<unsigned char>(c); }

// Octets that both begin with.
std::size_t common_octets(std::string_view left, std::string_view right) {
  const auto [end, other] = std::mismatch(left.begin(), left.end(), right.begin(), right.end());
  return static_cast<std::size_t>(end - left.begin());
}

}  // namespace

bool hierarchical_less(std::string_view left, std::string_view right) {
  const bool left_in_inbox = is_in_inbox(left);
  if (left_in_inbox != is_in_inbox(right)) return left_in_inbox;
  return std::lexicographical_compare(left.begin(), left.end(), right.begin(), right.end(),
                                      [](char a, char b) { return weight(a) < weight(b); });
}

bool is_below(std::string_view name, std::string_view parent) {
  return name.size() > parent.size() && name[parent.size()] == kDelimiter &&
         name.starts_with(parent);
}

std::vector<ListedName> listed_names(std::vector<store::MailboxInfo> mailboxes,
                                     std::vector<std::string> subscriptions) {
  std::vector<ListedName> names;
  names.reserve(mailboxes.size() + subscriptions.size());
  for (store::MailboxInfo& mailbox : mailboxes) {
    std::vector<std::string>().swap(mailbox.keywords);
    const bool subscribed = mailbox.subscribed;
    std::string name = mailbox.name;
    names.push_back({std::move(name), std::move(mailbox), subscribed});
  }
  for (std::string& name : subscriptions) names.push_back({std::move(name), std::nullopt, true});
  // The mailbox before the mere subscription of the same name.
  std::stable_sort(names.begin(), names.end(), [](const ListedName& left, const ListedName& right) {
    return hierarchical_less(left.name, right.name);
  });
  std::size_t kept = 0;
  for (ListedName& name : names) {
    if (kept > 0 && names[kept - 1].name == name.name) {
      names[kept - 1].subscribed = names[kept - 1].subscribed || name.subscribed;
    } else {
      if (&names[kept] != &name) names[kept] = std::move(name);
      ++kept;
    }
  }
  names.erase(names.begin() + static_cast<std::ptrdiff_t>(kept), names.end());
  return names;
}

ListWalk::ListWalk(std::vector<ListedName> names, ListRequest request)
    : names_(std::move(names)), request_(std::move(request)) {}

bool ListWalk::matches(std::string_view name) const {
  return std::any_of(request_.patterns.begin(), request_.patterns.end(),
                     [name](const ListPattern& pattern) { return pattern.matches(name); });
}

bool ListWalk::is_selected(const ListedName& name) const {
  if (!request_.subscribed && !request_.special_use) return name.mailbox.has_value();
  if (request_.subscribed && !name.subscribed) return false;
  return !request_.special_use ||
         (name.mailbox && name.mailbox->special_use != store::SpecialUse::kNone);
}

// What the answer for a name takes to know of its descendants. False where `deadline` came first.
bool ListWalk::prepare(SteadyTime deadline) {
  while (matches_.size() < names_.size()) {
    if (steady_now() >= deadline) return false;
    const ListedName& name = names_[matches_.size()];
    const bool selected = is_selected(name);
    matches_.push_back(matches(name.name));
    existing_.push_back(existing_.back() + (name.mailbox ? 1 : 0));
    selected_.push_back(selected_.back() + (selected ? 1 : 0));
    unmatched_.push_back(unmatched_.back() + (selected && !matches_.back() ? 1 : 0));
  }
  return true;
}

// One past the last descendant of `parent`, of which all are in one run that begins at `from`.
std::size_t ListWalk::end_of(std::string_view parent, std::size_t from) const {
  const auto end = std::partition_point(
      names_.begin() + static_cast<std::ptrdiff_t>(from), names_.end(),
      [parent](const ListedName& name) { return is_below(name.name, parent); });
  return static_cast<std::size_t>(end - names_.begin());
}

bool ListWalk::is_answered_for_descendants(std::size_t begin, std::size_t end) const {
  if (!request_.recursive_match && (request_.subscribed || request_.special_use)) return false;
  return unmatched_[end] > unmatched_[begin];
}

// For a name that neither exists nor is subscribed: the first parts of names_[at_].
std::optional<ListEntry> ListWalk::missing_parent(std::string_view name) const {
  const std::size_t end = end_of(name, at_);
  if (!is_answered_for_descendants(at_, end) || !matches(name)) return std::nullopt;
  ListEntry entry;
  entry.name = name;
  entry.has_children = existing_[end] > existing_[at_];
  entry.has_selected_below = selected_[end] > selected_[at_];
  return entry;
}

std::optional<ListEntry> ListWalk::listed(const ListedName& name) const {
  if (!matches_[at_]) return std::nullopt;
  const std::size_t begin = at_ + 1;
  const std::size_t end = end_of(name.name, begin);
  ListEntry entry;
  entry.name = name.name;
  entry.mailbox = name.mailbox ? &*name.mailbox : nullptr;
  entry.selected = is_selected(name);
  entry.subscribed = name.subscribed;
  entry.has_children = existing_[end] > existing_[begin];
  entry.has_selected_below = selected_[end] > selected_[begin];
  if (!entry.selected && !is_answered_for_descendants(begin, end)) return std::nullopt;
  return entry;
}

// The parents that it shares with the name before it are done.
void ListWalk::to_next_name() {
  ++at_;
  if (!is_done()) parent_octets_ = common_octets(names_[at_ - 1].name, names_[at_].name);
}

std::optional<ListEntry> ListWalk::next(SteadyTime deadline) {
  if (!prepare(deadline)) return std::nullopt;
  while (!is_done()) {
    if (steady_now() >= deadline) return std::nullopt;
    const ListedName& name = names_[at_];
    const std::size_t parent_end = name.name.find(kDelimiter, parent_octets_ + 1);
    std::optional<ListEntry> entry;
    if (parent_end != std::string::npos) {
      parent_octets_ = parent_end;
      entry = missing_parent(std::string_view(name.name).substr(0, parent_end));
    } else {
      entry = listed(name);
      to_next_name();
    }
    if (entry) return entry;
  }
  return std::nullopt;
}

}  // namespace twinpost::imap
