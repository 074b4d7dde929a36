// The transcript player: plays tests/transcripts/<frontend>/*.txt against a real server in the test
// process.
//
// A transcript is text, one directive a line; empty lines and lines that begin with "#" are
// comments.
//
// Setup, before the first line of the conversation:
//   account NAME with 3 messages of 120, 200, 300 octets
//                        password "secret"; the messages are in INBOX; the last size is that of all
//                        that have none
//   account NAME with no messages
//   message NAME         one more message; its octets are the lines that follow:
//   message NAME uidl X  the same, with an imported UIDL
//   > Return-Path: <joe@example>
//                        a header field that the store keeps as this recipient's own (the prefix)
//   | Subject: hello     the body, line by line
//   |* 5000 x            a line of so many of that octet
//   config KEY VALUE     of the server (limits without "limits."), or of the frontend under test
//   option NAME KEY VALUE
//                        of the account (transcript_options.h)
//   certificate          STARTTLS and STLS can be had
//   implicit tls         the port speaks TLS from the first octet
//   faults               needed for `DO fail`
//
// Conversation. A number after C, S, TLS and the like is the connection ("C2: NOOP"); it is opened
// where it is first named. What is sent goes out when something is awaited, so lines of C: in a row
// are pipelined.
//   C: text              sends the line and CRLF; "in quotes" where blanks at the end matter; see
//                        expand()
//   C+: text             without CRLF
//   C hex 00 ff          octets, no CRLF
//   C repeat 9000 x      so many of that octet, no CRLF
//   S: text              the next line is this; "..." is a wildcard, <<name>> a capture: see
//                        matches()
//   S message NAME 2     the lines up to, not including, "." are NAME's second message of the
//                        setup, dot-stuffed
//   S literal NAME 2     NAME's second message as it is: an IMAP literal
//   S until text         skips lines up to, not including, the first that is this (as with S:)
//   S through text       the same, but that line is skipped too
//   S closed             the server closes the connection, and sends nothing before that
//   S broken             the connection ends, in the middle of a line or by a reset too, and no
//                        line before that is "."
//   S quiet 200ms        nothing comes for so long
//   TLS                  the client's side of a handshake
//   CLOSE                the client closes at once
//   SHUTDOWN             it stops sending (half-close)
//   WAIT 1s              waits so long
//   WAIT sessions        until no connection is left on the server
//   DO ...               somebody else acts: see transcript_actions.h
//   EXPECT ...           what must be in the store: see transcript_actions.h
//
// At the end nothing may be left that the server sent and nobody read.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/transcript_world.h"

namespace twinpost::testing {

// What went wrong, one line each, "FILE:LINE: ..."; empty where all was as written. Stops at the
// first failure.
[[nodiscard]] std::vector<std::string> play_transcript(const std::filesystem::path& file,
                                                       const FrontendFactory& factory);

// The *.txt files of tests/transcripts/<name>, by name. TWINPOST_TRANSCRIPT picks those whose name
// contains it.
[[nodiscard]] std::vector<std::filesystem::path> transcripts_of(const std::string& name);

}  // namespace twinpost::testing
