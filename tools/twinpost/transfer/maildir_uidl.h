// What the old server showed as POP3 UIDLs, where it keeps no list of them: made of the message's UID, file name and so on by a
// format. Dovecot's is its pop3_uidl_format.
//
//   "%08Xu%08Xv" -> "0000000165b04985": %u UID, %v UIDVALIDITY, %f the file's base name, %g its GUID, %m the
//   MD5 of some header fields (mbox only); before the letter an optional offset and width ("%2.4u", "%08u": a 0 pads, else the
//   width cuts) and the changes X (hexadecimal), L (lower case), U (upper case). %% is a percent sign.
//
// Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "store/types.h"

namespace twinpost::tools {

struct UidlParts {
  store::Uid uid;
  store::UidValidity uid_validity;
  std::string base_name;
  std::string guid;
  std::string header_md5;
};

class UidlFormat {
 public:
  enum class Kind : std::uint8_t {
    kDetect,  // as the source is: Dovecot's default, Courier's, or none
    kNone,
    kCourier,  // the file's base name, as courierpop3d wrote it first
    kDovecot,  // a format
  };

  UidlFormat() = default;
  // "auto", "none", "courier" or a Dovecot format. kInvalid says what is wrong with it.
  [[nodiscard]] static Result<UidlFormat> parse(std::string_view text);
  [[nodiscard]] static UidlFormat dovecot_default();

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] bool uses(char variable) const;
  // kDovecot only. Empty where a part that the format names is not known.
  [[nodiscard]] std::string format(const UidlParts& parts) const;

 private:
  struct Field {
    std::string literal;  // before the variable
    char variable = 0;    // 0: only the literal
    int offset = 0;
    std::size_t width = 0;
    bool zero_padded = false;
    std::string changes;
  };
  Kind kind_ = Kind::kDetect;
  std::vector<Field> fields_;
};

// courierpop3d's first kind of UIDL: what is no plain printable character of the file name becomes "+XX".
[[nodiscard]] std::string courier_uidl(std::string_view base_name);

// What POP3 can show (RFC 1939 section 7: printable, no blanks) and the store can keep: up to 255 octets, since
// servers did not all keep to the RFC's 70.
[[nodiscard]] bool is_usable_uidl(std::string_view uidl);

}  // namespace twinpost::tools
