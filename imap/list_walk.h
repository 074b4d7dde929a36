// Which names a LIST or LSUB answers with (RFC 9051 6.3.9, RFC 5258, RFC 6154, RFC 3501 6.3.9).
// Pure; any one thread at a time.
//
// A name is selected where it meets the selection options (none: where it exists). What is answered
// (RFC 9051 6.3.9.3):
//   - names that match a pattern and are selected;
//   - names that match and are not selected, but have a descendant that is and that matches no
//     pattern: with RECURSIVEMATCH (CHILDINFO), and without any selection option (6.3.9.6:
//     \NonExistent \HasChildren). They need not exist.
// A parent whose selected descendants all match is not answered: it would be redundant.
//
// Names are walked in hierarchical order: INBOX and what is below it first, then by octets with the
// delimiter before all others, so that a parent comes right before its descendants, and each range
// of descendants is one run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "imap/mailbox_name.h"
#include "store/types.h"

namespace twinpost::imap {

// A name that exists, is subscribed, or both.
struct ListedName {
  std::string name;
  std::optional<store::MailboxInfo> mailbox;  // without its keywords
  bool subscribed = false;
};

// In the order above.
[[nodiscard]] bool hierarchical_less(std::string_view left, std::string_view right);
[[nodiscard]] bool is_below(std::string_view name, std::string_view parent);

// Each name once, in hierarchical order.
[[nodiscard]] std::vector<ListedName> listed_names(std::vector<store::MailboxInfo> mailboxes,
                                                   std::vector<std::string> subscriptions);

struct ListRequest {
  std::vector<ListPattern> patterns;
  bool subscribed = false;       // selection options: all that are set must hold
  bool special_use = false;      // ditto
  bool recursive_match = false;  // beside one of them
};

struct ListEntry {
  std::string_view name;                        // good as long as the walk
  const store::MailboxInfo* mailbox = nullptr;  // ditto; null: \NonExistent
  bool selected = false;                        // false: answered for the sake of its descendants
  bool subscribed = false;
  bool has_children = false;        // mailboxes below it
  bool has_selected_below = false;  // CHILDINFO
};

class ListWalk {
 public:
  // `names` as listed_names() makes them.
  ListWalk(std::vector<ListedName> names, ListRequest request);

  // The next entry; nullopt at the end (is_done()), or where `deadline` has passed: to be called
  // again then.
  [[nodiscard]] std::optional<ListEntry> next(SteadyTime deadline);
  [[nodiscard]] bool is_done() const { return at_ == names_.size(); }

 private:
  [[nodiscard]] bool prepare(SteadyTime deadline);
  [[nodiscard]] bool matches(std::string_view name) const;
  [[nodiscard]] bool is_selected(const ListedName& name) const;
  [[nodiscard]] std::size_t end_of(std::string_view parent, std::size_t from) const;
  [[nodiscard]] std::optional<ListEntry> missing_parent(std::string_view name) const;
  [[nodiscard]] std::optional<ListEntry> listed(const ListedName& name) const;
  [[nodiscard]] bool is_answered_for_descendants(std::size_t begin, std::size_t end) const;
  void to_next_name();

  std::vector<ListedName> names_;
  ListRequest request_;
  // How many of the first n names: exist, are selected, are selected and match no pattern.
  std::vector<std::uint32_t> existing_ = {0};
  std::vector<std::uint32_t> selected_ = {0};
  std::vector<std::uint32_t> unmatched_ = {0};
  std::vector<bool> matches_;  // of those that have been looked at
  std::size_t at_ = 0;
  std::size_t parent_octets_ = 0;  // of names_[at_]: the parents up to here have been walked
};

}  // namespace twinpost::imap
