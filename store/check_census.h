// What a check counts: one snapshot of the store, its tables read one entry at a time whatever they
// hold, and the bodies with what names them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "store/check_access.h"
#include "store/check_findings.h"
#include "store/records.h"

namespace twinpost::store {

// One body as its record says, and as it was found.
struct CountedBlob {
  std::uint64_t id = 0;
  std::uint64_t size = 0;
  std::uint32_t references = 0;
  std::uint32_t found = 0;  // records that name it
  bool readable = false;    // its record
  bool dying = false;
  bool listed = false;  // in `reapable`
};

// By ascending id.
class BlobIndex {
 public:
  void add(const CountedBlob& blob) { blobs_.push_back(blob); }
  [[nodiscard]] CountedBlob* find(std::uint64_t id);
  [[nodiscard]] std::vector<CountedBlob>& all() { return blobs_; }

 private:
  std::vector<CountedBlob> blobs_;
  std::size_t last_ = 0;  // neighbouring messages have neighbouring bodies
};

struct Census {
  Census(const CheckAccess& the_access, const CheckOptions& the_options,
         const Progress& the_progress, CheckReport& the_report, Findings& the_findings)
      : access(the_access),
        options(the_options),
        progress(the_progress),
        report(the_report),
        findings(the_findings) {}
  Census(const Census&) = delete;
  Census& operator=(const Census&) = delete;

  const CheckAccess& access;
  const CheckOptions& options;
  const Progress& progress;
  CheckReport& report;
  Findings& findings;

  std::unique_ptr<engine::ReadTxn> txn;
  std::set<engine::Table> lost;      // tables that can't be read
  std::optional<Counters> counters;  // as stored
  Counters needed;                   // at least; from what is in use
  BlobIndex blobs;
  std::vector<std::uint64_t> serials;  // of all messages
  bool whole = true;                   // not only one account: what names a body is known
  std::optional<AccountId> only;
  std::uint64_t entries_done = 0;
  std::uint64_t entries_total = 0;
  bool ended = false;  // by `progress`

  // True while the work may go on.
  bool step(std::string_view phase, std::uint64_t done, std::uint64_t total);
  bool count_entry();
  void lose(engine::Table table, const std::string& why);
  [[nodiscard]] std::string name_of(engine::Table table) const;
  std::set<std::pair<engine::Table, std::string>> misplaced_before;
  // How long the keys of a table are; 0: names are in them.
  [[nodiscard]] std::size_t key_octets(engine::Table table) const;
  // An entry that can't be one of its table: its key has the wrong length. Told once.
  void misplaced(engine::Table table, std::string_view key, std::string_view value);
};

// A table, entry by entry. One that can't be read ends, and is told of once.
class Rows {
 public:
  Rows(Census& census, engine::Table table);
  // True where there is an entry.
  bool seek(std::string_view key);
  bool next();
  [[nodiscard]] std::string_view key() const { return cursor_->key(); }
  [[nodiscard]] std::string_view value() const { return cursor_->value(); }

 private:
  bool landed(Result<bool> found);
  Census& census_;
  engine::Table table_;
  std::unique_ptr<engine::Cursor> cursor_;
};

// What stands under a key; nullopt where nothing does, or the table can't be read.
[[nodiscard]] std::optional<std::string_view> find_value(Census& census, engine::Table table,
                                                         std::string_view key);

// Calls visit(key, value) for each entry that begins with `prefix`, until the check is ended.
template <class Visit>
void for_each_row(Census& census, engine::Table table, std::string_view prefix, Visit visit) {
  Rows rows(census, table);
  for (bool there = rows.seek(prefix); there && rows.key().starts_with(prefix);
       there = rows.next()) {
    if (!census.count_entry()) return;
    visit(rows.key(), rows.value());
  }
}

[[nodiscard]] std::string hex_of(std::string_view octets);

// The passes, in this order. Within each nothing stops at what is damaged.
using BlobSet = std::set<std::uint64_t>;
void count_blobs(Census& census);     // blob_refs, reapable
void check_accounts(Census& census);  // everything that begins with an account
void check_serials(Census& census);
void check_counters(Census& census);
// References, names, and whose chunks there are. Gives the bodies that lack some, where their
// octets are not read later.
[[nodiscard]] BlobSet check_blobs(Census& census);

// Bodies and summaries, in short reads of their own: needs no snapshot. Gives the bodies that can't
// be read.
[[nodiscard]] Result<BlobSet> check_bodies(Census& census);
// Which messages need these bodies.
void tell_of_messages(Census& census, const BlobSet& unreadable);

}  // namespace twinpost::store
