// A command as one line of text, every field that differs from its default shown: for comparing in tests.
#pragma once

#include <string>
#include <string_view>

#include "imap/parser.h"

namespace twinpost::imap {

std::string to_text(const Command& command);
std::string to_text(const SearchKey& key);
std::string to_text(const AppendMessage& message);

// Feeds a whole dialogue's client side (lines and literals as one run of octets, CRLF line ends) to the reader until
// the first command of it is settled. Says what came of it: the command's text, "BAD ...", "NO ...", "BYE ...". Messages
// come before it in the form of to_text(AppendMessage) and " | ". `rest` is what was not used.
std::string play(CommandReader& reader, std::string_view octets, std::string_view* rest = nullptr);
std::string play(std::string_view octets);  // with a reader of its own

}  // namespace twinpost::imap
