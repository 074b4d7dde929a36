// Content-Type and Content-Disposition values: types and parameters (RFC 2045 5.1, RFC 2183, RFC
// 2231).
//
// Never fails; broken ones are read as clients read them: unquoted values may hold blanks and 8-bit
// octets, a quote that is not closed ends with the field, parameters without "=" are skipped. Close
// to linear (n log n in the count of continued parameters). `value` must be unfolded. Pure; any
// thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/mail/message.h"

namespace twinpost::mail {

struct ParsedParameters {
  std::vector<Parameter> list;
  bool malformed = false;
  bool cut = false;  // there were more than the limit
};

// `text`: what follows the type, from the first ";". Of a name that is there more than once all are
// kept, in their order; a decoded RFC 2231 value ("name*", "name*0"...) stands in place of plain
// ones of its name. Sections that do not continue from 0 without a gap stay parameters of their own
// ("name*3"). `limit` counts what is written, before sections are joined.
[[nodiscard]] ParsedParameters parse_parameters(std::string_view text, std::size_t limit = 10'000);

struct ContentType {
  std::string type;  // lower case; both empty where there is none to be made out
  std::string subtype;
  ParsedParameters parameters;
};
// "text" alone means text/plain and "multipart" alone multipart/mixed; "application",
// "image", "audio" and "video" alone mean octets (all malformed).
[[nodiscard]] ContentType parse_content_type(std::string_view value, std::size_t limit = 10'000);

struct Disposition {
  std::string kind;  // lower case, or empty
  ParsedParameters parameters;
};
[[nodiscard]] Disposition parse_disposition(std::string_view value, std::size_t limit = 10'000);

// The first of that name (lower case), or nullptr.
[[nodiscard]] const Parameter* find_parameter(const std::vector<Parameter>& list,
                                              std::string_view name);

}  // namespace twinpost::mail
