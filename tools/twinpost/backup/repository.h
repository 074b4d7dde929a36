// A backup's folder: opened, locked, and its generations read, whose listings are put together from
// the generations that they build on. Errors name the file, or the generation and the account.
//
// Blocking; one thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/body_codec.h"
#include "store/keyring.h"
#include "tools/twinpost/backup/files.h"
#include "tools/twinpost/backup/format.h"
#include "tools/twinpost/backup/manifest.h"
#include "tools/twinpost/backup/pack.h"

namespace twinpost::tools::backup {

// A mailbox of a generation, and where its message lines are in the manifest.
struct ListedMailbox {
  MailboxLine line;
  std::uint64_t offset = 0;
  std::uint64_t octets = 0;
};

// An account's section, checked against its checksum.
struct AccountSection {
  AccountLine account;
  std::vector<ListedMailbox> mailboxes;

  // nullptr where there is none.
  [[nodiscard]] const ListedMailbox* find(std::string_view guid,
                                          store::UidValidity uid_validity) const;
};

// Message lines by UID, ascending.
using Messages = std::vector<std::pair<store::Uid, std::string>>;

class Repository {
 public:
  // What it is wanted for decides on who may work on it at the same time: one run and any number of
  // readers, or one prune and nobody else. kLook reads no manifest and no body, and needs no key.
  enum class Use : std::uint8_t { kLook, kRead, kBackup, kPrune };

  // kNotFound; kInvalid where it is no backup; kInUse; kPermission where it is encrypted and `keys`
  // is null.
  [[nodiscard]] static Result<Repository> open(const std::string& folder, Use use,
                                               store::KeyringPtr keys);
  // For a run: a folder that is not there or is empty becomes a backup of this store. kInvalid
  // where it is one of another store, or is encrypted and `keys` is null, or the other way round.
  [[nodiscard]] static Result<Repository> open_or_make(const std::string& folder,
                                                       std::uint64_t store_id,
                                                       store::KeyringPtr keys);
  // Whether the backup there is encrypted. kNotFound where there is none.
  [[nodiscard]] static Result<BackupInfo> peek(const std::string& folder);

  [[nodiscard]] const BackupInfo& info() const { return info_; }
  [[nodiscard]] const store::BodyCoder& coder() const { return *coder_; }
  [[nodiscard]] std::string packs_folder() const { return folder_ + "/packs"; }
  [[nodiscard]] std::string generations_folder() const { return folder_ + "/generations"; }
  [[nodiscard]] std::string path_of(const GenerationName& name) const {
    return generations_folder() + "/" + to_string(name);
  }

  // Complete ones, ascending. What is there and can't be read is in problems().
  [[nodiscard]] const std::vector<GenerationInfo>& generations() const { return generations_; }
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }
  // nullptr where there is none.
  [[nodiscard]] const GenerationInfo* find(const GenerationName& name) const;
  // Generations that were added, rewritten or removed are seen from then on.
  [[nodiscard]] Result<void> reload();

  // By name. Good until reload().
  [[nodiscard]] Result<const std::vector<AccountPlace>*> accounts(const GenerationName& name);
  // kNotFound where the generation does not have the account. Good until another account's is asked
  // for.
  [[nodiscard]] Result<const AccountSection*> section(const GenerationName& name,
                                                      std::string_view account);
  // All messages of the mailbox as of that generation.
  [[nodiscard]] Result<Messages> messages(const GenerationName& name, std::string_view account,
                                          const MailboxLine& mailbox);
  // Only what this generation lists of it.
  [[nodiscard]] Result<Messages> listed(const GenerationName& name, const ListedMailbox& mailbox);
  // What is removed before a run: half generations, and what prune was about to remove.
  [[nodiscard]] Result<void> clear_leftovers();
  [[nodiscard]] Result<ManifestReader*> manifest(const GenerationName& name);

 private:
  Repository() = default;
  [[nodiscard]] static Result<Repository> begin(const std::string& folder, Use use);
  [[nodiscard]] Result<void> lock(Use use);
  [[nodiscard]] Result<void> take_keys(store::KeyringPtr keys, bool needed);
  [[nodiscard]] Result<void> read_info();
  [[nodiscard]] Result<void> make(std::uint64_t store_id, bool sealed);
  [[nodiscard]] Result<AccountSection> read_section(const GenerationName& name,
                                                    const AccountPlace& place);
  [[nodiscard]] Result<Messages> resolve(const GenerationName& name, std::string_view account,
                                         std::string_view guid, store::UidValidity uid_validity);

  std::string folder_;
  BackupInfo info_;
  std::unique_ptr<store::BodyCoder> coder_;
  File run_lock_;
  File prune_lock_;
  std::vector<GenerationInfo> generations_;
  std::vector<std::string> problems_;
  std::map<GenerationName, ManifestReader> manifests_;
  std::map<GenerationName, std::vector<AccountPlace>> places_;
  std::string section_account_;
  std::map<GenerationName, AccountSection> sections_;
};

}  // namespace twinpost::tools::backup
