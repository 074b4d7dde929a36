// FETCH responses: their items by name (RFC 9051 7.5.2).
#include <fmt/format.h>

#include "core/base/ascii.h"
#include "core/mail/date.h"
#include "tools/twinpost/transfer/imap_response.h"

namespace twinpost::tools {

namespace {

tl::unexpected<Error> malformed(std::string_view what) {
  return fail(ErrorCode::kInvalid,
              fmt::format("the server sent a FETCH response that is no IMAP: {}", what));
}

// RFC 9051's form, else any date that can be made out.
std::optional<mail::DateTime> read_date(const ImapValue& value) {
  if (!value.is_text()) return std::nullopt;
  if (auto strict = mail::parse_imap_date_time(value.text)) return strict;
  return mail::parse_date(value.text);
}

UnixTime time_of(const mail::DateTime& date) {
  return UnixTime(std::chrono::seconds(date.seconds));
}

std::vector<std::string> texts_of(ImapValue& value) {
  std::vector<std::string> texts;
  for (ImapValue& inner : value.list) {
    if (inner.is_text()) texts.push_back(std::move(inner.text));
  }
  return texts;
}

Result<void> read_item(std::string_view name, ImapValue& value, ImapFetched& out) {
  const auto is = [&](std::string_view wanted) { return ascii::equals_ignore_case(name, wanted); };
  if (is("UID")) {
    const auto number = value.number();
    if (!number || *number == 0 || *number > UINT32_MAX) return malformed("a UID is no number");
    out.uid = static_cast<std::uint32_t>(*number);
  } else if (is("RFC822.SIZE")) {
    const auto number = value.number();
    if (!number) return malformed("RFC822.SIZE is no number");
    out.size = *number;
  } else if (is("FLAGS")) {
    if (!value.is_list()) return malformed("FLAGS is no list");
    out.flags = texts_of(value);
  } else if (is("X-GM-LABELS")) {
    if (!value.is_list()) return malformed("X-GM-LABELS is no list");
    out.gmail_labels = texts_of(value);
  } else if (is("INTERNALDATE")) {
    if (const auto date = read_date(value)) {
      out.date = {time_of(*date), static_cast<std::int16_t>(date->zone_minutes)};
    }
  } else if (is("SAVEDATE")) {
    if (const auto date = read_date(value)) out.save_date = time_of(*date);
  } else if (is("BODY[]") || is("RFC822")) {
    if (value.is_list()) return malformed("BODY[] is a list");
    out.no_octets = value.kind == ImapValue::Kind::kNil;
    out.octets = std::move(value.text);
  } else if (is("BODY[HEADER]") || is("RFC822.HEADER")) {
    if (value.is_list()) return malformed("BODY[HEADER] is a list");
    out.header = std::move(value.text);
  }
  return {};
}

}  // namespace

Result<ImapFetched> read_fetch(ImapResponse response) {
  if (!response.fault.empty()) return malformed(response.fault);
  ImapFetched fetched;
  fetched.sequence = response.number;
  if (response.number == 0 || response.values.size() != 1 || !response.values.front().is_list())
    return malformed("it has no list of items");
  std::vector<ImapValue>& items = response.values.front().list;
  if (items.size() % 2 != 0) return malformed("an item has no value");
  for (std::size_t i = 0; i < items.size(); i += 2) {
    if (items[i].kind != ImapValue::Kind::kAtom) return malformed("an item has no name");
    if (auto read = read_item(items[i].text, items[i + 1], fetched); !read)
      return tl::unexpected(std::move(read.error()));
  }
  return fetched;
}

}  // namespace twinpost::tools
