// Address lists (RFC 5322 section 3.4 and 4.4, RFC 6532), read into what ENVELOPE shows. Pure; any
// thread.
//
// Never fails: every list gives the addresses that can be made out, in their order. Linear in the
// text.
//   - obsolete forms: routes, blanks and comments anywhere, empty list elements, words around dots;
//   - "user@host (Name)" takes its name from the comment, where there is no other;
//   - broken ones, as mail programs read them: ";" outside a group separates like ",", an unquoted
//   address as a
//     display name, a missing ">" or comma, "<<a@b>>". A lone word is a mailbox with the host "",
//     several words are a name with mailbox and host "": host is absent for groups only (RFC
//     9051 7.5.2).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/mail/message.h"

namespace twinpost::mail {

struct ParsedAddresses {
  AddressList list;
  bool malformed = false;  // something was not RFC 5322, obsolete syntax included
  bool cut = false;        // there were more than the limit
};

// `value` may be folded or not. `limit`: entries of the list, groups' starts and ends among them; a
// group that is open at the limit still gets its end, as one entry more.
[[nodiscard]] ParsedAddresses parse_addresses(std::string_view value, std::size_t limit = 10'000);

// One address as a header has it: name quoted where it must be (encoded words never), `local@host`,
// a route kept.
[[nodiscard]] std::string format_address(const Address& address);
// A list, groups in "name: a, b;" form, on one line.
[[nodiscard]] std::string format_addresses(const AddressList& list);

}  // namespace twinpost::mail
