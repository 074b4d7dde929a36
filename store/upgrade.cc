#include "store/upgrade.h"

#include <vector>

#include "store/queries.h"

namespace twinpost::store {

namespace {

// Format 2 counts what `removed` keeps of each account. Its other differences need nothing done: the
// rows of blobs and removals of format 1 are read as they are, and the table `imports` is empty.
Result<void> count_removed(engine::WriteTxn& txn, const Tables& tables) {
  const Queries queries(txn, tables);
  std::vector<AccountRow> rows;
  auto scanned = queries.scan(tables.accounts, {}, {}, [&](auto key, auto value) -> Result<bool> {
    auto row = decode_account(key, value);
    if (row) rows.push_back(std::move(*row));  // `check` tells of the others
    return true;
  });
  if (!scanned) return scanned;
  for (AccountRow& row : rows) {
    row.info.removed_messages = row.info.removed_bytes = 0;
    auto counted =
        queries.for_each_removed(row.info.id, UnixTime{}, [&row](const RemovedMessage& removed) {
          ++row.info.removed_messages;
          if (removed.how != Removal::kMoved) row.info.removed_bytes += removed.message.size;
          return true;
        });
    if (!counted) return counted;
    const Key key = account_key(row.info.id);
    auto put = txn.put(tables.accounts, key.view(), encode_account(key.view(), row));
    if (!put) return put;
  }
  return {};
}

}  // namespace

std::string encode_format(std::uint32_t version) { return std::string(Key().u32(version).view()); }

Result<void> upgrade(engine::WriteTxn& txn, const Tables& tables, std::uint32_t format) {
  if (format < 2) {
    if (auto done = count_removed(txn, tables); !done) return done;
  }
  return txn.put(tables.meta, kFormatKey, encode_format(kFormatVersion));
}

}  // namespace twinpost::store
