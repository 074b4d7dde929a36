// From the command's name to its production.
#include "imap/parser_productions.h"

namespace twinpost::imap {

namespace {

template <class T>
bool nothing_more(Cursor& cursor, Command& command) {
  command.arguments = T{};
  return cursor.end("the command");
}

// A command whose only argument is a mailbox name.
template <class T>
bool one_mailbox(Cursor& cursor, Command& command) {
  auto& out = command.arguments.emplace<T>();
  return parse_mailbox(cursor, "the command", out.mailbox) && cursor.end("the mailbox name");
}

template <class T>
bool with(Cursor& cursor, Command& command, bool (*parse)(Cursor&, T&)) {
  return parse(cursor, command.arguments.emplace<T>());
}

template <class T>
bool with_uid(Cursor& cursor, Command& command, bool (*parse)(Cursor&, T&)) {
  auto& out = command.arguments.emplace<T>();
  out.uid = command.uid;
  return parse(cursor, out);
}

template <class T>
bool set_and_mailbox(Cursor& cursor, Command& command) {
  auto& out = command.arguments.emplace<T>();
  out.uid = command.uid;
  return parse_set_and_mailbox(cursor, out.set, out.mailbox);
}

bool select(Cursor& cursor, Command& command, bool read_only) {
  auto& out = command.arguments.emplace<Select>();
  out.read_only = read_only;
  return parse_select(cursor, out);
}

bool expunge(Cursor& cursor, Command& command) {
  auto& out = command.arguments.emplace<Expunge>();
  if (!command.uid) return cursor.end("the command");
  return cursor.space("UID EXPUNGE") && cursor.sequence_set(out.uids.emplace()) &&
         cursor.end("the sequence set");
}

}  // namespace

bool parse_arguments(Cursor& cursor, Command& command) {
  switch (command.id) {
    case CommandId::kCapability: return nothing_more<Capability>(cursor, command);
    case CommandId::kNoop: return nothing_more<Noop>(cursor, command);
    case CommandId::kLogout: return nothing_more<Logout>(cursor, command);
    case CommandId::kId: return with<Id>(cursor, command, parse_id);
    case CommandId::kStartTls: return nothing_more<StartTls>(cursor, command);
    case CommandId::kLogin: return with<Login>(cursor, command, parse_login);
    case CommandId::kAuthenticate: return with<Authenticate>(cursor, command, parse_authenticate);
    case CommandId::kEnable: return with<Enable>(cursor, command, parse_enable);
    case CommandId::kUnauthenticate: return nothing_more<Unauthenticate>(cursor, command);
    case CommandId::kCompress: return with<Compress>(cursor, command, parse_compress);
    case CommandId::kNamespace: return nothing_more<Namespace>(cursor, command);
    case CommandId::kIdle: return nothing_more<Idle>(cursor, command);
    case CommandId::kSelect: return select(cursor, command, false);
    case CommandId::kExamine: return select(cursor, command, true);
    case CommandId::kCreate: return with<Create>(cursor, command, parse_create);
    case CommandId::kDelete: return one_mailbox<Delete>(cursor, command);
    case CommandId::kRename: return with<Rename>(cursor, command, parse_rename);
    case CommandId::kSubscribe: return one_mailbox<Subscribe>(cursor, command);
    case CommandId::kUnsubscribe: return one_mailbox<Unsubscribe>(cursor, command);
    case CommandId::kStatus: return with<Status>(cursor, command, parse_status);
    case CommandId::kList: return with<List>(cursor, command, parse_list);
    case CommandId::kLsub: return with<Lsub>(cursor, command, parse_lsub);
    case CommandId::kGetQuota: return with<GetQuota>(cursor, command, parse_get_quota);
    case CommandId::kGetQuotaRoot: return one_mailbox<GetQuotaRoot>(cursor, command);
    case CommandId::kSetQuota: return with<SetQuota>(cursor, command, parse_set_quota);
    case CommandId::kCheck: return nothing_more<Check>(cursor, command);
    case CommandId::kClose: return nothing_more<Close>(cursor, command);
    case CommandId::kUnselect: return nothing_more<Unselect>(cursor, command);
    case CommandId::kExpunge: return expunge(cursor, command);
    case CommandId::kCopy: return set_and_mailbox<Copy>(cursor, command);
    case CommandId::kMove: return set_and_mailbox<Move>(cursor, command);
    case CommandId::kStore: return with_uid<Store>(cursor, command, parse_store);
    case CommandId::kFetch: return with_uid<Fetch>(cursor, command, parse_fetch);
    case CommandId::kSearch: return with_uid<Search>(cursor, command, parse_search);
    case CommandId::kAppend:
    case CommandId::kReplace: break;  // the reader's own: their messages are not in the text
  }
  return cursor.fail("Not a command with arguments in its text");
}

}  // namespace twinpost::imap
