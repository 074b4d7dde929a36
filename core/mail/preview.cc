#include "core/mail/preview.h"

#include <unicode/uchar.h>

#include "core/base/ascii.h"
#include "core/mail/charset.h"
#include "core/mail/html_text.h"
#include "core/mail/parameters.h"
#include "core/mail/transfer_encoding.h"

namespace twinpost::mail {

namespace {

constexpr std::size_t kMaxLookedAt = std::size_t{4} << 20;
constexpr std::size_t kPiece = 4096;

// Folds UTF-8 text into the preview until it is full. Characters may be cut between pieces.
class Folder {
 public:
  [[nodiscard]] bool full() const { return characters_ >= kPreviewCharacters; }

  void add(std::string_view utf8) {
    text_ += utf8;
    std::size_t at = 0;
    while (at < text_.size() && !full()) {
      const std::size_t size = sequence_size(text_[at]);
      if (at + size > text_.size()) break;
      character(std::string_view(text_).substr(at, size));
      at += size;
    }
    text_.erase(0, at);
  }

  std::string take() { return std::move(preview_); }
  [[nodiscard]] bool empty() const { return preview_.empty(); }

 private:
  static std::size_t sequence_size(char lead) {
    const auto octet = static_cast<unsigned char>(lead);
    return octet < 0xC0 ? 1 : octet < 0xE0 ? 2 : octet < 0xF0 ? 3 : 4;
  }

  // What newsletters pad their previews with.
  static bool is_filler(UChar32 c) {
    return c == 0xAD || c == 0x34F || c == 0x200B || c == 0x2060 || c == 0xFEFF;
  }

  void character(std::string_view octets) {
    UChar32 c = 0;
    if (!ascii::is_utf8(octets)) return;
    if (octets.size() == 1) {
      c = static_cast<unsigned char>(octets.front());
    } else {
      c = static_cast<unsigned char>(octets.front()) & (0xFF >> (octets.size() + 1));
      for (const char next : octets.substr(1)) {
        c = static_cast<UChar32>((c << 6) | (static_cast<unsigned char>(next) & 0x3F));
      }
    }
    if (is_filler(c)) return;
    if (u_isUWhiteSpace(c) != 0 || u_iscntrl(c) != 0) {
      blank_ = !preview_.empty();
      return;
    }
    if (blank_) {
      blank_ = false;
      if (++characters_ + 1 > kPreviewCharacters) return;  // no room for more than the blank
      preview_ += ' ';
    }
    preview_ += octets;
    ++characters_;
  }

  std::string text_;  // a character cut short
  std::string preview_;
  std::size_t characters_ = 0;
  bool blank_ = false;
};

class PreviewMaker {
 public:
  explicit PreviewMaker(std::string_view octets) : octets_(octets) {}

  std::string make(const Part& root) {
    for (const std::string_view subtype : {"plain", "html"}) {
      looked_at_ = 0;
      std::string preview = first_text(root, subtype);
      if (!preview.empty()) return preview;
    }
    return {};
  }

 private:
  // Recursion is as deep as the tree, which parse_message() limits.
  std::string first_text(const Part& part, std::string_view subtype) {
    if (part.disposition == "attachment") return {};
    if (part.type == "text" && part.subtype == subtype) return text_of(part);
    for (const Part& child : part.children) {
      if (looked_at_ >= kMaxLookedAt) break;
      std::string preview = first_text(child, subtype);
      if (!preview.empty()) return preview;
    }
    return {};
  }

  std::string text_of(const Part& part) {
    std::string_view body = octets_.substr(part.body.begin, part.body.size());
    const Parameter* charset = find_parameter(part.parameters, "charset");
    auto decoder =
        CharsetDecoder::open(charset == nullptr ? "us-ascii" : std::string_view(charset->value));
    if (!decoder) decoder = CharsetDecoder::open("UTF-8");
    if (!decoder) return {};
    TransferDecoder transfer(transfer_encoding(part.encoding));
    HtmlText html;
    const bool is_html = part.subtype == "html";
    Folder folder;
    std::string octets;
    std::string utf8;
    std::string text;
    const auto fold = [&] {
      if (is_html) {
        html.add(utf8, text);
        folder.add(text);
      } else {
        folder.add(utf8);
      }
      utf8.clear();
      text.clear();
    };
    while (!body.empty() && !folder.full() && looked_at_ < kMaxLookedAt) {
      const std::string_view piece = body.substr(0, kPiece);
      body.remove_prefix(piece.size());
      looked_at_ += piece.size();
      octets.clear();
      transfer.decode(piece, octets);
      decoder->decode(octets, utf8);
      fold();
    }
    if (!body.empty()) return folder.take();  // what is held back is not the end
    octets.clear();
    transfer.finish(octets);
    decoder->decode(octets, utf8);
    decoder->finish(utf8);
    fold();
    if (is_html) {
      html.finish(text);
      folder.add(text);
    }
    return folder.take();
  }

  std::string_view octets_;
  std::size_t looked_at_ = 0;
};

}  // namespace

std::string make_preview(std::string_view octets, const Part& root) {
  return PreviewMaker(octets).make(root);
}

}  // namespace twinpost::mail
