#include "imap/response.h"

#include <algorithm>

#include "core/mail/date.h"
#include "imap/mailbox_name.h"
#include "imap/quote.h"
#include "store/special_use.h"

namespace twinpost::imap {

namespace {

std::string_view condition_name(Condition condition) {
  switch (condition) {
    case Condition::kOk: return "OK";
    case Condition::kNo: return "NO";
    case Condition::kBad: return "BAD";
    case Condition::kBye: return "BYE";
    case Condition::kPreauth: return "PREAUTH";
  }
  return "BAD";
}

void append_address(std::string& out, const mail::Address& address, const Style& style) {
  out += '(';
  append_nstring(out, address.name, style.utf8);
  out += ' ';
  append_nstring(out, address.route, style.utf8);
  out += ' ';
  append_nstring(out, address.mailbox, style.utf8);
  out += ' ';
  append_nstring(out, address.host, style.utf8);
  out += ')';
}

void append_addresses(std::string& out, const mail::AddressList& list, const Style& style) {
  if (list.empty()) {
    out += "NIL";
    return;
  }
  out += '(';
  for (const mail::Address& address : list) append_address(out, address, style);
  out += ')';
}

}  // namespace

void append_status(std::string& out, std::string_view tag, Condition condition,
                   std::string_view code, std::string_view text) {
  out += tag;
  out += ' ';
  out += condition_name(condition);
  if (!code.empty()) {
    out += " [";
    out += code;
    out += ']';
  }
  out += ' ';
  append_text(out, text, false);
  out += "\r\n";
}

std::string_view flag_name(store::Flag flag) {
  switch (flag) {
    case store::Flag::kSeen: return "\\Seen";
    case store::Flag::kAnswered: return "\\Answered";
    case store::Flag::kFlagged: return "\\Flagged";
    case store::Flag::kDeleted: return "\\Deleted";
    case store::Flag::kDraft: return "\\Draft";
  }
  return {};
}

void append_flags(std::string& out, store::FlagBits flags, const store::KeywordBits& keywords,
                  std::span<const std::string> names, bool recent) {
  out += '(';
  const std::size_t begin = out.size();
  const auto add = [&](std::string_view name) {
    if (out.size() > begin) out += ' ';
    out += name;
  };
  for (const store::Flag flag : kAllFlags) {
    if ((flags & store::bit(flag)) != 0) add(flag_name(flag));
  }
  if (!keywords.none()) {
    const std::size_t count = std::min(names.size(), store::kMaxKeywords);
    for (std::size_t i = 0; i < count; ++i) {
      if (keywords.test(i)) add(names[i]);
    }
  }
  if (recent) add("\\Recent");
  out += ')';
}

void append_date_time(std::string& out, const store::InternalDate& date) {
  constexpr std::int64_t kYear0 =
      -62167132800;  // 0000-01-02, a day from the end so that no zone leaves it
  constexpr std::int64_t kYear9999 = 253402214400;  // 9999-12-31
  const std::int64_t seconds = std::clamp(date.time.time_since_epoch().count(), kYear0, kYear9999);
  out += '"';
  out += mail::format_imap_date_time(seconds, std::clamp<int>(date.zone_minutes, -1439, 1439));
  out += '"';
}

void append_mailbox(std::string& out, std::string_view name, const Style& style) {
  append_astring(out, mailbox_to_wire(name, style.utf8), style.utf8);
}

std::string_view special_use_name(store::SpecialUse use) { return store::to_string(use); }

std::optional<store::SpecialUse> parse_special_use(std::string_view name) {
  return store::parse_special_use(name);
}

void append_envelope(std::string& out, const mail::Envelope& envelope, const Style& style) {
  const auto or_from = [&](const mail::AddressList& list) -> const mail::AddressList& {
    return list.empty() ? envelope.from : list;
  };
  out += '(';
  append_nstring(out, envelope.date, style.utf8);
  out += ' ';
  append_nstring(out, envelope.subject, style.utf8);
  for (const mail::AddressList* list :
       {&envelope.from, &or_from(envelope.sender), &or_from(envelope.reply_to), &envelope.to,
        &envelope.cc, &envelope.bcc}) {
    out += ' ';
    append_addresses(out, *list, style);
  }
  out += ' ';
  append_nstring(out, envelope.in_reply_to, style.utf8);
  out += ' ';
  append_nstring(out, envelope.message_id, style.utf8);
  out += ')';
}

}  // namespace twinpost::imap
