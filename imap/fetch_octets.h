// The octets that a section of a message gives (RFC 9051 6.4.5, RFC 3516), made piece by piece.
//
// A literal's size comes before it, so a section is measured first. What the message holds as it
// stands costs nothing to measure. What is made of it (chosen header fields, decoded parts) is
// kept, once made, where it is small; a large one is made twice, first to count it and then to send
// it, so that memory does not grow with the message.
//
// One reader works on one section of one message, over as many read transactions as it takes; each
// call is given the view of the present one. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/mail/transfer_encoding.h"
#include "imap/fetch_header_filter.h"
#include "imap/section.h"
#include "store/read_view.h"

namespace twinpost::imap {

// A message that can be read: for the length of a call.
struct MessageBytes {
  const store::ReadView& view;
  const store::MessageRecord& record;
};

struct HeaderFieldsOf {
  const FieldNames* names;  // outlives the reader
  bool inverted;
};
struct DecodedFrom {
  mail::TransferEncoding encoding;
};
// What is done to the octets on their way.
using Making = std::variant<std::monostate, HeaderFieldsOf, DecodedFrom>;

class SectionReader {
 public:
  // Larger ones are not kept.
  static constexpr std::uint64_t kKept = std::uint64_t{128} * 1024;

  // `span`: in the message as clients see it (prefix and body). `may_keep`: what is made may be
  // kept where it is small.
  SectionReader(mail::Span span, Making making, std::optional<Partial> partial, bool may_keep);

  // Works until `deadline` at most, but does something always. True once size() is known.
  [[nodiscard]] Result<bool> measure(const MessageBytes& message, SteadyTime deadline);
  // What next() gives in all: the section, or the part of it that was asked for.
  [[nodiscard]] std::uint64_t size() const { return clip_.size(); }
  // There is a NUL among these. Of what needs no making this is not known, and false.
  [[nodiscard]] bool has_nul() const { return has_nul_; }

  [[nodiscard]] bool at_end() const { return sent_ == clip_.size(); }
  // Appends some more, about `most` octets at most; nothing where it only came nearer to what was
  // asked for. kCorrupt where the message does not give what was measured, or one that is sent as a
  // whole does not match its checksum: what this call appended must then not be sent.
  [[nodiscard]] Result<void> next(const MessageBytes& message, std::uint64_t most,
                                  std::string& out);

 private:
  // One pass over the span.
  struct Pass {
    std::variant<HeaderFieldFilter, mail::TransferDecoder> maker;
    std::uint64_t read = 0;  // octets of the span that the maker got
    std::uint64_t made = 0;  // octets that it gave
    bool finished = false;
  };

  [[nodiscard]] bool is_plain() const { return std::holds_alternative<std::monostate>(making_); }
  [[nodiscard]] bool is_kept() const { return may_keep_ && span_.size() <= kKept; }
  [[nodiscard]] Pass new_pass() const;
  // Reads the next piece of the span and appends what is made of it; at the span's end, the last of
  // it.
  [[nodiscard]] Result<void> go_on(const MessageBytes& message, Pass& pass, std::string& made);
  void settle(std::uint64_t total);
  [[nodiscard]] Result<bool> count_some(const MessageBytes& message);
  [[nodiscard]] Result<void> next_plain(const MessageBytes& message, std::uint64_t most,
                                        std::string& out);
  [[nodiscard]] Result<void> next_made(const MessageBytes& message, std::string& out);
  [[nodiscard]] Result<void> verify(const MessageBytes& message, std::string_view octets);

  mail::Span span_;
  Making making_;
  std::optional<Partial> partial_;
  bool may_keep_;

  bool measured_ = false;
  mail::Span clip_;  // of what the section gives
  bool has_nul_ = false;
  std::uint64_t sent_ = 0;  // octets of clip_
  std::uint32_t crc_ = 0;   // of the body's octets so far, where the whole message is read
  std::optional<Pass> pass_;
  std::string kept_;
};

}  // namespace twinpost::imap
