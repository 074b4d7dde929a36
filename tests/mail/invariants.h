// What must hold for every parsed message, whatever the input was: for tests and fuzzing.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "core/base/ascii.h"
#include "core/mail/message.h"
#include "core/mail/preview.h"
#include "core/mail/unicode.h"

namespace twinpost::mail {

class InvariantCheck {
 public:
  InvariantCheck(std::string_view octets, const Message& message, const MessageLimits& limits)
      : octets_(octets), message_(message), limits_(limits) {}

  // The first thing that is wrong, or "".
  std::string run() {
    require(message_.root.header.begin == 0, "the root does not begin at 0");
    require(message_.root.body.end == octets_.size(), "the root does not end with the message");
    part(message_.root, 1);
    require(parts_ <= std::size_t{limits_.parts} + 1, "too many parts");
    fields();
    envelope(message_.envelope);
    preview();
    return failure_;
  }

 private:
  void require(bool holds, const char* what) {
    if (!holds && failure_.empty()) failure_ = what;
  }

  void part(const Part& part, unsigned depth) {
    ++parts_;
    require(depth <= std::max(limits_.depth, 1U), "too deep");
    require(part.header.begin <= part.header.end, "a header ends before it begins");
    require(part.header.end == part.body.begin, "a body does not begin where its header ends");
    require(part.body.begin <= part.body.end, "a body ends before it begins");
    require(part.body.end <= octets_.size(), "a body ends behind the message");
    if (!failure_.empty()) return;
    const std::string_view body = octets_.substr(part.body.begin, part.body.size());
    require(
        part.body_lines == static_cast<std::uint64_t>(std::count(body.begin(), body.end(), '\n')),
        "the lines of a body are miscounted");
    require(!part.type.empty() && !part.subtype.empty(), "a part has no type");
    require(ascii::lower(part.type) == part.type && ascii::lower(part.subtype) == part.subtype,
            "a type is not in lower case");
    require(part.envelope.has_value() == part.is_message(), "an envelope is not where it belongs");
    if (part.is_message()) {
      require(part.children.size() == 1, "a message has not one child");
      if (!failure_.empty()) return;
      require(part.children[0].header.begin == part.body.begin, "an inner message begins late");
      require(part.children[0].body.end == part.body.end, "an inner message ends early");
      envelope(*part.envelope);
    } else if (!part.is_multipart()) {
      require(part.children.empty(), "a leaf has children");
    }
    std::uint64_t last = part.body.begin;
    for (const Part& child : part.children) {
      require(child.header.begin >= last, "children overlap");
      require(child.body.end <= part.body.end, "a child is not within its parent");
      last = child.body.end;
      this->part(child, depth + 1);
    }
  }

  void fields() {
    require(message_.fields.size() <= limits_.fields, "too many fields");
    std::uint64_t last = 0;
    for (const FieldSpan& field : message_.fields) {
      require(field.field.begin >= last && field.field.end > field.field.begin, "fields overlap");
      require(field.field.end <= message_.root.header.end, "a field is outside the header");
      if (!failure_.empty()) return;
      last = field.field.end;
      const std::string_view text = octets_.substr(field.field.begin, field.field.size());
      require(ascii::starts_with_ignore_case(text, field.name),
              "a field does not begin with its name");
      require(ascii::lower(field.name) == field.name, "a field's name is not in lower case");
    }
  }

  void envelope(const Envelope& envelope) {
    for (const AddressList* list : {&envelope.from, &envelope.sender, &envelope.reply_to,
                                    &envelope.to, &envelope.cc, &envelope.bcc}) {
      addresses(*list);
    }
    for (const auto* text :
         {&envelope.date, &envelope.subject, &envelope.in_reply_to, &envelope.message_id}) {
      require(!*text || (*text)->find('\n') == std::string::npos, "an envelope string is folded");
    }
  }

  void addresses(const AddressList& list) {
    bool in_group = false;
    for (const Address& address : list) {
      if (address.host) {
        require(address.mailbox.has_value(), "an address has a host and no mailbox");
      } else if (address.mailbox) {
        require(!in_group, "a group is in a group");
        in_group = true;
      } else {
        require(in_group, "a group ends that never began");
        in_group = false;
      }
    }
    require(!in_group, "a group does not end");
  }

  void preview() {
    const std::string& text = message_.preview;
    require(ascii::is_utf8(text), "the preview is not UTF-8");
    require(count_characters(text) <= kPreviewCharacters, "the preview is too long");
    require(std::none_of(text.begin(), text.end(), ascii::is_control), "the preview has controls");
    require(text.find("  ") == std::string::npos && ascii::trim(text) == text,
            "the preview has blanks that were not folded");
  }

  std::string_view octets_;
  const Message& message_;
  const MessageLimits& limits_;
  std::string failure_;
  std::size_t parts_ = 0;
};

inline std::string broken_invariant(std::string_view octets, const Message& message,
                                    const MessageLimits& limits = {}) {
  return InvariantCheck(octets, message, limits).run();
}

}  // namespace twinpost::mail
