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
#include "tools/twinpost/backup/directory.h"
#include "tools/twinpost/backup/files.h"
#include "tools/twinpost/backup/format.h"
#include "tools/twinpost/backup/manifest.h"
#include "tools/twinpost/backup/pack.h"

namespace twinpost::tools::backup {

// Message lines by UID, ascending, without their checks.
using Messages = std::vector<std::pair<store::Uid, std::string>>;

// What could be read of a listing. Where something could not, `problems` says it, and `lost` how
// many messages are not there for it (none, where they are there as they were in an earlier
// generation).
struct Listed {
  Messages messages;
  std::uint64_t lost = 0;
  std::vector<std::string> problems;
};

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

  // Complete ones, ascending. What is there and can't be read is in problems(); where a file's copy
  // was read in its place, a run and prune have made the file anew.
  [[nodiscard]] const std::vector<GenerationInfo>& generations() const { return generations_; }
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }
  // Of those, how many are there and can't be read at all.
  [[nodiscard]] std::size_t lost_generations() const { return lost_generations_; }
  // nullptr where there is none.
  [[nodiscard]] const GenerationInfo* find(const GenerationName& name) const;
  // Generations that were added, rewritten or removed are seen from then on.
  [[nodiscard]] Result<void> reload();

  // Good until reload(). Errors are those of opening the manifest: damage in it is in what is read.
  [[nodiscard]] Result<const Directory*> directory(const GenerationName& name);
  // kNotFound where the generation does not have the account. Good until another account's is asked
  // for.
  [[nodiscard]] Result<const AccountSection*> section(const GenerationName& name,
                                                      std::string_view account);
  // All messages of the mailbox as of that generation.
  [[nodiscard]] Listed messages(const GenerationName& name, std::string_view account,
                                const MailboxLine& mailbox);
  // Only what this generation lists of it.
  [[nodiscard]] Listed listed(const GenerationName& name, std::string_view account,
                              const ListedMailbox& mailbox);
  // Reads the file and compares it with the checksum in generation.json.
  [[nodiscard]] Result<void> check_manifest(const GenerationName& name) const;
  // What is removed before a run: half generations, and what prune was about to remove.
  [[nodiscard]] Result<void> clear_leftovers();
  [[nodiscard]] Result<ManifestReader*> manifest(const GenerationName& name);

 private:
  Repository() = default;
  [[nodiscard]] static Result<Repository> begin(const std::string& folder, Use use);
  [[nodiscard]] Result<void> lock(Use use);
  [[nodiscard]] Result<void> take_keys(store::KeyringPtr keys, bool needed);
  [[nodiscard]] Result<void> read_info();
  [[nodiscard]] Result<void> read_generation(const std::string& name);
  [[nodiscard]] Result<void> make(std::uint64_t store_id, bool sealed);
  [[nodiscard]] Listed resolve(const GenerationName& name, std::string_view account,
                               std::string_view guid, store::UidValidity uid_validity);
  [[nodiscard]] Listed merge_into_base(const GenerationName& name, std::string_view account,
                                       const ListedMailbox& mailbox);
  [[nodiscard]] Result<void> mend(const std::string& path, std::string_view text);

  std::string folder_;
  Use use_ = Use::kLook;
  BackupInfo info_;
  std::vector<std::string> info_problems_;
  std::unique_ptr<store::BodyCoder> coder_;
  File run_lock_;
  File prune_lock_;
  std::vector<GenerationInfo> generations_;
  std::vector<std::string> problems_;
  std::size_t lost_generations_ = 0;
  std::map<GenerationName, ManifestReader> manifests_;
  std::map<GenerationName, Directory> directories_;
  std::string section_account_;
  std::map<GenerationName, AccountSection> sections_;
};

}  // namespace twinpost::tools::backup
