#include "store/check_census.h"

#include <algorithm>

#include "core/base/encoding.h"

namespace twinpost::store {

CountedBlob* BlobIndex::find(std::uint64_t id) {
  if (last_ < blobs_.size() && blobs_[last_].id == id) return &blobs_[last_];
  if (last_ + 1 < blobs_.size() && blobs_[last_ + 1].id == id) return &blobs_[++last_];
  const auto found = std::lower_bound(
      blobs_.begin(), blobs_.end(), id,
      [](const CountedBlob& blob, std::uint64_t wanted) { return blob.id < wanted; });
  if (found == blobs_.end() || found->id != id) return nullptr;
  last_ = static_cast<std::size_t>(found - blobs_.begin());
  return &*found;
}

bool Census::step(std::string_view phase, std::uint64_t done, std::uint64_t total) {
  if (!ended && progress && !progress(phase, done, total)) ended = true;
  return !ended;
}

bool Census::count_entry() {
  constexpr std::uint64_t kNowAndThen = 4096;
  if (++entries_done % kNowAndThen != 0) return !ended;
  return step("records", entries_done, std::max(entries_done, entries_total));
}

std::string Census::name_of(engine::Table table) const {
  const Tables& t = access.tables;
  const std::pair<engine::Table, const char*> names[] = {
      {t.meta, "meta"},
      {t.account_names, "account_names"},
      {t.accounts, "accounts"},
      {t.mailboxes, "mailboxes"},
      {t.mailbox_names, "mailbox_names"},
      {t.subscriptions, "subscriptions"},
      {t.keywords, "keywords"},
      {t.messages, "messages"},
      {t.expunged, "expunged"},
      {t.removed, "removed"},
      {t.blob_names, "blob_names"},
      {t.blob_refs, "blob_refs"},
      {t.blobs, "blobs"},
      {t.summaries, "summaries"},
      {t.reapable, "reapable"},
      {t.imports, "imports"},
      {t.notes, "notes"},
  };
  for (const auto& [handle, name] : names) {
    if (handle == table) return name;
  }
  return "?";
}

std::size_t Census::key_octets(engine::Table table) const {
  const Tables& t = access.tables;
  const std::pair<engine::Table, std::size_t> lengths[] = {
      {t.accounts, 4},  {t.mailboxes, 8}, {t.keywords, 12}, {t.messages, 12},
      {t.expunged, 20}, {t.removed, 20},  {t.imports, 20},
  };
  for (const auto& [handle, octets] : lengths) {
    if (handle == table) return octets;
  }
  return 0;
}

void Census::lose(engine::Table table, const std::string& why) {
  if (!lost.insert(table).second) return;
  findings.lose_table("table " + name_of(table), why);
}

void Census::misplaced(engine::Table table, std::string_view key, std::string_view value) {
  constexpr std::size_t kShown = 64;
  if (!misplaced_before.emplace(table, std::string(key)).second) return;
  findings.add(Severity::kMessage, "table " + name_of(table),
               "an entry stands under a key that can't be: " + hex_of(key) + ", its octets begin " +
                   hex_of(value.substr(0, kShown)),
               RepairUnit::entry(table, key));
}

Rows::Rows(Census& census, engine::Table table) : census_(census), table_(table) {
  if (census.lost.contains(table)) return;
  auto cursor = census.txn->cursor(table);
  if (cursor) {
    cursor_ = std::move(*cursor);
  } else {
    census.lose(table, cursor.error().message);
  }
}

bool Rows::landed(Result<bool> found) {
  if (found) return *found;
  census_.lose(table_, found.error().message);
  cursor_.reset();
  return false;
}

bool Rows::seek(std::string_view key) { return cursor_ && landed(cursor_->seek(key)); }
bool Rows::next() { return cursor_ && landed(cursor_->next()); }

std::optional<std::string_view> find_value(Census& census, engine::Table table,
                                           std::string_view key) {
  if (census.lost.contains(table) || key.empty() || key.size() > engine::kMaxKeyOctets) {
    return std::nullopt;
  }
  auto value = census.txn->get(table, key);
  if (value) return *value;
  census.lose(table, value.error().message);
  return std::nullopt;
}

std::string hex_of(std::string_view octets) { return hex_encode(octets); }

}  // namespace twinpost::store
