// Bodies by their records: references, names, the reaper's list, and whose chunks there are.
#include <algorithm>

#include "store/check_census.h"
#include "store/check_mailbox.h"

namespace twinpost::store {

namespace {

constexpr std::size_t kBlobKeyOctets = 8;
constexpr std::size_t kChunkKeyOctets = 12;
constexpr std::size_t kMessageKeyOctets = 12;

std::string called(std::uint64_t blob) { return "blob " + std::to_string(blob); }

std::string_view as_key(const Sha256Digest& name) {
  return {reinterpret_cast<const char*>(name.data()), name.size()};
}

void check_references(Census& census, CountedBlob& blob) {
  const RepairUnit unit = RepairUnit::of_blob(RepairUnit::Kind::kBlob, blob.id);
  const std::string where = called(blob.id);
  const auto wrong = [&](const std::string& what) {
    census.findings.add(Severity::kDerived, where, what, unit);
  };
  if (blob.found > blob.references) {
    wrong(std::to_string(blob.found) + " messages name it, its record says " +
          std::to_string(blob.references));
  } else if (blob.found < blob.references) {
    ++census.report.kept_bodies;
    census.findings.note(
        where, blob.found == 0 ? "body without a message (kept; `twinpost salvage` writes it out)"
                               : "more references than messages (kept: one may be lost)");
  }
  if (blob.references == 0 && blob.found == 0 && !blob.listed) {
    wrong("nothing refers to it, and the reaper's list does not have it");
  }
  if (blob.references > 0 && blob.listed) wrong("it is in use and on the reaper's list");
}

// A body that is not being freed has its name, unless a newer one of the same octets took it over.
void check_name_of(Census& census, const CountedBlob& blob, const BlobRow& row) {
  const engine::Table names = census.access.tables.blob_names;
  const std::string_view name = as_key(row.name);
  const auto value = find_value(census, names, name);
  if (value || census.lost.contains(names) || row.dying) return;
  census.findings.add(Severity::kDerived, called(blob.id), "its name is not listed",
                      RepairUnit::of_blob(RepairUnit::Kind::kBlob, blob.id));
}

void check_names(Census& census) {
  const Tables& tables = census.access.tables;
  for_each_row(census, tables.blob_names, {}, [&](auto key, auto value) {
    if (key.size() != sizeof(Sha256Digest)) return census.misplaced(tables.blob_names, key, value);
    const RepairUnit entry = RepairUnit::name(tables.blob_names, key);
    const std::string where = "body name " + hex_of(key);
    const auto id = decode_number(key, value, "blob name");
    if (!id) return census.findings.add(Severity::kDerived, where, id.error().message, entry);
    const Key row_key = blob_key(BlobId(*id));
    const auto stored = find_value(census, tables.blob_refs, row_key.view());
    if (census.lost.contains(tables.blob_refs)) return;
    if (!stored) {
      return census.findings.add(Severity::kDerived, where, "it stands for no body", entry);
    }
    const auto row = decode_blob(row_key.view(), *stored);
    // It is what can tell whether a damaged record was read rightly.
    if (!row) return;
    if (as_key(row->name) != key) {
      census.findings.add(Severity::kDerived, where, "it stands for a body of another name", entry);
    } else if (row->dying) {
      census.findings.add(Severity::kDerived, where, "it stands for a body that is being freed",
                          entry);
    }
  });
}

// The chunks of a table beside the records of their bodies; both ascend.
class Chunks {
 public:
  Chunks(Census& census, engine::Table table)
      : census_(census), table_(table), rows_(census, table) {
    there_ = rows_.seek({});
  }

