// The sections of a manifest as they are written, and the index behind them. One thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/twinpost/backup/format.h"
#include "tools/twinpost/backup/manifest.h"

namespace twinpost::tools::backup {

// The accounts one after the other: each begun, then its mailboxes, each begun and then its
// messages.
class SectionWriter {
 public:
  explicit SectionWriter(ManifestWriter& manifest) : manifest_(manifest) {}
  [[nodiscard]] Result<void> account(AccountLine line);
  [[nodiscard]] Result<void> mailbox(MailboxLine line);
  // An object with its line end, without its check.
  [[nodiscard]] Result<void> message(std::string line);
  // Writes the index and finishes the manifest; what generation.json says of all is in `info` then.
  [[nodiscard]] Result<void> finish(GenerationInfo& info);

 private:
  void end_mailbox();
  void end_account();

  ManifestWriter& manifest_;
  AccountEntry account_;
  MailboxEntry mailbox_;
  std::string mailbox_entries_;  // of this account
  std::string index_;
  bool in_account_ = false;
  bool in_mailbox_ = false;
  GenerationInfo sums_;
};

}  // namespace twinpost::tools::backup
