// How UIDLs are made of a message's UID and its mailbox's UIDVALIDITY, so that they are those of the server that
// people come from ("dovecot", "cyrus", "courier", "stalwart") or of the administrator's own form.
//
// A template is text of 0x21..0x7E with {uid} and {uidvalidity} in it, each as a decimal number, or with a
// format: {uid:x} is hexadecimal, {uid:08x} of eight digits at least, {uid:08} decimal likewise. A { or } of
// the text itself is doubled. {uid} must be there, and no UIDL may be longer than 70 octets (RFC 1939 section
// 7).
//
// Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace twinpost::config {

class UidlTemplate {
 public:
  // A name of the above, or a template. kInvalid says what is wrong with it.
  [[nodiscard]] static Result<UidlTemplate> parse(std::string_view text);

  [[nodiscard]] std::string make(std::uint32_t uid, std::uint32_t uid_validity) const;

 private:
  enum class What : std::uint8_t { kText, kUid, kUidValidity };
  struct Piece {
    What what = What::kText;
    std::string text;
    unsigned digits = 0;  // at least
    bool hexadecimal = false;
  };
  [[nodiscard]] static Result<Piece> parse_number(std::string_view inside);

  std::vector<Piece> pieces_;
};

}  // namespace twinpost::config
