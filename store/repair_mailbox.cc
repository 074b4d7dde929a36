#include <algorithm>
#include <array>
#include <limits>

#include "core/base/ascii.h"
#include "core/base/encoding.h"
#include "store/damaged_records.h"
#include "store/names.h"
#include "store/repair.h"
#include "store/transaction.h"

namespace twinpost::store {

namespace {

constexpr std::size_t kMailboxOctets = 8;
constexpr std::size_t kMessageKeyOctets = 12;
constexpr std::size_t kTombstoneKeyOctets = 20;

std::string new_guid() {
  std::array<std::byte, 12> octets{};
  random_octets(octets);
  return "M" + hex_encode({reinterpret_cast<const char*>(octets.data()), octets.size()});
}

class MailboxRepair {
 public:
  MailboxRepair(Repair& repair, MailboxKey key)
      : repair_(repair),
        batch_(repair.batch),
        queries_(batch_.txn(), batch_.tables(), &batch_.coder()),
        key_(key),
        prefix_(mailbox_key(key)),
        where_(describe(batch_, key)) {}

  Result<bool> run() {
    if (auto read = read_row(); !read) return failed(read);
    for (const auto step : {&MailboxRepair::scan_messages, &MailboxRepair::scan_tombstones,
                            &MailboxRepair::repair_keywords}) {
      if (auto done = (this->*step)(); !done) return failed(done);
    }
    if (!there_ && counted_.messages == 0 && !named_) return drop_leftovers();
    if (!row_) {
      if (auto made = make_row(); !made) return failed(made);
    }
    if (auto done = put_row(); !done) return failed(done);
    return true;
  }

 private:
  [[nodiscard]] const Tables& tables() const { return batch_.tables(); }

  Result<void> read_row() {
    auto value = batch_.txn().get(tables().mailboxes, prefix_.view());
    if (!value) return failed(value);
    there_ = value->has_value();
    if (there_) {
      auto row = decode_mailbox(prefix_.view(), **value);
      if (row) {
        row_ = std::move(*row);
      } else if (row.error().code == ErrorCode::kNewerFormat) {
        return failed(row);
      } else {
        guessed_ = guess_mailbox(prefix_.view(), **value);
      }
    }
    const Key account = account_key(key_.account);
    return queries_.scan(tables().mailbox_names, account.view(), account.view(),
                         [&](auto key, auto name) -> Result<bool> {
                           const auto id = decode_number(key, name, "mailbox name");
                           if (!id || *id != key_.mailbox.value()) return true;
                           named_ = std::string(key.substr(account.view().size()));
                           // Its own name, where it has several.
                           return !(row_ && *named_ == row_->info.name);
                         });
  }

  Result<void> scan_messages() {
    const ModSeq highest = row_ ? row_->info.highest_modseq : ModSeq(~std::uint64_t{0} >> 1);
    std::vector<MessageRecord> good;
    std::vector<std::string> bad;
    MessageRecord record;
    auto scanned = queries_.scan(tables().messages, prefix_.view(), prefix_.view(),
                                 [&](auto key, auto value) -> Result<bool> {
                                   if (key.size() != kMessageKeyOctets)
                                     return true;  // an entry of its own
                                   if (decode_message(key, value, record)) {
                                     note(record);
                                     return true;
                                   }
                                   const auto guessed = guess_message(key, value);
                                   auto trusted = guessed ? is_trustworthy_now(batch_, *guessed)
                                                          : Result<bool>(false);
                                   if (!trusted) return failed(trusted);
                                   if (*trusted && guessed->modseq <= highest) {
                                     note(*guessed);
                                     good.push_back(*guessed);
                                   } else {
                                     bad.emplace_back(key);
                                   }
                                   return true;
                                 });
    if (!scanned) return scanned;
    for (const MessageRecord& sound : good) {
      const Key key = message_key(key_, sound.uid);
      auto put = batch_.txn().put(tables().messages, key.view(), encode_message(key.view(), sound));
      if (!put) return put;
    }
    for (const std::string& key : bad) {
      const Uid uid(Reader(std::string_view(key).substr(kMailboxOctets)).key_u32());
      auto out =
          take_out(repair_, tables().messages, key, where_ + " UID " + std::to_string(uid.value()));
      if (!out) return out;
      gone_.push_back(uid);
      last_uid_ = std::max(last_uid_, uid);
    }
    return {};
  }

  void note(const MessageRecord& record) {
    count_in(counted_, record);
    last_uid_ = std::max(last_uid_, record.uid);
    highest_ = std::max(highest_, record.modseq);
    if (row_ && record.modseq > row_->info.highest_modseq) {
      late_.push_back({record.modseq, record.uid});
    }
    for (std::size_t bit = kMaxKeywords; bit-- > keywords_needed_;) {
      if (!record.keywords.test(bit)) continue;
      keywords_needed_ = bit + 1;
      break;
    }
  }

