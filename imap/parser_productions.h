// The productions of each command's arguments: for the parser's own files only.
//
// Each takes what stands after the command's name (the space before it included) up to the end of the command,
// and keeps the contract of Cursor: false where the cursor has failed.
#pragma once

#include "imap/command.h"
#include "imap/parser_cursor.h"

namespace twinpost::imap {

bool parse_arguments(Cursor& cursor, Command& command);  // by command.id

// parser_session.cc
bool parse_id(Cursor& cursor, Id& out);
bool parse_login(Cursor& cursor, Login& out);
bool parse_authenticate(Cursor& cursor, Authenticate& out);
bool parse_enable(Cursor& cursor, Enable& out);
bool parse_compress(Cursor& cursor, Compress& out);

// parser_mailbox.cc
bool parse_mailbox(Cursor& cursor, std::string_view after, std::string_view& out);
bool parse_select(Cursor& cursor, Select& out);
bool parse_create(Cursor& cursor, Create& out);
bool parse_rename(Cursor& cursor, Rename& out);
bool parse_status(Cursor& cursor, Status& out);
bool parse_status_items(Cursor& cursor, StatusItems& out);

// parser_list.cc
bool parse_list(Cursor& cursor, List& out);
bool parse_lsub(Cursor& cursor, Lsub& out);

// parser_quota.cc
bool parse_get_quota(Cursor& cursor, GetQuota& out);
bool parse_set_quota(Cursor& cursor, SetQuota& out);

// parser_message.cc
bool parse_set_and_mailbox(Cursor& cursor, SequenceSet& set, std::string_view& mailbox);
bool parse_store(Cursor& cursor, Store& out);
bool parse_flag_list(Cursor& cursor, FlagList& out);
// APPEND and REPLACE up to the header of the message literal.
bool parse_append(Cursor& cursor, AppendMessage& out);
bool parse_append_message(Cursor& cursor,
                          AppendMessage& out);  // what stands before each literal, after the space

// parser_fetch.cc
bool parse_fetch(Cursor& cursor, Fetch& out);

// parser_search.cc
bool parse_search(Cursor& cursor, Search& out);

}  // namespace twinpost::imap
