// Content-Transfer-Encodings (RFC 2045 section 6), decoded piece by piece. Tolerant: never fails,
// says what was damaged.
//
// A decoder keeps less than 2 KiB, whatever comes in. Line ends in text stay as they are. One
// thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace twinpost::mail {

enum class TransferEncoding : std::uint8_t {
  kIdentity,  // 7bit, 8bit, binary
  kBase64,
  kQuotedPrintable,
  kUuencode,  // uuencode, x-uuencode, x-uue
  kUnknown,   // octets pass unchanged, as with kIdentity
};

// By name, any case; the empty name is 7bit.
[[nodiscard]] TransferEncoding transfer_encoding(std::string_view name);

class TransferDecoder {
 public:
  explicit TransferDecoder(TransferEncoding encoding) : encoding_(encoding) {}

  // Appends the decoded octets.
  //  base64: octets outside the alphabet are skipped; after "=" a new run may begin (mailers that
  //  encode line by line do so). quoted-printable: soft line breaks with blanks after the "=",
  //  lower case digits, blanks before a line end removed (RFC 2045 6.7 rule 3; runs longer than
  //  1,000 stay); a "=" that encodes nothing stays.
  void decode(std::string_view octets, std::string& out);
  // What was held back. The decoder may be used again afterwards, from the start.
  void finish(std::string& out);
  // True once something was skipped or kept that the encoding does not allow.
  [[nodiscard]] bool damaged() const { return damaged_; }

 private:
  void base64(std::string_view octets, std::string& out);
  void end_quantum(std::string& out);
  void quoted_printable(std::string_view octets, std::string& out);
  void plain_octet(char c, std::string& out);
  void escaped_octet(char c, std::string& out);
  void uuencode(std::string_view octets, std::string& out);
  void uuencoded_line(std::string_view line, std::string& out);

  TransferEncoding encoding_;
  bool damaged_ = false;
  std::uint32_t bits_ = 0;  // base64: digits of the quantum that is not full
  unsigned digits_ = 0;
  std::string
      held_;  // quoted-printable: blanks, or "=" and what follows; uuencode: the line so far
  bool escape_ = false;    // quoted-printable: held_ begins with '='
  bool inside_ = false;    // uuencode: between "begin" and "end"
  bool overlong_ = false;  // uuencode: the line so far is too long to be one
};

[[nodiscard]] std::string decode_transfer(TransferEncoding encoding, std::string_view octets);

}  // namespace twinpost::mail
