#include "core/mail/message.h"

#include "core/mail/part_header.h"
#include "core/mail/preview.h"
#include "core/mail/structure.h"

namespace twinpost::mail {

namespace {

bool has_bare_cr(std::string_view octets) {
  std::size_t at = 0;
  while ((at = octets.find('\r', at)) != std::string_view::npos) {
    if (at + 1 >= octets.size() || octets[at + 1] != '\n') return true;
    at += 2;
  }
  return false;
}

}  // namespace

Message parse_message(std::string_view octets, const MessageLimits& limits) {
  Message message;
  if (octets.find('\0') != std::string_view::npos) add_defect(message.defects, Defect::kNul);
  if (has_bare_cr(octets)) add_defect(message.defects, Defect::kBareCr);
  parse_structure(octets, limits, message);
  message.preview = make_preview(octets, message.root);
  return message;
}

}  // namespace twinpost::mail
