// The answer to SEARCH: what of the result is told and kept, and the line that tells it (RFC 3501
// 7.2.5, RFC 9051 7.3.4, RFC 4731, RFC 7162 3.1.5, RFC 9394). The line has no bound by its grammar,
// so it is written in pieces. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "imap/command.h"
#include "imap/search_run.h"
#include "imap/sequence_set.h"
#include "imap/uid_list.h"

namespace twinpost::imap {

// How much of the result `search` needs: enough for what it returns and saves.
[[nodiscard]] SearchExtent extent_of(const Search& search);

// Of the UIDs that it found, those that "$" holds after it (RFC 9051 6.4.4.1 table 4, RFC 9394 3.2
// table 1), which are also those whose highest modseq goes with the answer (RFC 4731 3.2): the ones
// that are returned.
[[nodiscard]] NumberSet chosen_by(const Search& search, const NumberSet& found);

// UIDs, all of them in `uids`, as message numbers.
[[nodiscard]] NumberSet numbers_of(const NumberSet& found, const UidList& uids);

// True where nothing is told: SAVE alone (RFC 9051 6.4.4).
[[nodiscard]] bool is_silent(const Search& search);

class SearchAnswer {
 public:
  // `found`: numbers or UIDs, whichever `search` asks for; more than extent_of() wants is fine.
  // `modseq`: 0 for none. `esearch`: the form of RFC 4731, otherwise that of RFC 3501.
  SearchAnswer(const Search& search, std::string_view tag, bool esearch, NumberSet found,
               std::uint64_t modseq);

  // Appends about `octets` more of the line, its CRLF at last. False once nothing was left.
  bool next(std::string& out, std::size_t octets);

 private:
  void begin_esearch(const Search& search, std::string_view tag, std::uint64_t modseq);
  void append_item(std::string& out);

  std::string head_;
  NumberSet set_;
  bool each_ = false;  // every number by itself, a space before it
  std::string tail_;
  std::size_t range_ = 0;
  std::uint32_t inside_ = 0;  // of a range whose numbers come one by one: how many went out
  bool is_done_ = false;
};

}  // namespace twinpost::imap
