// Mail on its way between a store and something else: a folder of Maildirs, an mbox, another server, a backup.
//
// A MailSource has one account's folders and messages, a MailSink takes them; transfer() (transfer.h) takes everything from the
// one to the other. Blocking; one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "store/types.h"

namespace twinpost::tools {

struct MailFolder {
  std::string name;                 // UTF-8, '/' between levels, the inbox is "INBOX"
  store::UidValidity uid_validity;  // 0: the source has none
  store::Uid uid_next;              // 0: not known
  store::ModSeq highest_modseq;
  std::string mailbox_guid;
  store::SpecialUse special_use = store::SpecialUse::kNone;
  bool subscribed = false;
  bool selectable = true;   // false: only there for its children
  std::string native_name;  // what the source itself calls it
};

// A message without its octets.
struct MailItem {
  store::Uid uid;  // 0: the source has none
  store::FlagBits flags = 0;
  std::vector<std::string> keywords;
  store::InternalDate date;
  std::optional<UnixTime> save_date;
  std::string uidl;  // what POP3 showed; empty: nothing known
  bool pop3_hidden = false;
  bool pop3_retrieved = false;
  std::uint64_t size = 0;  // octets as the source counts them; 0: not known
  std::uint32_t prefix_octets =
      0;  // of the message's beginning: the recipient's own fields (MessageRecord::prefix)
  // Of the very store that it goes to only (a restore); 0: none.
  store::EmailId email_id;
  store::ThreadId thread_id;
  // Names it within its account for ever, whatever else changes: what makes a second run bring nothing twice. nullopt: the
  // source can't, or the sink need not remember.
  std::optional<store::ImportKey> key;
  std::string native_name;  // what the source needs to read it
};

class MailSource {
 public:
  virtual ~MailSource() = default;
  // "Maildir /var/mail/ann": for messages.
  [[nodiscard]] virtual std::string description() const = 0;
  // Parents before children, INBOX first.
  [[nodiscard]] virtual Result<std::vector<MailFolder>> folders() = 0;
  // Its messages, by UID where it has them, else in order of arrival.
  [[nodiscard]] virtual Result<std::vector<MailItem>> items(const MailFolder& folder) = 0;
  // The message's octets, prefix included, every line ended by CRLF. kNotFound where it has gone since items(); kCorrupt where
  // it can't be read: transfer() goes on with the next then. `next` are the items that will be read after it, in
  // order, for a source that can fetch ahead.
  [[nodiscard]] virtual Result<std::string> read(const MailFolder& folder, const MailItem& item,
                                                 std::span<const MailItem> next) = 0;
  // What the admin should know although nothing failed, a line each, since the last call.
  [[nodiscard]] virtual std::vector<std::string> take_notes() { return {}; }
};

class MailSink {
 public:
  virtual ~MailSink() = default;
  [[nodiscard]] virtual std::string description() const = 0;
  // All that will come, before anything else.
  [[nodiscard]] virtual Result<void> begin(const std::vector<MailFolder>& folders) = 0;
  // Which of these are not there yet. Called before their octets are read. kInvalid where this folder can't be taken:
  // transfer() goes on with the next then.
  [[nodiscard]] virtual Result<std::vector<bool>> wants(const MailFolder& folder,
                                                        std::span<const MailItem> items) = 0;
  // May be gathered; flushed by finish_folder(). An error that concerns this message only is given to the caller of transfer()
  // by way of `refused` (below); an error that is returned ends the transfer.
  [[nodiscard]] virtual Result<void> put(const MailFolder& folder, const MailItem& item,
                                         std::string octets) = 0;
  [[nodiscard]] virtual Result<void> finish_folder(const MailFolder& folder) = 0;
  [[nodiscard]] virtual Result<void> finish() = 0;

  struct Refused {
    std::string folder;
    MailItem item;
    Error error;
  };
  // Since the last call.
  [[nodiscard]] virtual std::vector<Refused> take_refused() { return {}; }
  // As MailSource's.
  [[nodiscard]] virtual std::vector<std::string> take_notes() { return {}; }
  // How many were really put, those that are gathered not counted.
  [[nodiscard]] virtual std::uint64_t stored() const = 0;
};

}  // namespace twinpost::tools
