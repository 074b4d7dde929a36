// The search inside one message: its header fields and its text, piece by piece, so that a message
// of any size takes little memory, and any time: the scan stops when its slice is over and goes on
// in the next one.
//
// What is searched:
//   HEADER (FROM, ...)  each field of that name in the message's header, by itself, unfolded and
//                       decoded (RFC 2047)
//   TEXT                the header, the MIME headers of the parts, and what BODY searches
//   BODY                every text part, decoded (RFC 2045) and converted to Unicode; the headers
//                       and texts of messages in the message (as Cyrus has it: only the outermost
//                       header is no body); whatever of a multipart or message could not be taken
//                       apart, as text
// Parts of other types are left out (RFC 9051 6.4.4), so are preambles and epilogues. HTML is
// searched as it is written, with its tags, and again as it is read: without them, its character
// references resolved. A match lies within one of these texts, anywhere in it: over line ends,
// encoded words and the pieces here.
//
// A header is taken apart for its first kHeaderOctets; what is beyond is text. Worker threads; one
// at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/mail/header.h"
#include "core/mail/html_text.h"
#include "core/mail/message.h"
#include "core/mail/transfer_encoding.h"
#include "imap/search_text.h"
#include "store/read_view.h"

namespace twinpost::imap {

class MessageScan {
 public:
  static constexpr std::uint64_t kHeaderOctets = 1'048'576;  // as mail::MessageLimits

  enum class State : std::uint8_t { kMore, kFound, kEnd };

  // For the fields of the header: `header_octets` of the body are its header.
  MessageScan(const store::MessageRecord& record, std::uint64_t header_octets,
              std::vector<Needle> needles, std::size_t piece_octets);
  // For texts too: all of the message.
  MessageScan(const store::MessageRecord& record, const mail::Part& root,
              std::vector<Needle> needles, std::size_t piece_octets);
  MessageScan(const MessageScan&) = delete;
  MessageScan& operator=(const MessageScan&) = delete;

  // kFound: at least one needle more is found. kMore: the time is over. kEnd: the others are not in
  // it.
  [[nodiscard]] Result<State> step(const store::ReadView& view, const SliceTimer& timer);

  [[nodiscard]] std::vector<Needle>& needles() { return needles_; }

 private:
  // A text of its own: [begin, end) of the message as clients see it.
  struct Segment {
    enum class Kind : std::uint8_t { kTopHeader, kPartHeader, kInnerHeader, kText, kHtml };
    Kind kind = Kind::kText;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    mail::TransferEncoding encoding = mail::TransferEncoding::kIdentity;
    std::string charset;
    [[nodiscard]] bool is_header() const { return kind < Kind::kText; }
  };

  void add_part(const mail::Part& part, Segment::Kind header_kind);
  void add_content(const mail::Part& part);
  [[nodiscard]] bool is_wanted(Segment::Kind kind) const;
  [[nodiscard]] bool has_wanted(Needle::Scope scope) const;
  [[nodiscard]] std::size_t count_found() const;

  Result<void> feed(const store::ReadView& view);
  void begin_segment(const Segment& segment);
  void end_segment();
  void begin_field(const mail::HeaderField& field);
  void feed_field();
  Result<void> feed_octets(const store::ReadView& view, std::uint64_t end);
  void take_text(std::string_view utf8);

  const store::MessageRecord& record_;
  std::vector<Needle> needles_;
  std::size_t piece_octets_;
  std::vector<Segment> segments_;
  std::size_t segment_ = 0;
  bool is_inside_ = false;        // of segments_[segment_]
  bool has_text_needle_ = false;  // TEXT or BODY, at its beginning
  bool is_searched_ = true;       // nothing was fed that is not searched

  TextWindow text_;
  TextWindow second_;  // of HTML, the text as it is read; of the header, the fields one by one
  // Inside a header: its first octets, and how many of them are used.
  std::string header_;
  std::size_t header_at_ = 0;
  std::size_t field_end_ = 0;  // of the field at work, 0 where there is none
  bool has_value_needle_ = false;
  FieldText field_text_;
  FieldText field_value_;
  // Inside a content, or the far end of a header.
  std::uint64_t at_ = 0;
  std::unique_ptr<mail::TransferDecoder> transfer_;
  std::unique_ptr<TextDecoder> charset_;
  std::unique_ptr<mail::HtmlText> html_;
};

}  // namespace twinpost::imap
