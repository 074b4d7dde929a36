// What stands between an mbox's messages and in their headers, read and written. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/types.h"

namespace twinpost::tools {

// "From sam@example.net Thu Jan  1 00:00:00 1970", with or without seconds and a zone before or after the year; nullopt for what
// is no such line.
[[nodiscard]] std::optional<store::InternalDate> parse_from_line(std::string_view line);
// asctime's form, in UTC. Without a line end.
[[nodiscard]] std::string from_line(std::string_view sender, const store::InternalDate& date);

struct MboxFields {
  store::FlagBits flags = 0;
  std::vector<std::string> keywords;
  std::uint32_t uid = 0;
  std::string uidl;
  std::optional<std::uint64_t> content_length;
  // X-IMAPbase or X-IMAP, of the first message.
  struct Base {
    std::uint32_t uid_validity = 0;
    std::uint32_t last_uid = 0;
    bool is_pseudo = false;  // X-IMAP: the message is none
  };
  std::optional<Base> base;
  std::string header_md5;  // 32 hexadecimal digits: what Dovecot's %m is
};
// Of a header, to its blank line. `kept` becomes the header without these fields, line ends as they are; what
// set_own_fields_apart() changed is as it was, where `restore`.
[[nodiscard]] MboxFields parse_mbox_fields(std::string_view header, bool restore,
                                           std::string& kept);
// A header whose own fields of these names, which every reader would take for the keeper's, are behind "X-Twinpost-Kept-" (and
// those that begin with it are behind another one). `changed` is how many.
[[nodiscard]] std::string set_own_fields_apart(std::string_view header, std::size_t& changed);
// mboxrd's rule: lines "From ", ">From " and so on behind one more ">", and with one less.
void append_escaped(std::string& out, std::string_view text);
void append_unescaped(std::string& out, std::string_view text);
// LF-ended lines; X-IMAPbase where `base` is given, its keywords behind.
[[nodiscard]] std::string mbox_fields(const MboxFields& fields,
                                      const std::vector<std::string>& base_keywords);
// The address in Return-Path, fit for a From_ line; "MAILER-DAEMON" where there is none.
[[nodiscard]] std::string envelope_sender(std::string_view message);

// "A/B" -> "A%2FB.mbox" and back. What is no such name is taken as it stands.
[[nodiscard]] std::string mbox_file_name(std::string_view mailbox);
[[nodiscard]] std::string mailbox_of_file(std::string_view file);

}  // namespace twinpost::tools
