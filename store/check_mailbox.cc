#include "store/check_mailbox.h"

#include <algorithm>
#include <limits>

#include "core/base/encoding.h"
#include "store/damaged_records.h"
#include "store/transaction.h"

namespace twinpost::store {

namespace {

constexpr std::size_t kMailboxOctets = 8;
constexpr std::size_t kMessageKeyOctets = 12;
constexpr std::size_t kTombstoneKeyOctets = 20;

class MailboxCheck {
 public:
  MailboxCheck(Census& census, MailboxKey key, const std::string& account)
      : census_(census),
        key_(key),
        prefix_(mailbox_key(key)),
        unit_(RepairUnit::of_mailbox(key.account.value(), key.mailbox.value())),
        where_(account + "/mailbox " + std::to_string(key.mailbox.value())) {
    read_row(account);
  }

  CountedMailbox run() {
    check_keywords();
    check_messages();
    check_tombstones();
    compare();
    check_uidls();
    if (row_) ++census_.report.mailboxes;
    return {row_.has_value(), row_ && row_->info.shows_removed, counted_.messages, counted_.bytes};
  }

 private:
  [[nodiscard]] const Tables& tables() const { return census_.access.tables; }
  void wrong(const std::string& what, Severity severity = Severity::kDerived) {
    census_.findings.add(severity, where_, what, unit_);
  }
  [[nodiscard]] std::string at(Uid uid) const {
    return where_ + " UID " + std::to_string(uid.value());
  }

  void read_row(const std::string& account) {
    const auto value = find_value(census_, tables().mailboxes, prefix_.view());
    if (census_.lost.contains(tables().mailboxes)) return;
    if (!value) return wrong("its record is missing", Severity::kStore);
    auto row = decode_mailbox(prefix_.view(), *value);
    if (!row) return wrong(row.error().message, Severity::kStore);
    row_ = std::move(*row);
    const MailboxInfo& info = row_->info;
    where_ = account + "/" + info.name;
    census_.needed.last_uid_validity =
        std::max(census_.needed.last_uid_validity, info.uid_validity);
    if (info.uid_validity.value() == 0) wrong("its UIDVALIDITY is 0");
    if (info.uid_next.value() == 0) wrong("its UIDNEXT is 0");
    if (info.first_recent > info.uid_next) wrong("its first recent message is above its UIDNEXT");
    if (row_->tombstone_floor > info.highest_modseq) {
      wrong("its tombstones end above its HIGHESTMODSEQ");
    }
    check_name();
  }

  void check_name() {
    if (row_->info.name.empty() || row_->info.name.size() > kMaxNameOctets) {
      return wrong("its name can't be used");
    }
    const Key key = name_key(key_.account, row_->info.name);
    const auto value = find_value(census_, tables().mailbox_names, key.view());
    if (census_.lost.contains(tables().mailbox_names)) return;
    if (!value) return wrong("its name is not listed");
    const auto named = decode_number(key.view(), *value, "mailbox name");
    if (named && *named != key_.mailbox.value()) wrong("its name is listed for another mailbox");
  }

  void check_keywords() {
    for_each_row(census_, tables().keywords, prefix_.view(), [&](auto key, auto value) {
      if (key.size() != kMessageKeyOctets) return census_.misplaced(tables().keywords, key, value);
      const std::uint32_t bit = Reader(key.substr(kMailboxOctets)).key_u32();
      const auto name = decode_text(key, value, "keyword");
      if (!name) wrong(name.error().message);
      if (name && (name->empty() || name->size() > kMaxKeywordOctets)) {
        wrong("keyword " + std::to_string(bit) + " has a name that can't be used");
      }
      if (bit != keywords_ || bit >= kMaxKeywords) {
        wrong("its keywords are not numbered one after the other");
      }
      ++keywords_;
    });
  }

  void check_messages() {
    for_each_row(census_, tables().messages, prefix_.view(), [&](auto key, auto value) {
      if (key.size() != kMessageKeyOctets) return census_.misplaced(tables().messages, key, value);
      auto decoded = decode_message(key, value, record_);
      const Uid uid(Reader(key.substr(kMailboxOctets)).key_u32());
      ++census_.report.messages;
      if (!decoded) return check_damaged(key, value, uid, decoded.error().message);
      check_message(at(uid));
    });
  }

