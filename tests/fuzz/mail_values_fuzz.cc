// The parsers of header values on anything: addresses, encoded words, dates, parameters; and the
// decoders of bodies. The first octet chooses.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/base/ascii.h"
#include "core/mail/address.h"
#include "core/mail/charset.h"
#include "core/mail/date.h"
#include "core/mail/encoded_word.h"
#include "core/mail/header.h"
#include "core/mail/html_text.h"
#include "core/mail/parameters.h"
#include "core/mail/transfer_encoding.h"
#include "core/mail/unicode.h"

namespace {

using namespace twinpost::mail;

void require(bool holds) {
  if (!holds) std::abort();
}

void addresses(std::string_view text) {
  const ParsedAddresses parsed = parse_addresses(text, 20);
  require(parsed.list.size() <= 21);
  bool in_group = false;
  for (const Address& address : parsed.list) {
    if (address.host) {
      require(address.mailbox.has_value());
    } else {
      require(address.mailbox.has_value() != in_group);
      in_group = !in_group;
    }
  }
  require(!in_group);
  (void)parse_addresses(format_addresses(parsed.list));
}

void words(std::string_view text) {
  const std::string decoded = decode_words(text);
  (void)decoded;
  const std::string encoded = encode_words(text, WordContext::kPhrase);
  require(twinpost::ascii::is_utf8(decode_words(encoded)));
}

void dates(std::string_view text) {
  if (const auto date = parse_date(text)) {
    const auto again = parse_date(format_date(date->seconds, date->zone_minutes));
    require(again && again->seconds == date->seconds);
  }
  (void)parse_imap_date(text);
  if (const auto date = parse_imap_date_time(text)) {
    const auto again =
        parse_imap_date_time(format_imap_date_time(date->seconds, date->zone_minutes));
    require(again && again->seconds == date->seconds);
  }
}

void parameters(std::string_view text) {
  const std::string value = unfold(text);
  require(parse_content_type(value, 50).parameters.list.size() <= 50);
  require(parse_disposition(value, 50).parameters.list.size() <= 50);
}

// In one piece and in two: the same.
void transfer(TransferEncoding encoding, std::string_view text) {
  const std::string whole = decode_transfer(encoding, text);
  TransferDecoder decoder(encoding);
  std::string pieces;
  decoder.decode(text.substr(0, text.size() / 2), pieces);
  decoder.decode(text.substr(text.size() / 2), pieces);
  decoder.finish(pieces);
  require(pieces == whole);
}

void charsets(std::string_view text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const auto converted = to_utf8(text.substr(0, end), text.substr(end));
  if (converted) require(twinpost::ascii::is_utf8(*converted));
  require(twinpost::ascii::is_utf8(guess_utf8(text)));
  require(twinpost::ascii::is_utf8(unicode_casemap(text)));
  if (const auto nfc = normalize_nfc(text)) require(normalize_nfc(*nfc) == nfc);
  std::string shown;
  HtmlText html;
  html.add(text, shown);
  html.finish(shown);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 8) {
    case 0: addresses(text); break;
    case 1: words(text); break;
    case 2: dates(text); break;
    case 3: parameters(text); break;
    case 4: transfer(TransferEncoding::kBase64, text); break;
    case 5: transfer(TransferEncoding::kQuotedPrintable, text); break;
    case 6: transfer(TransferEncoding::kUuencode, text); break;
    case 7: charsets(text); break;
  }
  return 0;
}
