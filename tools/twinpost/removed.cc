#include "tools/twinpost/removed.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <fmt/format.h>
#include <iterator>
#include <utility>

#include "core/base/ascii.h"
#include "core/mail/address.h"
#include "core/mail/encoded_word.h"
#include "core/mail/unicode.h"
#include "imap/search_text.h"
#include "store/names.h"
#include "tools/twinpost/shown.h"
#include "tools/twinpost/when.h"

namespace twinpost::tools {

namespace {

using namespace std::chrono_literals;

// A slice of reading ends after this time, but not before it has brought some rows: those of the
// same second that came before are passed over again.
constexpr auto kSliceTime = 20ms;
constexpr std::size_t kLeastRows = 500;

// Looks at the rows, filter and all.
class Search {
 public:
  Search(store::AccountId account, const RemovedFilter& filter, std::size_t most)
      : account_(account),
        filter_(filter),
        most_(most),
        mailbox_(filter.mailbox.empty() ? "" : store::canonical_name(filter.mailbox)),
        from_(key_of(filter.from)),
        subject_(key_of(filter.subject)) {
    if (filter.since) next_ = *filter.since;
    if (filter.ids && !filter.ids->empty()) next_ = filter.ids->begin()->time;
    next_ = std::max(next_, filter.kept_since);
  }

  // False once there is nothing more.
  Result<bool> slice(const store::ReadView& view) {
    const SteadyTime deadline = steady_now() + kSliceTime;
    std::size_t rows = 0;
    bool more = false;
    const auto walked =
        view.for_each_removed(account_, next_, [&](const store::RemovedMessage& removed) {
          if (last_ && removed.id <= *last_) return true;
          if (is_past(removed.id.time)) return false;
          if (rows >= kLeastRows && steady_now() >= deadline) {
            more = true;
            return false;
          }
          ++rows;
          last_ = removed.id;
          next_ = removed.id.time;
          look_at(view, removed);
          return true;
        });
    if (!walked) return tl::unexpected(walked.error());
    return more;
  }

  [[nodiscard]] std::vector<RemovedEntry> take() {
    return {std::make_move_iterator(found_.begin()), std::make_move_iterator(found_.end())};
  }

 private:
  [[nodiscard]] bool is_past(UnixTime time) const {
    if (filter_.until && time > *filter_.until) return true;
    return filter_.ids && (filter_.ids->empty() || time > filter_.ids->rbegin()->time);
  }

  // What can be told without looking at the message.
  [[nodiscard]] bool may_match(const store::RemovedMessage& removed) const {
    if (filter_.ids) return filter_.ids->count(removed.id) != 0;
    if (removed.how == store::Removal::kMoved && !filter_.moved) return false;
    if (!filter_.by.empty() && removed.remover.protocol != filter_.by) return false;
    return mailbox_.empty() || removed.mailbox_name == mailbox_;
  }

  void look_at(const store::ReadView& view, const store::RemovedMessage& removed) {
    if (!may_match(removed)) return;
    RemovedEntry entry;
    entry.removed = removed;
    // A message whose summary can't be read can be undeleted all the same.
    if (const auto summary = view.summary(removed.message.blob)) {
      const mail::Envelope& envelope = summary->message.envelope;
      entry.from = mail::decode_words(mail::format_addresses(envelope.from));
      imap::FieldText subject;
      subject.begin(envelope.subject.value_or(""));
      while (subject.next(entry.subject)) {
      }
    }
    if (!contains(entry.from, from_) || !contains(entry.subject, subject_)) return;
    found_.push_back(std::move(entry));
    if (most_ != 0 && found_.size() > most_) found_.pop_front();
  }

  // As IMAP's SEARCH compares headers (RFC 5051; a tab is a space), so that both find the same.
  static std::string key_of(std::string_view text) {
    std::string key = mail::unicode_casemap(text);
    std::replace(key.begin(), key.end(), '\t', ' ');
    return key;
  }
  static bool contains(std::string_view text, const std::string& wanted) {
    return wanted.empty() || key_of(text).find(wanted) != std::string::npos;
  }

  store::AccountId account_;
  const RemovedFilter& filter_;
  std::size_t most_;
  std::string mailbox_;
  std::string from_;
  std::string subject_;
  UnixTime next_{};
  std::optional<store::RemovedId> last_;
  std::deque<RemovedEntry> found_;
};

std::string who(const store::Remover& remover) {
  return fmt::format("{} {}", remover.protocol, remover.address);
}

}  // namespace

Result<std::vector<RemovedEntry>> find_removed(store::Store& store, const std::string& account,
                                               const RemovedFilter& filter, std::size_t most) {
  const auto found = store.read_now(
      [&](const store::ReadView& view) { return view.account(ascii::lower(account)); });
  if (!found) {
    if (found.error().code != ErrorCode::kNotFound) return tl::unexpected(found.error());
    return fail(ErrorCode::kNotFound,
                fmt::format("the store has no account named {}", ascii::printable(account)));
  }
  Search search(found->id, filter, most);
  for (bool more = true; more;) {
    const auto next =
        store.read_now([&](const store::ReadView& view) { return search.slice(view); });
    if (!next) return tl::unexpected(next.error());
    more = *next;
  }
  return search.take();
}

std::string_view to_string(store::Removal how) {
  switch (how) {
    case store::Removal::kExpunged: return "expunged";
    case store::Removal::kMailboxDeleted: return "mailbox deleted";
    case store::Removal::kMoved: return "moved";
  }
  return "";
}

server::Json to_json(const RemovedEntry& entry) {
  const store::RemovedMessage& removed = entry.removed;
  return {{"id", store::to_string(removed.id)},
          {"time", format_rfc3339(removed.id.time)},
          {"how", to_string(removed.how)},
          {"protocol", removed.remover.protocol},
          {"account", removed.remover.account},
          {"address", removed.remover.address},
          {"mailbox", removed.mailbox_name},
          {"uid", removed.id.uid.value()},
          {"from", entry.from},
          {"subject", entry.subject},
          {"size", removed.message.size},
          {"received", format_rfc3339(removed.message.internal_date.time)}};
}

void print_table(const std::vector<RemovedEntry>& entries) {
  fmt::print("{} {} {} {} {} {} {} {:>10}\n", column("ID", 22), column("REMOVED", 19),
             column("BY", 22), column("ACCOUNT", 20), column("MAILBOX", 16), column("FROM", 24),
             column("SUBJECT", 32), "OCTETS");
  for (const RemovedEntry& entry : entries) {
    const store::RemovedMessage& removed = entry.removed;
    // Ids are copied from here, so they are never cut.
    fmt::print("{:<22} {} {} {} {} {} {} {:>10}{}\n", store::to_string(removed.id),
               format_local(removed.id.time), column(who(removed.remover), 22),
               column(removed.remover.account, 20), column(removed.mailbox_name, 16),
               column(entry.from, 24), column(entry.subject, 32), removed.message.size,
               removed.how == store::Removal::kMoved ? " (moved)" : "");
  }
}

}  // namespace twinpost::tools