  // A tombstone that makes no sense goes, and with it the promise that all of its time are there.
  Result<void> scan_tombstones() {
    std::vector<std::string> bad;
    auto scanned =
        queries_.scan(tables().expunged, prefix_.view(), prefix_.view(),
                      [&](auto key, auto value) -> Result<bool> {
                        if (key.size() != kTombstoneKeyOctets) return true;
                        Reader in(key.substr(kMailboxOctets));
                        const ModSeq modseq(in.key_u64());
                        const Uid first(in.key_u32());
                        const auto last = decode_number(key, value, "tombstone");
                        bool sound = last && *last >= first.value() &&
                                     *last < std::numeric_limits<std::uint32_t>::max();
                        if (sound) {
                          auto alive = any_message(first, Uid(static_cast<std::uint32_t>(*last)));
                          if (!alive) return failed(alive);
                          sound = !*alive;
                        }
                        highest_ = std::max(highest_, modseq);
                        if (sound) {
                          ++tombstones_;
                          last_uid_ = std::max(last_uid_, Uid(static_cast<std::uint32_t>(*last)));
                        } else {
                          bad.emplace_back(key);
                          floor_ = std::max(floor_, modseq);
                        }
                        return true;
                      });
    if (!scanned) return scanned;
    return erase_all(tables().expunged, bad);
  }

  Result<bool> any_message(Uid first, Uid last) {
    auto cursor = batch_.txn().cursor(tables().messages);
    if (!cursor) return failed(cursor);
    auto found = (*cursor)->seek(message_key(key_, first).view());
    if (!found) return failed(found);
    return *found && (*cursor)->key() <= message_key(key_, last).view();
  }

  Result<void> erase_all(engine::Table table, const std::vector<std::string>& keys) {
    for (const std::string& key : keys) {
      auto erased = batch_.txn().erase(table, key);
      if (!erased) return failed(erased);
    }
    return {};
  }

  // Every bit up to the highest that is used has a name.
  Result<void> repair_keywords() {
    std::vector<std::string> names;
    std::vector<std::string> beyond;
    auto scanned = queries_.scan(tables().keywords, prefix_.view(), prefix_.view(),
                                 [&](auto key, auto value) -> Result<bool> {
                                   if (key.size() != kMessageKeyOctets) return true;
                                   const std::size_t bit =
                                       Reader(key.substr(kMailboxOctets)).key_u32();
                                   if (bit >= kMaxKeywords) {
                                     beyond.emplace_back(key);
                                     return true;
                                   }
                                   if (names.size() <= bit) names.resize(bit + 1);
                                   const auto name = decode_text(key, value, "keyword");
                                   if (name && name->size() <= kMaxKeywordOctets)
                                     names[bit] = *name;
                                   return true;
                                 });
    if (!scanned) return scanned;
    if (names.size() < keywords_needed_) names.resize(keywords_needed_);
    for (std::size_t bit = 0; bit < names.size(); ++bit) {
      if (!names[bit].empty()) continue;
      names[bit] = free_keyword(names, bit);
      const Key key = keyword_key(key_, bit);
      auto put =
          batch_.txn().put(tables().keywords, key.view(), encode_text(key.view(), names[bit]));
      if (!put) return put;
    }
    return erase_all(tables().keywords, beyond);
  }

  static std::string free_keyword(const std::vector<std::string>& names, std::size_t bit) {
    std::string name = "keyword-" + std::to_string(bit);
    const auto taken = [&names](const std::string& wanted) {
      return std::any_of(names.begin(), names.end(), [&wanted](const std::string& other) {
        return ascii::equals_ignore_case(other, wanted);
      });
    };
    while (taken(name)) name += "-";
    return name;
  }

  Result<bool> drop_leftovers() {
    for (const engine::Table table : {tables().keywords, tables().expunged}) {
      std::vector<std::string> keys;
      auto scanned =
          queries_.scan(table, prefix_.view(), prefix_.view(), [&](auto key, auto) -> Result<bool> {
            keys.emplace_back(key);
            return true;
          });
      if (!scanned) return failed(scanned);
      if (auto erased = erase_all(table, keys); !erased) return failed(erased);
    }
    return true;
  }

