// Names in a Maildir: what a message's file name says, and how mailbox names stand for folders. Pure; any thread.
//
//   1700000000.M20046P2137.host,S=4542,W=4642:2,FSab
//   '---------- base name ------------------' ''-- flags: letters in upper case, keywords a to z
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/types.h"
#include "tools/twinpost/transfer/maildir.h"

namespace twinpost::tools {

struct MaildirFileName {
  std::string_view base;     // up to ":2," (";2," and "!2," where a file system can't have colons)
  std::string_view letters;  // behind it, up to a comma
};
[[nodiscard]] MaildirFileName parse_file_name(std::string_view name);
// What stays the same for ever: the base name without the ",S=" and ",W=" that a server may add or
// correct.
[[nodiscard]] std::string_view lasting_name(std::string_view base);
// The time in the name; a name without one comes last.
[[nodiscard]] std::uint64_t arrival_time(std::string_view base);

// "T" is \Deleted, "P" (passed on) the keyword $Forwarded.
[[nodiscard]] store::FlagBits flags_of(std::string_view letters);
[[nodiscard]] std::string letters_of(store::FlagBits flags);

// A level of a folder's name on the disk as UTF-8, NFC. What is no proper name is read as it stands, so that no folder is
// left out: 8-bit octets as UTF-8 where they are that, else each as U+FFFD; what no mailbox may be called becomes "_".
[[nodiscard]] std::string level_from_disk(std::string_view level, bool utf8);
// "A.B" (without the dot at its beginning) or, of layout fs, "A/B".
[[nodiscard]] std::string mailbox_from_disk(std::string_view name, const MaildirOptions& options);

// "A/B" -> ".A.B". A name that Maildir++ can't have (a separator within a level, "~" at its beginning, too long for a
// file name) gets another one that ends in a digest of the right one; `exact` is false then.
struct FolderName {
  std::string name;
  bool exact = true;
};
[[nodiscard]] FolderName folder_name(std::string_view mailbox, const MaildirOptions& options);
// In such a folder: the mailbox's name, for the reader.
inline constexpr const char* kTrueName = "twinpost-mailbox";

// By well-known names of a first level; kNone for others.
[[nodiscard]] store::SpecialUse special_use_of(std::string_view mailbox);
// Gives each folder its use, every use once.
void set_special_uses(std::vector<MailFolder>& folders);
// Parents before children, INBOX first; names that are there twice are made different. `notes` tells of those.
void settle_names(std::vector<MailFolder>& folders, std::vector<std::string>& notes);

// The first half of the SHA-256 of the parts, each with its length before it.
[[nodiscard]] store::ImportKey import_key(const std::vector<std::string_view>& parts);

// What IMAP can show as a keyword (RFC 9051 section 9, flag-keyword: an atom).
[[nodiscard]] bool is_keyword(std::string_view text);

}  // namespace twinpost::tools
