#include "core/mail/structure.h"

#include <algorithm>
#include <optional>

#include "core/base/ascii.h"
#include "core/mail/header.h"
#include "core/mail/open_boundaries.h"
#include "core/mail/parameters.h"
#include "core/mail/part_header.h"

namespace twinpost::mail {

namespace {

class StructureParser {
 public:
  StructureParser(std::string_view octets, const MessageLimits& limits, Message& message)
      : octets_(octets),
        limits_(limits),
        message_(message),
        allowance_{limits.addresses, limits.parameters} {}

  void run() {
    open_part(message_.root);
    State state = State::kHeader;
    while (state != State::kEnd) state = state == State::kHeader ? header() : body();
    close_parts(0, octets_.size(), lines_);
  }

 private:
  enum class State { kHeader, kBody, kEnd };

  // A part that is being read. Its address holds: its parent's children grow only while it is
  // closed.
  struct Frame {
    Part* part;
    std::uint64_t lines_before_body = 0;
    std::size_t boundaries_before = 0;  // open around it
    bool has_boundary = false;          // its own was opened
  };

  struct Delimiter {
    std::size_t index;
    bool closing;
  };

  Part& current() { return *frames_.back().part; }

  void open_part(Part& part) {
    part.header = {at_, at_};
    part.body = {at_, at_};
    Frame frame{};
    frame.part = &part;
    frame.lines_before_body = lines_;
    frame.boundaries_before = boundaries_.size();
    frames_.push_back(frame);
    ++parts_;
  }

  // The line at at_, where it is a delimiter of an open multipart.
  std::optional<Delimiter> delimiter() const {
    if (boundaries_.size() == 0 || !octets_.substr(at_).starts_with("--")) return std::nullopt;
    const std::string_view text = octets_.substr(at_ + 2);
    const auto match = boundaries_.find(text);
    if (!match) return std::nullopt;
    return Delimiter{match->index, text.substr(match->length).starts_with("--")};
  }

  void next_line() {
    at_ = line_end(octets_, at_);
    if (octets_[at_ - 1] == '\n') ++lines_;
  }

  // From the first octet of a header to what comes after it.
  State header() {
    const std::size_t begin = at_;
    bool ended = false;
    while (at_ < octets_.size() && !ended) {
      if (const auto found = delimiter()) {
        const std::size_t end = before_line_end(begin);
        frames_.back().lines_before_body = lines_;
        read_header(begin, end, end > begin);
        current().body = {end, end};
        if (current().is_message()) add_empty_child(end);
        return take_delimiter(*found);
      }
      const std::size_t line = at_;
      next_line();
      ended = is_blank_line(octets_, line, at_);
    }
    frames_.back().lines_before_body = lines_;
    read_header(begin, at_, !ended && at_ > begin);
    current().body = {at_, at_};
    return enter_body();
  }

  // at_, or in front of the line end that ends there, which belongs to the delimiter that follows;
  // `floor` where the delimiter is at the very beginning.
  [[nodiscard]] std::size_t before_line_end(std::size_t floor) const {
    std::size_t end = at_;
    if (end > floor && octets_[end - 1] == '\n') --end;
    if (end > floor && end < at_ && octets_[end - 1] == '\r') --end;
    return end;
  }

  void read_header(std::size_t begin, std::size_t end, bool without_end) {
    Part& part = current();
    part.header = {begin, end};
    if (without_end) add_defect(message_.defects, Defect::kHeaderWithoutEnd);
    HeaderTargets targets{part};
    if (frames_.size() == 1) {
      targets.envelope = &message_.envelope;
      targets.top = &message_;
    } else {
      Part& parent = *frames_[frames_.size() - 2].part;
      if (parent.is_message()) targets.envelope = &parent.envelope.emplace();
      targets.in_digest = parent.is_multipart() && parent.subtype == "digest";
    }
    read_part_header(octets_.substr(begin, end - begin), begin, limits_, allowance_, targets,
                     message_.defects);
  }

  // The header is read, at_ is at the body's first octet.
  State enter_body() {
    Part& part = current();
    if (!part.is_multipart() && !part.is_message()) return State::kBody;
    if (frames_.size() >= limits_.depth) {
      add_defect(message_.defects, Defect::kTooDeep);
      make_opaque(part);
      return State::kBody;
    }
    if (part.is_multipart()) {
      open_boundary(part);
      return State::kBody;
    }
    part.envelope.emplace();
    return open_child(part);
  }

