#include "imap/search_text.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/base/ascii.h"
#include "core/mail/encoded_word.h"
#include "core/mail/header.h"

namespace twinpost::imap {
namespace {

constexpr std::size_t kFieldPiece = std::size_t{64} * 1024;

// Octets of the UTF-8 character that `lead` begins; 0 where it begins none.
std::size_t character_size(char lead) {
  const auto octet = static_cast<unsigned char>(lead);
  if (octet < 0x80) return 1;
  if (octet < 0xC2 || octet > 0xF4) return 0;
  return octet < 0xE0 ? 2 : octet < 0xF0 ? 3 : 4;
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

const std::string& windows_1252(char c) {
  static const auto table = [] {
    std::array<std::string, 128> made;
    for (std::size_t i = 0; i < made.size(); ++i) {
      const char octet = static_cast<char>(i + 128);
      made[i] = mail::to_utf8("windows-1252", {&octet, 1}).value_or("?");
    }
    return made;
  }();
  return table[static_cast<unsigned char>(c) - 128U];
}

bool is_guessed(std::string_view charset) {
  charset = ascii::trim(charset);
  for (const std::string_view name : {"", "utf-8", "utf8", "us-ascii", "ascii"}) {
    if (ascii::equals_ignore_case(charset, name)) return true;
  }
  return false;
}

// True where the blank at `at` stands between two encoded words: RFC 2047 6.2 drops it, and mailers
// split characters there.
bool is_between_words(std::string_view line, std::size_t at) {
  const std::size_t before = line.find_last_not_of(' ', at);
  const std::size_t after = line.find_first_not_of(' ', at);
  return before != std::string_view::npos && after != std::string_view::npos && before > 0 &&
         line.substr(before - 1, 2) == "?=" && line.substr(after, 2) == "=?";
}

std::size_t piece_of(std::string_view line) {
  if (line.size() <= kFieldPiece) return line.size();
  std::size_t blank = line.rfind(' ', kFieldPiece);
  const std::size_t any_blank = blank;
  while (blank != std::string_view::npos && blank > kFieldPiece / 2 &&
         is_between_words(line, blank)) {
    blank = line.rfind(' ', blank - 1);
  }
  if (blank == std::string_view::npos || blank <= kFieldPiece / 2) blank = any_blank;
  if (blank != std::string_view::npos && blank > 0) return blank;
  std::size_t size = kFieldPiece;  // no blank at all: at least between two characters
  while (size > kFieldPiece - 4 && is_continuation(line[size])) --size;
  return size;
}

}  // namespace

TextDecoder::TextDecoder(std::string_view charset) {
  if (!is_guessed(charset)) named_ = mail::CharsetDecoder::open(charset);
}

void TextDecoder::decode(std::string_view octets, std::string& utf8) {
  if (named_) {
    named_->decode(octets, utf8);
  } else {
    guess(octets, false, utf8);
  }
}

void TextDecoder::finish(std::string& utf8) {
  if (named_) {
    named_->finish(utf8);
  } else {
    guess({}, true, utf8);
  }
}

void TextDecoder::guess(std::string_view octets, bool at_end, std::string& utf8) {
  std::string joined;
  if (!held_.empty()) {
    joined = std::move(held_);
    joined += octets;
    octets = joined;
    held_.clear();
  }
  std::size_t plain = 0;  // where octets begin that go out as they are
  std::size_t at = 0;
  while (at < octets.size()) {
    if (!ascii::is_8bit(octets[at])) {
      ++at;
      continue;
    }
    const std::size_t size = character_size(octets[at]);
    std::size_t have = 1;
    while (have < size && at + have < octets.size() && is_continuation(octets[at + have])) ++have;
    const bool is_cut = size > have && at + have == octets.size();
    if (is_cut && !at_end) break;
    if (size == have && ascii::is_utf8(octets.substr(at, size))) {
      at += size;
      continue;
    }
    utf8 += octets.substr(plain, at - plain);
    utf8 += windows_1252(octets[at]);
    plain = ++at;
  }
  utf8 += octets.substr(plain, at - plain);
  held_ = std::string(octets.substr(at));
}

void TextWindow::begin(TextPlace place, std::string_view field) {
  place_ = place;
  field_ = ascii::lower(field);
  casemap_ = {};
  text_.clear();
  searched_ = next_needle_ = longest_ = 0;
  is_new_ = true;  // an empty needle is found in an empty text too
}

// What is left of the text before is what a match may begin in.
void TextWindow::append(std::string_view key) {
  if (!is_new_) {
    const std::size_t keep = std::min(text_.size(), longest_ > 0 ? longest_ - 1 : 0);
    text_.erase(0, text_.size() - keep);
    searched_ = text_.size();
    is_new_ = true;
  }
  text_ += key;
  next_needle_ = longest_ = 0;
}

void TextWindow::add(std::string_view utf8) {
  std::string key;
  casemap_.add(utf8, key);
  append(key);
}

void TextWindow::end() {
  std::string key;
  casemap_.finish(key);
  append(key);
}

bool TextWindow::applies(const Needle& needle) const {
  switch (place_) {
    case TextPlace::kField:
      return needle.scope == Needle::Scope::kField && !field_.empty() && needle.field == field_;
    case TextPlace::kHeader: return needle.scope == Needle::Scope::kText;
    case TextPlace::kInnerHeader:
    case TextPlace::kBody: break;
  }
  return needle.scope != Needle::Scope::kField;
}

std::string_view TextWindow::key_of(const Needle& needle) const {
  return place_ == TextPlace::kBody ? needle.key : needle.header_key;
}

bool TextWindow::search(std::vector<Needle>& needles, const SliceTimer& timer) {
  constexpr std::size_t kLookAtClock = 16;
  if (!is_new_) return true;
  for (; next_needle_ < needles.size(); ++next_needle_) {
    Needle& needle = needles[next_needle_];
    if (needle.found || !needle.wanted || !applies(needle)) continue;
    const std::string_view key = key_of(needle);
    longest_ = std::max(longest_, key.size());
    const std::size_t overlap = key.empty() ? 0 : key.size() - 1;
    const std::size_t from = searched_ > overlap ? searched_ - overlap : 0;
    // memmem is linear also where the needle almost matches everywhere; string_view::find is not.
    needle.found = key.empty() || ::memmem(text_.data() + from, text_.size() - from, key.data(),
                                           key.size()) != nullptr;
    if (next_needle_ % kLookAtClock == kLookAtClock - 1 && timer.is_over()) {
      ++next_needle_;
      return false;
    }
  }
  is_new_ = false;
  return true;
}

void FieldText::begin(std::string_view raw) {
  line_ = mail::unfold(raw);
  std::replace(line_.begin(), line_.end(), '\t', ' ');
  at_ = 0;
}

bool FieldText::next(std::string& utf8) {
  if (at_ >= line_.size()) return false;
  const std::size_t size = piece_of(std::string_view(line_).substr(at_));
  utf8 += mail::decode_words(std::string_view(line_).substr(at_, size));
  at_ += size;
  return true;
}

}  // namespace twinpost::imap