  // A record that will be sealed anew counts as if it were sound, one that will be taken out does
  // not.
  void check_damaged(std::string_view key, std::string_view value, Uid uid,
                     const std::string& why) {
    census_.findings.add_unreadable(at(uid), why, unit_);
    last_uid_ = std::max(last_uid_, uid);
    const auto guessed = guess_message(key, value);
    if (!guessed || !is_trustworthy(census_, *guessed)) return;
    if (row_ && guessed->modseq > row_->info.highest_modseq) return;
    record_ = *guessed;
    check_message(at(uid));
  }

  void check_message(const std::string& where) {
    count_in(counted_, record_);
    last_uid_ = std::max(last_uid_, record_.uid);
    if (record_.modseq > highest_) highest_ = record_.modseq;
    for (std::size_t bit = keywords_; bit < kMaxKeywords; ++bit) {
      if (record_.keywords.test(bit)) most_keywords_ = std::max(most_keywords_, bit + 1);
    }
    if (record_.uid.value() == 0) {
      census_.findings.add(Severity::kMessage, where, "its UID can't be", unit_);
    }
    if (!is_plausible(record_)) {
      census_.findings.add(Severity::kMessage, where, "its record has values that can't be", unit_);
    }
    note_serial(census_, record_);
    if (census_.whole) census_.serials.push_back(record_.serial.value());
    serials_.emplace_back(uidl_number(record_), record_.uid.value());
    count_body(census_, record_, where, true);
  }

  // Equal for equal UIDLs, and for nothing else that is likely.
  [[nodiscard]] std::uint64_t uidl_number(const MessageRecord& record) const {
    if (record.imported_uidl.empty()) return record.serial.value();
    constexpr std::size_t kMadeOctets = 32;
    if (record.imported_uidl.size() == kMadeOctets) {
      const auto octets = hex_decode(record.imported_uidl);
      if (octets) {
        Reader in(*octets);
        if (in.key_u64() == census_.access.store_id) return in.key_u64();
      }
    }
    return std::hash<std::string>{}(record.imported_uidl) | (std::uint64_t{1} << 63);
  }

  void check_uidls() {
    std::sort(serials_.begin(), serials_.end());
    for (std::size_t i = 1; i < serials_.size(); ++i) {
      if (serials_[i].first != serials_[i - 1].first) continue;
      MessageRecord other;
      if (!read(Uid(serials_[i - 1].second), other) || !read(Uid(serials_[i].second), record_)) {
        continue;
      }
      const std::uint64_t store_id = census_.access.store_id;
      if (uidl_of(other, store_id) != uidl_of(record_, store_id)) continue;
      census_.findings.add(
          Severity::kDerived, at(record_.uid),
          "it has the same UIDL as UID " + std::to_string(other.uid.value()),
          RepairUnit::entry(tables().messages, message_key(key_, record_.uid).view()));
    }
  }

  bool read(Uid uid, MessageRecord& record) {
    const Key key = message_key(key_, uid);
    const auto value = find_value(census_, tables().messages, key.view());
    return value && decode_message(key.view(), *value, record);
  }

  void check_tombstones() {
    Rows messages(census_, tables().messages);
    for_each_row(census_, tables().expunged, prefix_.view(), [&](auto key, auto value) {
      if (key.size() != kTombstoneKeyOctets) {
        return census_.misplaced(tables().expunged, key, value);
      }
      ++tombstones_;
      Reader in(key.substr(kMailboxOctets));
      const ModSeq modseq(in.key_u64());
      const Uid first(in.key_u32());
      highest_ = std::max(highest_, modseq);
      const auto last = decode_number(key, value, "tombstone");
      if (!last) return wrong(last.error().message);
      if (*last < first.value() || *last >= std::numeric_limits<std::uint32_t>::max()) {
        return wrong("a tombstone of UID " + std::to_string(first.value()) +
                     " ends before it begins");
      }
      last_uid_ = std::max(last_uid_, Uid(static_cast<std::uint32_t>(*last)));
      if (!messages.seek(message_key(key_, first).view())) return;
      if (messages.key() <= message_key(key_, Uid(static_cast<std::uint32_t>(*last))).view() &&
          messages.key().starts_with(prefix_.view())) {
        wrong("a tombstone names UID " +
              std::to_string(Reader(messages.key().substr(kMailboxOctets)).key_u32()) +
              ", which is there");
      }
    });
  }

