#include "imap/resync.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "imap/changed_pages.h"
#include "imap/list_lines.h"
#include "imap/mailbox_name.h"

namespace twinpost::imap {
namespace {

constexpr store::Uid kLastUid{std::numeric_limits<std::uint32_t>::max()};

// The UIDs that the client may know of (RFC 7162 3.2.5.1).
NumberSet reported(const QResync& request, const store::MailboxInfo& info) {
  if (request.known_uids) return *request.known_uids;
  NumberSet all;
  if (info.uid_next > store::Uid(1)) all.add(NumberRange{1, info.uid_next.value() - 1});
  return all;
}

// The UID up to which the client knows of every removal; 0: none.
std::uint32_t proven_up_to(const UidList& uids, const QResync& request) {
  if (!request.sequence_match) return 0;
  const auto& [numbers, known] = *request.sequence_match;
  std::uint32_t proven = 0;
  // Both sets go up together; the reader has checked that they are of one size.
  auto number_range = numbers.ranges().begin();
  auto uid_range = known.ranges().begin();
  std::uint64_t number_offset = 0;
  std::uint64_t uid_offset = 0;
  while (number_range != numbers.ranges().end() && uid_range != known.ranges().end()) {
    const std::uint64_t number = number_range->first + number_offset;
    if (number > uids.size()) break;
    const std::uint64_t uid = uid_range->first + uid_offset;
    if (uids.uid_at(static_cast<SequenceNumber>(number)).value() == uid) {
      proven = static_cast<std::uint32_t>(uid);
    }
    if (++number_offset == number_range->size()) {
      ++number_range;
      number_offset = 0;
    }
    if (++uid_offset == uid_range->size()) {
      ++uid_range;
      uid_offset = 0;
    }
  }
  return proven;
}

NumberSet intersection(const NumberSet& left, const NumberSet& right) {
  NumberSet both;
  auto a = left.ranges().begin();
  auto b = right.ranges().begin();
  while (a != left.ranges().end() && b != right.ranges().end()) {
    const std::uint32_t first = std::max(a->first, b->first);
    const std::uint32_t last = std::min(a->last, b->last);
    if (first <= last) both.add(NumberRange{first, last});
    if (a->last < b->last) {
      ++a;
    } else {
      ++b;
    }
  }
  return both;
}

}  // namespace

NumberSet missing_uids(const UidList& uids, store::Uid below, const QResync& request) {
  NumberSet missing;
  std::uint64_t next = std::uint64_t{proven_up_to(uids, request)} + 1;
  const auto add = [&missing](std::uint64_t first, std::uint64_t end) {
    if (first >= end) return;
    missing.add(
        NumberRange{static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(end - 1)});
  };
  uids.for_each_run(store::Uid(1), kLastUid,
                    [&](store::Uid first, store::Uid last, SequenceNumber) {
                      add(next, first.value());
                      next = std::max<std::uint64_t>(next, std::uint64_t{last.value()} + 1);
                    });
  add(next, below.value());
  return missing;
}

Result<Resync> resynchronize(const store::ReadView& view, store::MailboxKey key,
                             const store::MailboxInfo& info, const UidList& uids,
                             const QResync& request) {
  Resync resync;
  const store::ModSeq since(request.mod_seq);
  resync.asked = reported(request, info);
  const NumberSet& asked = resync.asked;
  if (since >= info.highest_modseq) return resync;
  auto changes = view.changes_since(key, since, kChangedPage);
  if (changes) {
    for (const store::Uid uid : changes->vanished) {
      if (asked.contains(uid.value())) resync.vanished.add(uid.value());
    }
    resync.changed = std::move(changes->changed);
    resync.rest_from = changes->rest_from;
  } else if (changes.error().code == ErrorCode::kInvalid) {
    resync.vanished = intersection(missing_uids(uids, info.uid_next, request), asked);
    auto page = next_changed(view, key, since, store::Uid(1));
    if (!page) return tl::unexpected(page.error());
    resync.changed = std::move(page->changed);
    resync.rest_from = page->rest_from;
  } else {
    return tl::unexpected(changes.error());
  }
  return resync;
}

Result<std::string> list_line(const store::ReadView& view, store::AccountId account,
                              const store::MailboxInfo& info, std::string_view wire,
                              const Style& style) {
  const auto all = view.mailboxes(account);
  if (!all) return tl::unexpected(all.error());
  const std::string below = info.name + kDelimiter;
  const bool has_children =
      std::any_of(all->begin(), all->end(),
                  [&](const store::MailboxInfo& other) { return other.name.starts_with(below); });
  std::string attributes(child_attribute(&info, has_children));
  if (info.subscribed) attributes += " \\Subscribed";
  const std::string_view use = special_use_name(info.special_use);
  if (!use.empty()) {
    attributes += ' ';
    attributes += use;
  }
  std::string line;
  if (was_normalized(wire, info.name, style.utf8)) {
    append_oldname_line(line, info.name, wire, attributes, style);
    return line;
  }
  line = "* LIST (" + attributes + ") \"/\" ";
  append_mailbox(line, info.name, style);
  line += "\r\n";
  return line;
}

}  // namespace twinpost::imap
