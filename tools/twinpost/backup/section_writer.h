// The sections of a manifest as they are written, and the index behind them. One thread.
#pragma once

#include <string>
#include <vector>

#include "tools/twinpost/backup/format.h"
#include "tools/twinpost/backup/manifest.h"

namespace twinpost::tools::backup {

// One account's section, line by line: the account first.
class SectionWriter {
 public:
  SectionWriter(ManifestWriter& manifest, std::string account);
  [[nodiscard]] Result<void> account(const AccountLine& line);
  [[nodiscard]] Result<void> mailbox(const MailboxLine& line);
  [[nodiscard]] Result<void> message(std::string_view line);  // with its line end
  [[nodiscard]] AccountPlace finish();

 private:
  [[nodiscard]] Result<void> put(std::string_view line);
  ManifestWriter& manifest_;
  AccountPlace place_;
  Sha256 hash_;
};

class IndexWriter {
 public:
  // Counts it into the generation's figures too.
  void add(const AccountPlace& place, GenerationInfo& info);
  // Writes the index and finishes the manifest; what generation.json says of both is in `info`
  // then.
  [[nodiscard]] Result<void> finish(ManifestWriter& manifest, GenerationInfo& info);

 private:
  std::string lines_;
};

}  // namespace twinpost::tools::backup
