#include "imap/capabilities.h"

#include <array>

#include "core/base/ascii.h"
#include "imap/session.h"

namespace twinpost::imap {
namespace {

constexpr StateBits kBefore = bit(State::kNotAuthenticated);
constexpr StateBits kAfter = bit(State::kAuthenticated) | bit(State::kSelected);
constexpr StateBits kAlways = kBefore | kAfter;

struct Row {
  std::string_view name;
  std::string_view rfc;
  StateBits states;                      // where it is shown
  bool (*is_shown)(Session&) = nullptr;  // null: always
  bool can_be_enabled = false;
};

// RFC 9051 6.2.1: STARTTLS only where it is permitted now.
bool can_start_tls(Session& session) {
  return !session.connection().is_tls() && session.context().tls() != nullptr;
}
bool can_log_in(Session& session) { return session.may_log_in(); }
bool cannot_log_in(Session& session) { return !session.may_log_in(); }
bool is_not_compressed(Session& session) { return !session.is_compressed(); }

// What strangers need to choose how to log in is shown before the login, the rest after it.
constexpr std::array kCapabilities = {
    Row{"IMAP4rev1", "3501", kAlways},
    Row{"IMAP4rev2", "9051", kAlways, nullptr, true},
    Row{"LITERAL+", "7888", kAlways},
    Row{"SASL-IR", "4959", kBefore},
    Row{"STARTTLS", "9051", kBefore, can_start_tls},
    Row{"LOGINDISABLED", "9051", kBefore, cannot_log_in},
    Row{"AUTH=PLAIN", "4616", kBefore, can_log_in},
    Row{"ID", "2971", kAlways},
    Row{"ENABLE", "5161", kAlways},
    Row{"IDLE", "2177", kAlways},
    Row{"NAMESPACE", "2342", kAfter},
    Row{"UIDPLUS", "4315", kAfter},
    Row{"UNSELECT", "3691", kAfter},
    Row{"CHILDREN", "3348", kAfter},
    Row{"MOVE", "6851", kAfter},
    Row{"ESEARCH", "4731", kAfter},
    Row{"SEARCHRES", "5182", kAfter},
    Row{"WITHIN", "5032", kAfter},
    Row{"LIST-EXTENDED", "5258", kAfter},
    Row{"LIST-STATUS", "5819", kAfter},
    Row{"STATUS=SIZE", "8438", kAfter},
    Row{"SPECIAL-USE", "6154", kAfter},
    Row{"CREATE-SPECIAL-USE", "6154", kAfter},
    Row{"BINARY", "3516", kAfter},
    Row{"MULTIAPPEND", "3502", kAfter},
    Row{"REPLACE", "8508", kAfter},
    Row{"CONDSTORE", "7162", kAfter, nullptr, true},
    Row{"QRESYNC", "7162", kAfter, nullptr, true},
    Row{"OBJECTID", "8474", kAfter},
    Row{"SAVEDATE", "8514", kAfter},
    Row{"PREVIEW", "8970", kAfter},
    Row{"PARTIAL", "9394", kAfter},
    Row{"QUOTA", "9208", kAfter},
    Row{"QUOTA=RES-STORAGE", "9208", kAfter},
    Row{"QUOTA=RES-MESSAGE", "9208", kAfter},
    Row{"QUOTA=RES-MAILBOX", "9208", kAfter},
    Row{"INPROGRESS", "9585", kAfter},
    Row{"UTF8=ACCEPT", "6855", kAfter, nullptr, true},
    Row{"UNAUTHENTICATE", "8437", kAfter, is_not_compressed},
    Row{"COMPRESS=DEFLATE", "4978", kAfter, is_not_compressed},
};

}  // namespace

std::string capability_list(Session& session) {
  std::string list;
  for (const Row& capability : kCapabilities) {
    if ((capability.states & bit(session.state())) == 0) continue;
    if (capability.is_shown != nullptr && !capability.is_shown(session)) continue;
    if (!list.empty()) list += ' ';
    list += capability.name;
  }
  // RFC 7889: the limit is the same for every mailbox.
  if (session.state() != State::kNotAuthenticated && session.append_limit() != 0) {
    list += " APPENDLIMIT=" + std::to_string(session.append_limit());
  }
  const std::uint64_t messages = session.config()->limits.messages_per_command;
  if (session.state() != State::kNotAuthenticated && messages != 0) {
    list += " MESSAGELIMIT=" + std::to_string(messages);  // RFC 9738
  }
  return list;
}

std::string_view find_enableable(std::string_view name) {
  for (const Row& capability : kCapabilities) {
    if (capability.can_be_enabled && ascii::equals_ignore_case(capability.name, name)) {
      return capability.name;
    }
  }
  return {};
}

}  // namespace twinpost::imap