  // How many octets this body has; false where its chunks are not one after the other.
  bool take(std::uint64_t blob, std::uint64_t& octets) {
    octets = 0;
    skip_to(blob);
    bool in_order = true;
    for (std::uint32_t chunk = 0; there_ && owner() == blob; there_ = rows_.next(), ++chunk) {
      if (!census_.count_entry()) return true;
      in_order = in_order && rows_.key() == chunk_key(BlobId(blob), chunk).view() &&
                 octets % kChunkOctets == 0;
      octets += rows_.value().size();
    }
    return in_order;
  }
  // What is left belongs to nobody.
  void skip_to(std::uint64_t blob) {
    while (there_ && !census_.ended) {
      if (rows_.key().size() != kChunkKeyOctets) {
        census_.misplaced(table_, rows_.key(), rows_.value());
      } else if (owner() >= blob) {
        return;
      } else if (owner() != last_orphan_) {
        last_orphan_ = owner();
        note_orphan();
      }
      there_ = rows_.next();
    }
  }

 private:
  [[nodiscard]] std::uint64_t owner() const { return Reader(rows_.key()).key_u64(); }

  void note_orphan() {
    if (table_ == census_.access.tables.summaries) {
      census_.findings.add(Severity::kDerived, called(last_orphan_), "a summary without a body",
                           RepairUnit::of_blob(RepairUnit::Kind::kSummary, last_orphan_));
      return;
    }
    ++census_.report.kept_bodies;
    census_.findings.note(called(last_orphan_),
                          "octets without a record (kept; `twinpost salvage` writes them out)");
  }

