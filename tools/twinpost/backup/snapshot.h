// The first step of a run: what is in the store, all of it as it was at one moment.
//
// One read transaction walks every account's mailboxes, decides for each of them how it is listed
// (format.h) and writes the records, in a form of its own, to a temporary file. No body is read,
// nothing is encoded: that comes afterwards, when the transaction is over.
//
// Blocking; one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "store/store.h"
#include "tools/twinpost/backup/files.h"
#include "tools/twinpost/backup/format.h"

namespace twinpost::tools::backup {

// Records on their way through a temporary file.
class RecordSpool {
 public:
  [[nodiscard]] static Result<RecordSpool> create(const std::string& folder);
  [[nodiscard]] Result<void> put(const store::MessageRecord& record);
  [[nodiscard]] std::uint64_t size() const { return out_.size(); }
  // Forgets what was put after the spool had this size.
  [[nodiscard]] Result<void> rewind(std::uint64_t size);
  [[nodiscard]] Result<void> finish() { return out_.flush(); }  // before reading

  // `count` records from `offset` on, in order, until `visit` returns an error.
  using Visit = std::function<Result<void>(const store::MessageRecord&)>;
  [[nodiscard]] Result<void> read(std::uint64_t offset, std::uint64_t count, const Visit& visit);

 private:
  explicit RecordSpool(File file) : out_(std::move(file), 0) {}
  Appender out_;
};

// What an earlier generation says of a mailbox, for a delta to build on.
struct BaseMailbox {
  GenerationName generation;  // that lists it as full or delta
  store::ModSeq highest_modseq;
  store::Uid uid_next;
  std::uint64_t messages = 0;
  std::uint64_t octets = 0;
  std::uint32_t chain = 0;
  std::uint64_t weight = 0;
  bool is_sound = true;  // else it only tells whether the store went back
};
// By base_key().
using BaseMailboxes = std::unordered_map<std::string, BaseMailbox>;
[[nodiscard]] std::string base_key(std::string_view account, std::string_view guid,
                                   store::UidValidity uid_validity);

struct MailboxSnapshot {
  store::MailboxInfo info;
  Listing listing = Listing::kFull;
  std::optional<BaseMailbox> base;  // of kDelta and kSame
  std::vector<store::Uid> gone;
  std::uint64_t spool_offset = 0;
  std::uint64_t records = 0;     // in the spool
  std::uint64_t unreadable = 0;  // records that are damaged
};

struct AccountSnapshot {
  store::AccountInfo info;
  std::vector<std::string> subscriptions;
  std::vector<MailboxSnapshot> mailboxes;
};

struct Snapshot {
  std::vector<AccountSnapshot> accounts;
  std::uint64_t records = 0;
  std::vector<std::string> problems;  // what could not be read
  // A mailbox is older than it was in the backup: the store's files were put back by other means,
  // and nothing of earlier generations can be built on.
  bool went_back = false;
};

[[nodiscard]] Result<Snapshot> take_snapshot(store::Store& store, const BaseMailboxes& bases,
                                             RecordSpool& spool, const store::Progress& progress);

}  // namespace twinpost::tools::backup