  // UIDs may have been lost with the row: a new UIDVALIDITY makes clients look again (RFC 9051
  // 2.3.1.1).
  Result<void> make_row() {
    auto counters = batch_.counters();
    if (!counters) return failed(counters);
    UidValidity& last = (*counters)->last_uid_validity;
    if (last.value() == std::numeric_limits<std::uint32_t>::max()) {
      return fail(ErrorCode::kLimit, "no UIDVALIDITY is left");
    }
    const std::int64_t now = std::clamp<std::int64_t>(batch_.now().time_since_epoch().count(), 1,
                                                      std::numeric_limits<std::uint32_t>::max());
    last = std::max(last.next(), UidValidity(static_cast<std::uint32_t>(now)));
    MailboxRow row;
    row.info.id = key_.mailbox;
    row.info.uid_validity = last;
    row.info.mailbox_guid = new_guid();
    row.info.uid_next = last_uid_.next();
    row.info.first_recent = row.info.uid_next;
    row.info.highest_modseq = ModSeq(std::max<std::uint64_t>(highest_.value(), 1)).next();
    row.tombstone_floor = row.info.highest_modseq;
    if (guessed_) row.info.special_use = guessed_->info.special_use;
    const auto account = queries_.account_row(key_.account);
    row.info.shows_removed = account ? account->info.removed_mailbox == key_.mailbox
                                     : guessed_ && guessed_->info.shows_removed;
    row_ = std::move(row);
    row_->info.name = named_.value_or("");
    return {};
  }

  // The row's name and its entry agree, and no other mailbox has it.
  Result<void> settle_name() {
    MailboxInfo& info = row_->info;
    const auto usable = [&](const std::string& name) -> Result<bool> {
      if (!check_name(name)) return false;
      const Key key = name_key(key_.account, name);
      auto value = batch_.txn().get(tables().mailbox_names, key.view());
      if (!value) return failed(value);
      if (!*value) return true;
      const auto id = decode_number(key.view(), **value, "mailbox name");
      if (!id || *id == key_.mailbox.value()) return true;
      return !queries_.mailbox_row({key_.account, MailboxId(static_cast<std::uint32_t>(*id))});
    };
    const std::string base = "Recovered-" + std::to_string(key_.mailbox.value());
    std::string wanted = info.name;
    for (unsigned attempt = 1;; ++attempt) {
      auto good = usable(wanted);
      if (!good) return failed(good);
      if (*good) break;
      wanted = attempt == 1 ? base : base + "-" + std::to_string(attempt);
    }
    info.name = wanted;
    const Key key = name_key(key_.account, wanted);
    return batch_.txn().put(tables().mailbox_names, key.view(),
                            encode_number(key.view(), key_.mailbox.value()));
  }

  Result<void> put_row() {
    MailboxInfo& info = row_->info;
    if (auto settled = settle_name(); !settled) return settled;
    batch_.begin_touching(key_, info.highest_modseq);
    // Messages that were above HIGHESTMODSEQ: who asks what changed since must find them.
    std::sort(late_.begin(), late_.end(),
              [](const auto& a, const auto& b) { return a.modseq < b.modseq; });
    for (const auto& late : late_) batch_.touched(key_, late.modseq, late.uid);
    info.highest_modseq = std::max(info.highest_modseq, highest_);
    if (info.uid_validity.value() == 0) info.uid_validity = UidValidity(1);
    info.uid_next = std::max({info.uid_next, last_uid_.next(), Uid(1)});
    info.first_recent = std::min(info.first_recent, info.uid_next);
    info.messages = counted_.messages;
    info.unseen = counted_.unseen;
    info.deleted = counted_.deleted;
    info.bytes = counted_.bytes;
    row_->tombstones = tombstones_;
    row_->tombstone_floor = std::max(row_->tombstone_floor, floor_);
    if (!gone_.empty()) {
      info.highest_modseq = info.highest_modseq.next();
      for (const Uid uid : gone_) {
        const Key key = expunged_key(key_, info.highest_modseq, uid);
        auto put =
            batch_.txn().put(tables().expunged, key.view(), encode_number(key.view(), uid.value()));
        if (!put) return put;
        ++row_->tombstones;
      }
    }
    row_->tombstone_floor = std::min(row_->tombstone_floor, info.highest_modseq);
    batch_.announce(MailboxChanged{key_, info.highest_modseq, true});
    return batch_.txn().put(tables().mailboxes, prefix_.view(),
                            encode_mailbox(prefix_.view(), *row_));
  }

  Repair& repair_;
  Batch& batch_;
  Queries queries_;
  MailboxKey key_;
  Key prefix_;
  std::string where_;
  bool there_ = false;
  std::optional<MailboxRow> row_;
  std::optional<MailboxRow> guessed_;
  std::optional<std::string> named_;
  MailboxInfo counted_;
  Uid last_uid_;
  ModSeq highest_;
  ModSeq floor_;
  std::uint32_t tombstones_ = 0;
  std::size_t keywords_needed_ = 0;
  std::vector<TouchedMessages::Entry> late_;
  std::vector<Uid> gone_;
};

}  // namespace

Result<bool> repair_mailbox(Repair& repair, MailboxKey key) {
  return MailboxRepair(repair, key).run();
}

}  // namespace twinpost::store