  static void make_opaque(Part& part) {
    part.type = "application";
    part.subtype = "octet-stream";
    part.parameters.clear();
  }

  void open_boundary(const Part& part) {
    const Parameter* parameter = find_parameter(part.parameters, "boundary");
    const std::string_view boundary = parameter == nullptr ? std::string_view() : parameter->value;
    if (ascii::trim(boundary).empty() || boundary.size() > OpenBoundaries::kMaxBoundary) {
      add_defect(message_.defects, Defect::kMissingBoundary);
      return;
    }
    boundaries_.push(boundary);
    frames_.back().has_boundary = true;
  }

  State open_child(Part& parent) {
    parent.children.emplace_back();
    cut_ = parts_ >= limits_.parts;
    open_part(parent.children.back());
    if (!cut_) return State::kHeader;
    add_defect(message_.defects, Defect::kTooManyParts);
    make_opaque(current());
    lines_ += count_lines(at_);
    at_ = octets_.size();
    return State::kEnd;
  }

  // A message whose header a delimiter cut off has an empty message in it.
  void add_empty_child(std::size_t at) {
    Part& part = current();
    if (frames_.size() >= limits_.depth || parts_ >= limits_.parts) {
      add_defect(message_.defects,
                 parts_ >= limits_.parts ? Defect::kTooManyParts : Defect::kTooDeep);
      make_opaque(part);
      return;
    }
    ++parts_;
    part.envelope.emplace();
    Part& child = part.children.emplace_back();
    child.header = {at, at};
    child.body = {at, at};
  }

  // To the next delimiter of an open multipart.
  State body() {
    // A delimiter on the first line leaves the line end before it to the header or delimiter that
    // it ends.
    segment_ = at_;
    if (boundaries_.size() == 0) {
      lines_ += count_lines(at_);
      at_ = octets_.size();
      return State::kEnd;
    }
    while (at_ < octets_.size()) {
      if (const auto found = delimiter()) return take_delimiter(*found);
      next_line();
    }
    return State::kEnd;
  }

  [[nodiscard]] std::uint64_t count_lines(std::size_t from) const {
    return static_cast<std::uint64_t>(
        std::count(octets_.begin() + static_cast<std::ptrdiff_t>(from), octets_.end(), '\n'));
  }

  // at_ is at the delimiter line.
  State take_delimiter(Delimiter found) {
    std::size_t owner = frames_.size() - 1;
    while (!frames_[owner].has_boundary || frames_[owner].boundaries_before != found.index) --owner;
    if (owner + 1 < frames_.size()) {
      const std::size_t end =
          before_line_end(std::max<std::size_t>(segment_, current().body.begin));
      close_parts(owner + 1, end, lines_ - (end < at_ ? 1 : 0));
    }
    next_line();
    if (found.closing) {
      boundaries_.shrink(found.index);
      frames_[owner].has_boundary = false;
      return State::kBody;
    }
    boundaries_.shrink(found.index + 1);
    return open_child(current());
  }

  // Ends the parts from `first` inwards at `end`, with `lines` line ends in front of it.
  void close_parts(std::size_t first, std::size_t end, std::uint64_t lines) {
    while (frames_.size() > first) {
      const Frame& frame = frames_.back();
      Part& part = *frame.part;
      part.body.end = std::max<std::uint64_t>(end, part.body.begin);
      part.body_lines = lines > frame.lines_before_body ? lines - frame.lines_before_body : 0;
      if (frame.has_boundary) {
        if (!cut_) {
          add_defect(message_.defects, part.children.empty() ? Defect::kBoundaryNotFound
                                                             : Defect::kBoundaryNotClosed);
        }
        boundaries_.shrink(frame.boundaries_before);
      }
      frames_.pop_back();
    }
  }

  std::string_view octets_;
  const MessageLimits& limits_;
  Message& message_;
  Allowance allowance_;
  std::vector<Frame> frames_;
  OpenBoundaries boundaries_;
  std::size_t at_ = 0;
  std::uint64_t lines_ = 0;  // line ends in front of at_
  std::size_t segment_ =
      0;  // where the text began that is read: a body, or what follows a closing delimiter
  std::size_t parts_ = 0;
  bool cut_ = false;  // at the limit of parts: what follows was not looked at
};

}  // namespace

void parse_structure(std::string_view octets, const MessageLimits& limits, Message& message) {
  StructureParser(octets, limits, message).run();
}

}  // namespace twinpost::mail