  void compare() {
    if (!row_ || census_.ended || census_.findings.lost_tables()) return;
    const MailboxInfo& info = row_->info;
    const auto expect = [&](const char* what, std::uint64_t found, std::uint64_t stored) {
      if (found == stored) return;
      wrong(std::string("it has ") + std::to_string(found) + " " + what + ", its record says " +
            std::to_string(stored));
    };
    expect("messages", counted_.messages, info.messages);
    expect("unseen messages", counted_.unseen, info.unseen);
    expect("deleted messages", counted_.deleted, info.deleted);
    expect("octets", counted_.bytes, info.bytes);
    expect("tombstones", tombstones_, row_->tombstones);
    if (last_uid_ >= info.uid_next) {
      wrong("its UIDNEXT " + std::to_string(info.uid_next.value()) + " is not above UID " +
            std::to_string(last_uid_.value()));
    }
    if (highest_ > info.highest_modseq) {
      wrong("its HIGHESTMODSEQ " + std::to_string(info.highest_modseq.value()) +
            " is below the modseq " + std::to_string(highest_.value()) + " that is in use");
    }
    if (most_keywords_ > keywords_) {
      wrong("a message has keyword " + std::to_string(most_keywords_ - 1) + ", which has no name");
    }
  }

  Census& census_;
  MailboxKey key_;
  Key prefix_;
  RepairUnit unit_;
  std::string where_;
  std::optional<MailboxRow> row_;
  MailboxInfo counted_;
  MessageRecord record_;
  Uid last_uid_;
  ModSeq highest_;
  std::size_t keywords_ = 0;
  std::size_t most_keywords_ = 0;
  std::uint64_t tombstones_ = 0;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> serials_;  // with their UIDs
};

}  // namespace

CountedMailbox check_mailbox(Census& census, MailboxKey key, const std::string& account) {
  return MailboxCheck(census, key, account).run();
}

void note_serial(Census& census, const MessageRecord& record) {
  MessageSerial& next = census.needed.next_serial;
  if (record.serial >= next) next = record.serial.next();
}

bool count_body(Census& census, const MessageRecord& record, const std::string& where,
                bool is_message) {
  if (census.lost.contains(census.access.tables.blob_refs)) return false;
  const std::string body = "blob " + std::to_string(record.blob.value());
  CountedBlob* blob = census.blobs.find(record.blob.value());
  const auto unreadable = [&](const std::string& what, const RepairUnit& unit) {
    if (is_message) {
      census.findings.add_unreadable(where, what, unit);
    } else {
      census.findings.add(Severity::kMessage, where, what, unit);
    }
    return false;
  };
  if (blob == nullptr) {
    return unreadable("its body (" + body + ") is not there",
                      RepairUnit::of_blob(RepairUnit::Kind::kBlobRow, record.blob.value()));
  }
  ++blob->found;
  if (!blob->readable) {
    return unreadable("the record of its body (" + body + ") can't be read",
                      RepairUnit::of_blob(RepairUnit::Kind::kBlobRow, blob->id));
  }
  if (blob->dying) {
    return unreadable("its body (" + body + ") is being freed",
                      RepairUnit::of_blob(RepairUnit::Kind::kBlob, blob->id));
  }
  if (record.size == record.prefix.size() + blob->size) return true;
  return unreadable("its size is " + std::to_string(record.size) + ", that of its parts (" + body +
                        ") " + std::to_string(record.prefix.size() + blob->size),
                    {});
}

bool is_trustworthy(Census& census, const MessageRecord& record) {
  const CountedBlob* blob = census.blobs.find(record.blob.value());
  return is_plausible(record) && blob != nullptr && blob->readable && !blob->dying &&
         record.size == record.prefix.size() + blob->size && census.counters &&
         record.serial < census.counters->next_serial &&
         record.email_id.value() < census.counters->next_serial.value() &&
         record.thread_id.value() < census.counters->next_serial.value();
}

}  // namespace twinpost::store
