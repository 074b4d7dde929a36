// HEADER.FIELDS and HEADER.FIELDS.NOT (RFC 9051 6.4.5.1) of a header that comes piece by piece.
//
// Gives the octets that append_header_fields() (section.h) gives of the whole header, in memory
// that does not grow with it. One difference: a line without a colon in its first kMaxFieldName
// octets is taken for no field even where one comes later. Pure; one thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace twinpost::imap {

// The names that a client listed, made ready once for all messages. Any thread while it is const.
class FieldNames {
 public:
  FieldNames() = default;
  explicit FieldNames(const std::vector<std::string_view>& names);
  [[nodiscard]] bool contains(std::string_view name) const;  // without case

 private:
  std::vector<std::string> names_;  // lower case, sorted
  std::size_t longest_ = 0;
};

class HeaderFieldFilter {
 public:
  static constexpr std::size_t kMaxFieldName = std::size_t{64} * 1024;

  // `names` outlives it. `inverted`: those that are not listed.
  HeaderFieldFilter(const FieldNames& names, bool inverted)
      : names_(&names), inverted_(inverted), keep_(inverted) {}

  void add(std::string_view piece, std::string& out);
  // The blank line that is at the end always. Once.
  void finish(std::string& out);

 private:
  enum class State : unsigned char { kFirstLine, kLineStart, kName, kRest, kEnd };

  std::size_t name(std::string_view piece);  // how much of `piece` it used
  void decide(bool has_colon);
  void keep(std::string_view octets);

  const FieldNames* names_;
  bool inverted_;
  bool keep_;  // the field at work
  bool line_is_open_ = false;
  State state_ = State::kFirstLine;
  std::string held_;  // the line so far, where nothing is decided yet
  std::string* out_ = nullptr;
};

}  // namespace twinpost::imap
