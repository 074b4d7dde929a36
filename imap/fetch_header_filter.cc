#include "imap/fetch_header_filter.h"

#include <algorithm>

#include "core/base/ascii.h"

namespace twinpost::imap {

FieldNames::FieldNames(const std::vector<std::string_view>& names) {
  names_.reserve(names.size());
  for (const std::string_view name : names) {
    names_.push_back(ascii::lower(name));
    longest_ = std::max(longest_, name.size());
  }
  std::sort(names_.begin(), names_.end());
}

bool FieldNames::contains(std::string_view name) const {
  if (name.size() > longest_) return false;
  return std::binary_search(names_.begin(), names_.end(), ascii::lower(name));
}

void HeaderFieldFilter::add(std::string_view piece, std::string& out) {
  out_ = &out;
  while (!piece.empty() && state_ != State::kEnd) {
    switch (state_) {
      case State::kLineStart:
        // A line that begins with a blank goes on with the field before it (RFC 5322 2.2.3).
        if (ascii::is_blank(piece.front())) {
          state_ = State::kRest;
          break;
        }
        [[fallthrough]];
      case State::kFirstLine: state_ = State::kName; break;
      case State::kName: piece.remove_prefix(name(piece)); break;
      case State::kRest: {
        const auto newline = piece.find('\n');
        const std::size_t end = newline == std::string_view::npos ? piece.size() : newline + 1;
        keep(piece.substr(0, end));
        piece.remove_prefix(end);
        if (newline != std::string_view::npos) state_ = State::kLineStart;
        break;
      }
      case State::kEnd: break;
    }
  }
}

// To the colon, the line's end, or the end of what is here.
std::size_t HeaderFieldFilter::name(std::string_view piece) {
  const std::string_view part = piece.substr(0, kMaxFieldName - held_.size());
  const auto stop = part.find_first_of(":\n");
  if (stop == std::string_view::npos) {
    held_ += part;
    if (held_.size() == kMaxFieldName) decide(false);
    return part.size();
  }
  const bool has_colon = piece[stop] == ':';
  held_ += piece.substr(0, stop + 1);
  if (!has_colon && (held_ == "\n" || held_ == "\r\n")) {
    state_ = State::kEnd;
    return stop + 1;
  }
  decide(has_colon);
  if (!has_colon) state_ = State::kLineStart;
  return stop + 1;
}

// What is held is the line up to its colon, or to where it is clear that there is none: that goes
// with the field before it.
void HeaderFieldFilter::decide(bool has_colon) {
  if (has_colon) {
    // RFC 5322 4.5: blanks before the colon are obsolete syntax
    const std::string_view field = ascii::trim(std::string_view(held_).substr(0, held_.size() - 1));
    if (!field.empty()) keep_ = names_->contains(field) != inverted_;
  }
  keep(held_);
  held_.clear();
  state_ = State::kRest;
}

void HeaderFieldFilter::keep(std::string_view octets) {
  if (!keep_ || octets.empty()) return;
  *out_ += octets;
  line_is_open_ = octets.back() != '\n';
}

void HeaderFieldFilter::finish(std::string& out) {
  out_ = &out;
  if (state_ == State::kName) decide(false);
  if (line_is_open_) out += "\r\n";
  out += "\r\n";
}

}  // namespace twinpost::imap
