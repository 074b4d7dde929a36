// FETCH without a session: a store with one mailbox, a client's view of it, and the walk that makes
// the responses.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imap/fetch_walk.h"
#include "imap/parser.h"
#include "tests/store/support.h"

namespace twinpost::imap::test {

// One FETCH response, read by other means than it was made: items by name ("BODY[1]<0>"), values as
// text. What is in parentheses stays as it is on the wire.
struct FetchResponse {
  SequenceNumber number = 0;
  std::map<std::string, std::string> items;
  std::map<std::string, char>
      forms;  // 'n' NIL, 'q' quoted, 'l' literal, '8' literal8, '(' list, 'a' atom
  [[nodiscard]] const std::string& at(const std::string& name) const;
};
// Throws std::runtime_error where it is not the grammar of RFC 9051 section 9.
std::vector<FetchResponse> parse_responses(std::string_view octets);

class FetchRig {
 public:
  FetchRig();

  // In INBOX; line ends in `text` may be LF. Returns its UID.
  store::Uid deliver(std::string_view text, const std::string& prefix = {},
                     store::FlagBits flags = 0, std::vector<std::string> keywords = {});
  store::Uid deliver_octets(std::string_view octets, const std::string& prefix = {},
                            store::FlagBits flags = 0, std::vector<std::string> keywords = {});
  // The client is told of all there is now.
  void select();
  void expunge(std::vector<std::uint32_t> uids);
  void set_flags(std::vector<std::uint32_t> uids, store::FlagBits flags);

  // "FETCH 1 (FLAGS)" or "UID FETCH ...": all that is sent for it before the tagged answer.
  std::string fetch(std::string_view command) { return fetch_from(*fixture.store, command); }
  std::string fetch_from(store::Store& store, std::string_view command);
  // Of the one message in it.
  FetchResponse one(std::string_view command);
  // "FETCH 1 item", its value.
  std::string item(std::string_view item, std::uint32_t number = 1);

  store::test::Fixture fixture;
  Selected selected;
  Style style;
  SliceSettings slices;

  // Of the last fetch():
  std::vector<std::uint32_t> unseen;
  std::vector<std::size_t> slice_octets;
  std::optional<Error> broken;
  FetchWalk::Troubles troubles;
  bool marks_seen = false;
};

}  // namespace twinpost::imap::test
