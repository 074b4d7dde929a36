#include "imap/message_limit.h"

#include "imap/session.h"

namespace twinpost::imap {
namespace {

std::uint64_t limit_of(const Session& session) {
  return session.config()->limits.messages_per_command;
}

}  // namespace

bool exceeds_message_limit(const Session& session, std::uint64_t count) {
  return limit_of(session) != 0 && count > limit_of(session);
}

std::string message_limit_code(const Session& session) {
  return "MESSAGELIMIT " + std::to_string(limit_of(session));
}

std::string limit_messages(const Session& session, NumberSet& uids) {
  if (!exceeds_message_limit(session, uids.count())) return {};
  std::uint64_t left = limit_of(session);
  std::vector<NumberRange> newest;
  for (auto range = uids.ranges().rbegin(); left > 0; ++range) {
    NumberRange taken = *range;
    if (taken.size() > left) taken.first = static_cast<std::uint32_t>(taken.last - left + 1);
    left -= taken.size();
    newest.push_back(taken);
  }
  uids = NumberSet(std::move(newest));
  return message_limit_code(session) + " " + std::to_string(uids.lowest());
}

}  // namespace twinpost::imap