  Census& census_;
  engine::Table table_;
  Rows rows_;
  bool there_ = false;
  std::uint64_t last_orphan_ = 0;
};

}  // namespace

void count_blobs(Census& census) {
  const Tables& tables = census.access.tables;
  for_each_row(census, tables.blob_refs, {}, [&](auto key, auto value) {
    if (key.size() != kBlobKeyOctets) return census.misplaced(tables.blob_refs, key, value);
    CountedBlob blob;
    blob.id = Reader(key).key_u64();
    ++census.report.blobs;
    const auto row = decode_blob(key, value);
    if (row) {
      blob.readable = true;
      blob.size = row->size;
      blob.references = row->references;
      blob.dying = row->dying;
    } else if (census.whole) {
      census.findings.add(Severity::kDerived, called(blob.id), row.error().message,
                          RepairUnit::of_blob(RepairUnit::Kind::kBlobRow, blob.id));
    }
    census.blobs.add(blob);
    if (blob.id != ~std::uint64_t{0}) {
      census.needed.next_blob = std::max(census.needed.next_blob, BlobId(blob.id + 1));
    }
  });
  if (!census.whole) return;
  for_each_row(census, tables.reapable, {}, [&](auto key, auto value) {
    if (key.size() != kBlobKeyOctets) return census.misplaced(tables.reapable, key, value);
    const std::uint64_t id = Reader(key).key_u64();
    const RepairUnit unit = RepairUnit::of_blob(RepairUnit::Kind::kBlob, id);
    const auto commit = decode_number(key, value, "reaper's list");
    if (!commit) {
      census.findings.add(Severity::kDerived, called(id), commit.error().message, unit);
    }
    CountedBlob* blob = census.blobs.find(id);
    if (blob != nullptr) {
      blob->listed = true;
    } else {
      census.findings.add(Severity::kDerived, called(id),
                          "it is on the reaper's list and not there", unit);
    }
  });
}

BlobSet check_blobs(Census& census) {
  const Tables& tables = census.access.tables;
  BlobSet incomplete;
  if (!census.whole || census.ended) return incomplete;
  const bool records_known =
      !census.lost.contains(tables.messages) && !census.lost.contains(tables.removed);
  Chunks bodies(census, tables.blobs);
  Chunks summaries(census, tables.summaries);
  for_each_row(census, tables.blob_refs, {}, [&](auto key, auto value) {
    CountedBlob* blob =
        key.size() == kBlobKeyOctets ? census.blobs.find(Reader(key).key_u64()) : nullptr;
    if (blob == nullptr) return;
    std::uint64_t octets = 0;
    std::uint64_t summary_octets = 0;
    const bool in_order = bodies.take(blob->id, octets);
    const bool summary_in_order = summaries.take(blob->id, summary_octets);
    const auto row = decode_blob(key, value);
    if (!row || census.ended) return;
    if (records_known) check_references(census, *blob);
    check_name_of(census, *blob, *row);
    if (row->dying || census.options.bodies) return;
    if (!census.lost.contains(tables.blobs) && (!in_order || octets != row->stored)) {
      incomplete.insert(blob->id);
      census.findings.add(Severity::kMessage, called(blob->id),
                          "it has " + std::to_string(octets) + " octets, its record says " +
                              std::to_string(row->stored));
    }
    if (!census.lost.contains(tables.summaries) &&
        (!summary_in_order || summary_octets != row->summary_octets)) {
      census.findings.add(Severity::kDerived, called(blob->id), "its summary is not whole",
                          RepairUnit::of_blob(RepairUnit::Kind::kSummary, blob->id));
    }
  });
  if (!census.lost.contains(tables.blob_refs)) {
    bodies.skip_to(~std::uint64_t{0});
    summaries.skip_to(~std::uint64_t{0});
  }
  check_names(census);
  return incomplete;
}

void check_serials(Census& census) {
  std::vector<std::uint64_t>& serials = census.serials;
  std::sort(serials.begin(), serials.end());
  std::set<std::uint64_t> twice;
  for (std::size_t i = 1; i < serials.size(); ++i) {
    if (serials[i] == serials[i - 1]) twice.insert(serials[i]);
  }
  serials = {};
  if (twice.empty() || census.ended) return;
  BlobSet seen;
  const engine::Table messages = census.access.tables.messages;
  for_each_row(census, messages, {}, [&](auto key, auto value) {
    MessageRecord record;
    if (!decode_message(key, value, record) || !twice.contains(record.serial.value())) return;
    if (seen.insert(record.serial.value()).second) return;
    Reader in(key);
    const std::uint32_t account = in.key_u32();
    const std::uint32_t mailbox = in.key_u32();
    census.findings.add(
        Severity::kDerived,
        "account " + std::to_string(account) + " mailbox " + std::to_string(mailbox) + " UID " +
            std::to_string(record.uid.value()),
        "its serial " + std::to_string(record.serial.value()) + " is another message's too",
        RepairUnit::entry(messages, key));
  });
}

void tell_of_messages(Census& census, const BlobSet& unreadable) {
  if (unreadable.empty() || census.ended) return;
  const Tables& tables = census.access.tables;
  const Key prefix = census.only ? account_key(*census.only) : Key();
  MessageRecord record;
  for_each_row(census, tables.messages, prefix.view(), [&](auto key, auto value) {
    if (key.size() != kMessageKeyOctets || !decode_message(key, value, record)) return;
    if (!unreadable.contains(record.blob.value())) return;
    Reader in(key);
    const AccountId account(in.key_u32());
    const Key account_row = account_key(account);
    const MailboxKey mailbox{account, MailboxId(in.key_u32())};
    const Key mailbox_row = mailbox_key(mailbox);
    std::string where = "account " + std::to_string(account.value());
    if (const auto found = find_value(census, tables.accounts, account_row.view())) {
      if (const auto row = decode_account(account_row.view(), *found)) where = row->info.name;
    }
    std::string name = "mailbox " + std::to_string(mailbox.mailbox.value());
    if (const auto found = find_value(census, tables.mailboxes, mailbox_row.view())) {
      if (const auto row = decode_mailbox(mailbox_row.view(), *found)) name = row->info.name;
    }
    census.findings.add_unreadable(
        where + "/" + name + " UID " + std::to_string(record.uid.value()),
        "its body (" + called(record.blob.value()) + ") can't be read");
  });
}

}  // namespace twinpost::store
