// The lines that tell of mailboxes: LIST, LSUB and STATUS responses (RFC 9051 7.3.1 and 7.3.4, RFC
// 3501 7.2.3). Each appends to `out`. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "imap/command.h"
#include "imap/list_walk.h"
#include "imap/response.h"
#include "store/read_view.h"

namespace twinpost::imap {

struct ListLineOptions {
  bool subscribed = false;  // \Subscribed is shown
  // CHILDINFO, and what of; none without RECURSIVEMATCH (RFC 9051 6.3.9.6).
  bool child_subscribed = false;
  bool child_special_use = false;
};

// \HasChildren, \HasNoChildren or, where there can be none, \NoInferiors, which implies the latter
// (RFC 9051 6.3.9.4). `mailbox` is null where the name is that of none.
[[nodiscard]] std::string_view child_attribute(const store::MailboxInfo* mailbox,
                                               bool has_children);

// Which of these it is, and the special use, are always there. A name that does not exist
// is \Noselect too, for clients that do not know \NonExistent (RFC 5258 section 3 has it implied).
void append_list_line(std::string& out, const ListEntry& entry, const ListLineOptions& options,
                      const Style& style);
// RFC 3501 6.3.9: a name that is there only for those below it is \Noselect.
void append_lsub_line(std::string& out, const ListEntry& entry, const Style& style);

// RFC 9051 6.3.9.7: `name` is what the store made of `wire`, which the client sent. `attributes` as
// "\NonExistent".
void append_oldname_line(std::string& out, std::string_view name, std::string_view wire,
                         std::string_view attributes, const Style& style);
// True where `name` is not what was sent, but in form NFC. INBOX in another case, and a delimiter
// at the end, are no other form.
[[nodiscard]] bool was_normalized(std::string_view wire, std::string_view name, bool utf8);

struct StatusValues {
  const store::MailboxInfo& mailbox;
  std::uint32_t recent = 0;
  std::uint64_t append_limit = 0;    // 0: NIL (RFC 7889 section 3)
  std::uint64_t deleted_octets = 0;  // DELETED-STORAGE (RFC 9208 section 4.1.4)
};
void append_status_line(std::string& out, StatusItems items, const StatusValues& values,
                        const Style& style);

// \Recent messages: those that no read-write SELECT has seen. From the counters, but for a mailbox
// that was selected and got messages since: these are counted.
[[nodiscard]] Result<std::uint32_t> count_recent(const store::ReadView& view,
                                                 store::AccountId account,
                                                 const store::MailboxInfo& mailbox);

}  // namespace twinpost::imap
