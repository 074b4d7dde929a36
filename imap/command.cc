#include "imap/command.h"

#include <algorithm>
#include <array>

#include "core/base/ascii.h"

namespace twinpost::imap {

namespace {

constexpr StateBits kNotAuth = bit(State::kNotAuthenticated);
constexpr StateBits kSelected = bit(State::kSelected);
constexpr StateBits kAuth = bit(State::kAuthenticated) | kSelected;
constexpr StateBits kAny = kNotAuth | kAuth;

// In the order of CommandId.
//   id, name, states, UID form, message numbers, secret
constexpr std::array kCommands = {
    CommandInfo{CommandId::kCapability, "CAPABILITY", kAny},
    CommandInfo{CommandId::kNoop, "NOOP", kAny},
    CommandInfo{CommandId::kLogout, "LOGOUT", kAny},
    CommandInfo{CommandId::kId, "ID", kAny},
    CommandInfo{CommandId::kStartTls, "STARTTLS", kNotAuth},
    CommandInfo{CommandId::kLogin, "LOGIN", kNotAuth, false, false, true},
    CommandInfo{CommandId::kAuthenticate, "AUTHENTICATE", kNotAuth, false, false, true},
    CommandInfo{CommandId::kEnable, "ENABLE", kAuth},
    CommandInfo{CommandId::kUnauthenticate, "UNAUTHENTICATE", kAuth},
    CommandInfo{CommandId::kCompress, "COMPRESS", kAuth},
    CommandInfo{CommandId::kNamespace, "NAMESPACE", kAuth},
    CommandInfo{CommandId::kIdle, "IDLE", kAuth},
    CommandInfo{CommandId::kSelect, "SELECT", kAuth},
    CommandInfo{CommandId::kExamine, "EXAMINE", kAuth},
    CommandInfo{CommandId::kCreate, "CREATE", kAuth},
    CommandInfo{CommandId::kDelete, "DELETE", kAuth},
    CommandInfo{CommandId::kRename, "RENAME", kAuth},
    CommandInfo{CommandId::kSubscribe, "SUBSCRIBE", kAuth},
    CommandInfo{CommandId::kUnsubscribe, "UNSUBSCRIBE", kAuth},
    CommandInfo{CommandId::kStatus, "STATUS", kAuth},
    CommandInfo{CommandId::kList, "LIST", kAuth},
    CommandInfo{CommandId::kLsub, "LSUB", kAuth},
    CommandInfo{CommandId::kGetQuota, "GETQUOTA", kAuth},
    CommandInfo{CommandId::kGetQuotaRoot, "GETQUOTAROOT", kAuth},
    CommandInfo{CommandId::kSetQuota, "SETQUOTA", kAuth},
    CommandInfo{CommandId::kAppend, "APPEND", kAuth},
    CommandInfo{CommandId::kReplace, "REPLACE", kSelected, true, true},
    CommandInfo{CommandId::kCheck, "CHECK", kSelected},
    CommandInfo{CommandId::kClose, "CLOSE", kSelected},
    CommandInfo{CommandId::kUnselect, "UNSELECT", kSelected},
    CommandInfo{CommandId::kExpunge, "EXPUNGE", kSelected, true},
    CommandInfo{CommandId::kCopy, "COPY", kSelected, true, true},
    CommandInfo{CommandId::kMove, "MOVE", kSelected, true, true},
    CommandInfo{CommandId::kStore, "STORE", kSelected, true, true},
    CommandInfo{CommandId::kFetch, "FETCH", kSelected, true, true},
    CommandInfo{CommandId::kSearch, "SEARCH", kSelected, true, true},
};

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < kCommands.size(); ++i) {
    if (static_cast<std::size_t>(kCommands[i].id) != i) return false;
  }
  return kCommands.size() == static_cast<std::size_t>(CommandId::kSearch) + 1;
}
static_assert(is_in_order());

}  // namespace

bool sets_seen(const FetchItem& item) {
  switch (item.kind) {
    case FetchKind::kSection:
    case FetchKind::kBinary: return !item.peek;
    case FetchKind::kRfc822:
    case FetchKind::kRfc822Text: return true;
    default: return false;
  }
}

const CommandInfo& info(CommandId id) { return kCommands[static_cast<std::size_t>(id)]; }

const CommandInfo* find_command(std::string_view name) {
  const auto found = std::find_if(kCommands.begin(), kCommands.end(), [name](const CommandInfo& c) {
    return ascii::equals_ignore_case(c.name, name);
  });
  return found == kCommands.end() ? nullptr : &*found;
}

std::string_view wrong_state_text(const CommandInfo& command, State now) {
  if ((command.states & bit(now)) != 0) return {};
  if (command.states == kSelected) {
    return now == State::kNotAuthenticated ? "Log in and select a mailbox first"
                                           : "Select a mailbox first";
  }
  return now == State::kNotAuthenticated ? "Log in first" : "Already logged in";
}

}  // namespace twinpost::imap
