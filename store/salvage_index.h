// What a damaged data file still has, by its records: what the trees give, and, where a part of a
// tree is lost, what lies about in pages that no tree reaches.
//
// Every record but a body's octets has a checksum over its key and itself, so that it is known
// wherever it lies. Old copies are too: LMDB writes a changed page elsewhere and leaves the old
// one. So a record from outside the trees counts only where its key lies in a gap, a range of keys
// that could not be read; what is known to have been removed is left out, and of several copies the
// one with the highest modseq is taken. Memory: some hundred octets a message. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "store/engine/page_walk.h"
#include "store/records.h"
#include "store/store.h"

namespace twinpost::store {

// How a record was come by, best last.
enum class Certainty : std::uint8_t {
  kGuessed,  // its checksum is wrong, its parts agree
  kLoose,    // outside the trees
  kSound,
};

struct FoundMessage {
  engine::ValuePlace place;
  ModSeq modseq;
  BlobId blob;
  Certainty certainty = Certainty::kSound;
};

struct FoundMailbox {
  MailboxRow row;
  Certainty certainty = Certainty::kSound;
};

struct FoundChunk {
  std::uint64_t blob = 0;
  std::uint32_t chunk = 0;
  engine::ValuePlace place;
};

class SalvageIndex {
 public:
  explicit SalvageIndex(const engine::PageFile& file) : file_(file) {}

  // kShutdown where `progress` says so. Damage is no error: see problems().
  [[nodiscard]] Result<void> build(const Progress& progress);

  [[nodiscard]] const engine::PageFile& file() const { return file_; }
  std::optional<StoreRow> store;
  // Of the whole layout, where this version does not know it (tables.h): what is read is what has
  // kept its form.
  std::optional<std::uint32_t> newer_format;
  std::map<std::uint32_t, AccountRow> accounts;
  std::map<std::uint32_t, std::string> account_names;  // by id
  std::map<MailboxKey, FoundMailbox> mailboxes;
  std::map<MailboxKey, std::string> mailbox_names;
  std::set<std::string> subscriptions;  // name_key()s
  std::map<MailboxKey, std::map<std::uint32_t, std::string>> keywords;
  std::map<std::pair<MailboxKey, Uid>, FoundMessage> messages;
  std::set<std::uint64_t> removed_blobs;                // bodies that `removed` keeps
  std::map<std::uint64_t, std::vector<BlobRow>> blobs;  // in the forms that were found
  std::map<Sha256Digest, std::uint64_t> blob_names;
  std::vector<FoundChunk> chunks;  // by blob and chunk; several where it is not known which

  // A record of this key may have been lost.
  [[nodiscard]] bool may_lack(const std::string& table, std::string_view key) const;
  [[nodiscard]] bool is_complete(const std::string& table) const;
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }
  [[nodiscard]] std::uint64_t problem_count() const { return problem_count_; }
  // Records that were found outside the trees and belong to nothing any more.
  [[nodiscard]] std::uint64_t stale_records() const { return stale_; }

 private:
  class Walk;
  friend class Walk;

  void problem(std::string what);
  void add_gap(const std::string& table, engine::KeyRange range);
  void take(const std::string& table, std::string_view key, std::string_view value,
            engine::ValuePlace place, Certainty certainty);
  void take_rest(const std::string& table, std::string_view key, std::string_view value,
                 engine::ValuePlace place);
  void take_message(std::string_view key, std::string_view value, engine::ValuePlace place,
                    Certainty certainty);
  void take_damaged(const std::string& table, std::string_view key, std::string_view value,
                    engine::ValuePlace place, const std::string& why);
  // A record from outside the trees: which table it is of, by its key, its checksum and its form.
  [[nodiscard]] bool take_loose(std::string_view key, std::string_view value,
                                engine::ValuePlace place);
  [[nodiscard]] bool take_sealed(std::string_view key, std::string_view value,
                                 engine::ValuePlace place);
  void scan_page(std::uint64_t page, std::string& octets);
  void scan_chunks(std::uint64_t page, std::string& octets);
  [[nodiscard]] Result<void> scan(const engine::PageWalk* walk, const Progress& progress);
  void merge_tombstones();
  [[nodiscard]] bool is_expunged(MailboxKey mailbox, Uid uid) const;
  void drop_removed();
  void sort_chunks();

  const engine::PageFile& file_;
  bool heads_sure_ = false;
  // By table. Ranges of keys, from the first to before the second (to the end), that do not touch.
  using Gaps = std::map<std::string, std::optional<std::string>, std::less<>>;
  std::map<std::string, Gaps> gaps_;
  std::map<MailboxKey, std::vector<std::pair<Uid, Uid>>> tombstones_;
  std::set<std::pair<MailboxKey, Uid>> removed_;
  std::vector<std::uint64_t> chunk_pages_;  // with what may be chunks
  std::vector<std::string> problems_;
  std::uint64_t problem_count_ = 0;
  std::uint64_t stale_ = 0;
};

}  // namespace twinpost::store
