#include "store/salvage_index.h"

#include <algorithm>
#include <tuple>

#include "store/batch.h"
#include "store/damaged_records.h"
#include "store/names.h"
#include "store/tables.h"
#include "store/upgrade.h"

namespace twinpost::store {

namespace {

constexpr std::size_t kMostProblems = 1000;
constexpr const char* kTables[] = {"meta",          "account_names", "accounts",   "mailboxes",
                                   "mailbox_names", "subscriptions", "keywords",   "messages",
                                   "expunged",      "removed",       "blob_names", "blob_refs",
                                   "blobs",         "imports",       "notes"};

MailboxKey mailbox_of(std::string_view key) {
  Reader in(key);
  const AccountId account(in.key_u32());
  return {account, MailboxId(in.key_u32())};
}
Uid uid_of(std::string_view key) { return Uid(Reader(key.substr(8)).key_u32()); }

engine::KeyRange just(std::string_view key) {
  return {std::string(key), std::string(key) + std::string(1, '\0')};
}

bool ends_at_or_after(const std::optional<std::string>& end, const std::string& key) {
  return !end || *end >= key;
}

// Of one mailbox, the later one.
bool is_newer(const MailboxRow& a, const MailboxRow& b) {
  return std::tie(a.info.highest_modseq, a.info.uid_next, a.info.messages) >
         std::tie(b.info.highest_modseq, b.info.uid_next, b.info.messages);
}

}  // namespace

// Takes in what the trees give.
class SalvageIndex::Walk final : public engine::WalkVisitor {
 public:
  Walk(SalvageIndex& index, const Progress& progress) : index_(index), progress_(progress) {}

  void entry(std::string_view table, std::string_view key, std::string_view value,
             engine::ValuePlace place) override {
    const std::string name(table);
    if (name == "summaries" || name == "reapable" || name == "imports" || name == "notes") {
      return;
    }
    if (place.octets > kChunkOctets) {
      return damage(table, "an entry is larger than any", just(key));
    }
    if (name == "blobs") {
      if (key.size() != 12) return;
      Reader in(key);
      const std::uint64_t blob = in.key_u64();
      index_.chunks.push_back({blob, in.key_u32(), place});
      return;
    }
    buffer_.assign(value);
    if (value.empty() && place.octets > 0) {
      buffer_.clear();
      if (auto read = index_.file_.read(place, buffer_); !read) {
        index_.problem("table " + name + ": a record can't be read: " + read.error().message);
        index_.add_gap(name, just(key));
        return;
      }
    }
    index_.take(name, key, buffer_, place, Certainty::kSound);
  }

  void damage(std::string_view table, std::string what, engine::KeyRange lost) override {
    index_.problem((table.empty() ? "list of tables" : "table " + std::string(table)) + ": " +
                   what);
    if (table.empty()) {
      for (const char* name : kTables) {
        if (lost.contains(name)) index_.add_gap(name, {});
      }
      return;
    }
    index_.add_gap(std::string(table), std::move(lost));
  }

  bool progress(std::uint64_t pages) override {
    return !progress_ || progress_("trees", pages, index_.file_.pages());
  }

 private:
  SalvageIndex& index_;
  const Progress& progress_;
  std::string buffer_;
};

void SalvageIndex::problem(std::string what) {
  ++problem_count_;
  if (problems_.size() < kMostProblems) problems_.push_back(std::move(what));
}

void SalvageIndex::add_gap(const std::string& table, engine::KeyRange range) {
  Gaps& gaps = gaps_[table];
  // Whatever it touches becomes one with it.
  auto at = gaps.upper_bound(range.from);
  if (at != gaps.begin() && ends_at_or_after(std::prev(at)->second, range.from)) --at;
  while (at != gaps.end() && (!range.to || at->first <= *range.to)) {
    range.from = std::min(range.from, at->first);
    if (range.to) range.to = at->second ? std::max(range.to, at->second) : std::nullopt;
    at = gaps.erase(at);
  }
  gaps.emplace(std::move(range.from), std::move(range.to));
}

bool SalvageIndex::may_lack(const std::string& table, std::string_view key) const {
  const auto found = gaps_.find(table);
  if (found == gaps_.end()) return false;
  const Gaps& gaps = found->second;
  const auto after = gaps.upper_bound(key);
  if (after == gaps.begin()) return false;
  const std::optional<std::string>& to = std::prev(after)->second;
  return !to || key < *to;
}

bool SalvageIndex::is_complete(const std::string& table) const { return !gaps_.contains(table); }

Result<void> SalvageIndex::build(const Progress& progress) {
  const auto heads = file_.heads();
  heads_sure_ = file_.heads_agree();
  std::optional<engine::PageWalk> walk;
  if (!heads.empty()) {
    walk.emplace(file_, heads.front());
    Walk visitor(*this, progress);
    // Whose name is damaged is not known: its pages are looked at one by one.
    const auto is_table = [](std::string_view name) {
      return std::find(std::begin(kTables), std::end(kTables), name) != std::end(kTables) ||
             name == "summaries" || name == "reapable";
    };
    if (!walk->run(visitor, {.overflow_heads = true, .is_table = is_table}))
      return fail(ErrorCode::kShutdown, "the salvage was ended");
  }
  if (!heads_sure_) {
    problem(heads.empty() ? "both heads of the data file are damaged"
                          : "a head of the data file is damaged, or they do not agree");
  }
  for (const char* table : kTables) {
    const bool there = walk && std::find(walk->tables().begin(), walk->tables().end(), table) !=
                                   walk->tables().end();
    if (!there && heads_sure_ && is_complete(table)) {
      problem(std::string("table ") + table + " is not in the list of tables");
    }
    // A tree of another commit than the last may lack anything.
    if (!there || !heads_sure_) add_gap(table, {});
  }
  if (!gaps_.empty()) {
    if (auto scanned = scan(walk ? &*walk : nullptr, progress); !scanned) return scanned;
  }
  drop_removed();
  sort_chunks();
  return {};
}

void SalvageIndex::take_damaged(const std::string& table, std::string_view key,
                                std::string_view value, engine::ValuePlace place,
                                const std::string& why) {
  add_gap(table, just(key));
  if (table != "messages" || key.size() != 12) {
    problem("table " + table + ": " + why);
    return;
  }
  const MailboxKey mailbox = mailbox_of(key);
  problem("account " + std::to_string(mailbox.account.value()) + " mailbox " +
          std::to_string(mailbox.mailbox.value()) + " UID " + std::to_string(uid_of(key).value()) +
          ": " + why);
  const auto guessed = guess_message(key, value);
  if (!guessed || !is_plausible(*guessed)) return;
  messages.try_emplace({mailbox, uid_of(key)},
                       FoundMessage{place, guessed->modseq, guessed->blob, Certainty::kGuessed});
}

void SalvageIndex::take_message(std::string_view key, std::string_view value,
                                engine::ValuePlace place, Certainty certainty) {
  MessageRecord record;
  if (auto decoded = decode_message(key, value, record); !decoded) {
    return take_damaged("messages", key, value, place, decoded.error().message);
  }
  const FoundMessage found{place, record.modseq, record.blob, certainty};
  const auto [at, is_new] = messages.try_emplace({mailbox_of(key), record.uid}, found);
  if (is_new) return;
  FoundMessage& other = at->second;
  const bool better = other.certainty == Certainty::kGuessed || record.modseq > other.modseq;
  if (better && certainty != Certainty::kGuessed) other = found;
}

void SalvageIndex::take(const std::string& table, std::string_view key, std::string_view value,
                        engine::ValuePlace place, Certainty certainty) {
  if (table == "messages") return take_message(key, value, place, certainty);
  const auto wrong = [&](const Error& error) {
    take_damaged(table, key, value, place, error.message);
  };
  if (table == "meta" && key == kStoreKey) {
    auto row = decode_store(key, value);
    if (!row) return wrong(row.error());
    if (!store || certainty == Certainty::kSound) store = *row;
  } else if (table == "meta" && key == kFormatKey && value.size() == sizeof(std::uint32_t)) {
    const std::uint32_t format = Reader(value).key_u32();
    if (format > kFormatVersion) newer_format = format;
  } else if (table == "accounts") {
    auto row = decode_account(key, value);
    if (!row) return wrong(row.error());
    accounts.try_emplace(row->info.id.value(), *row);
  } else if (table == "account_names") {
    const auto id = decode_number(key, value, "account name");
    if (!id) return wrong(id.error());
    account_names.try_emplace(static_cast<std::uint32_t>(*id), key);
  } else if (table == "mailboxes") {
    auto row = decode_mailbox(key, value);
    if (!row) return wrong(row.error());
    const auto [at, is_new] = mailboxes.try_emplace(mailbox_of(key), FoundMailbox{*row, certainty});
    if (!is_new && is_newer(*row, at->second.row)) at->second.row = std::move(*row);
  } else if (table == "mailbox_names") {
    const auto id = decode_number(key, value, "mailbox name");
    if (!id) return wrong(id.error());
    const AccountId account(Reader(key).key_u32());
    mailbox_names.try_emplace({account, MailboxId(static_cast<std::uint32_t>(*id))}, key.substr(4));
  } else if (table == "subscriptions") {
    if (auto text = decode_text(key, value, "subscription"); !text) return wrong(text.error());
    subscriptions.emplace(key);
  } else if (table == "keywords") {
    auto name = decode_text(key, value, "keyword");
    if (!name) return wrong(name.error());
    if (key.size() == 12) keywords[mailbox_of(key)].try_emplace(uid_of(key).value(), *name);
  } else {
    take_rest(table, key, value, place);
  }
}

// What tells of removals and of bodies.
void SalvageIndex::take_rest(const std::string& table, std::string_view key, std::string_view value,
                             engine::ValuePlace place) {
  const auto wrong = [&](const Error& error) {
    take_damaged(table, key, value, place, error.message);
  };
  if (table == "expunged") {
    const auto last = decode_number(key, value, "tombstone");
    if (!last) return wrong(last.error());
    if (key.size() != 20) return;
    const Uid first(Reader(key.substr(16)).key_u32());
    tombstones_[mailbox_of(key)].push_back({first, Uid(static_cast<std::uint32_t>(*last))});
  } else if (table == "removed") {
    const auto row = decode_removed(key, value);
    if (!row) return wrong(row.error());
    if (key.size() != 20) return;
    const MailboxKey mailbox{AccountId(Reader(key).key_u32()),
                             MailboxId(Reader(key.substr(12)).key_u32())};
    removed_.insert({mailbox, row->message.uid});
    removed_blobs.insert(row->message.blob.value());
  } else if (table == "blob_names") {
    const auto id = decode_number(key, value, "body name");
    if (!id) return wrong(id.error());
    Sha256Digest name{};
    if (key.size() != name.size()) return;
    std::copy(key.begin(), key.end(), name.begin());
    blob_names.try_emplace(name, *id);
  } else if (table == "blob_refs") {
    const auto row = decode_blob(key, value);
    if (!row) {
      // The octets will tell whether the guess is right.
      if (const auto guess = guess_blob(key, value); guess && key.size() == 8) {
        blobs[Reader(key).key_u64()].push_back(*guess);
      }
      return wrong(row.error());
    }
    if (key.size() != 8) return;
    std::vector<BlobRow>& forms = blobs[Reader(key).key_u64()];
    const bool known = std::any_of(forms.begin(), forms.end(), [&](const BlobRow& other) {
      return other.crc32c == row->crc32c && other.stored == row->stored &&
             other.codec == row->codec;
    });
    constexpr std::size_t kMostForms = 16;
    if (!known && forms.size() < kMostForms) forms.push_back(*row);
  }
}

// Sorted and disjoint, so that one look tells.
void SalvageIndex::merge_tombstones() {
  for (auto& [mailbox, runs] : tombstones_) {
    std::sort(runs.begin(), runs.end());
    std::vector<std::pair<Uid, Uid>> merged;
    for (const auto& run : runs) {
      if (!merged.empty() && run.first <= merged.back().second) {
        merged.back().second = std::max(merged.back().second, run.second);
      } else {
        merged.push_back(run);
      }
    }
    runs = std::move(merged);
  }
}

bool SalvageIndex::is_expunged(MailboxKey mailbox, Uid uid) const {
  if (removed_.contains({mailbox, uid})) return true;
  const auto found = tombstones_.find(mailbox);
  if (found == tombstones_.end()) return false;
  const auto& runs = found->second;
  const auto after =
      std::upper_bound(runs.begin(), runs.end(), uid,
                       [](Uid wanted, const auto& run) { return wanted < run.first; });
  return after != runs.begin() && std::prev(after)->second >= uid;
}

void SalvageIndex::drop_removed() {
  merge_tombstones();
  for (auto at = messages.begin(); at != messages.end();) {
    const auto& [mailbox, uid] = at->first;
    const bool doubtful = at->second.certainty == Certainty::kLoose || !heads_sure_;
    bool gone = false;
    if (doubtful) {
      gone = is_expunged(mailbox, uid);
      const bool no_mailbox =
          !mailboxes.contains(mailbox) && !may_lack("mailboxes", mailbox_key(mailbox).view());
      const auto forms = blobs.find(at->second.blob.value());
      const bool no_body = forms == blobs.end()
                               ? !may_lack("blob_refs", blob_key(at->second.blob).view())
                               : !may_lack("blob_refs", blob_key(at->second.blob).view()) &&
                                     std::all_of(forms->second.begin(), forms->second.end(),
                                                 [](const BlobRow& row) { return row.dying; });
      gone = gone || (at->second.certainty == Certainty::kLoose && (no_mailbox || no_body));
    }
    if (gone) ++stale_;
    at = gone ? messages.erase(at) : std::next(at);
  }
}

void SalvageIndex::sort_chunks() {
  const auto order = [](const FoundChunk& c) {
    return std::make_tuple(c.blob, c.chunk, c.place.offset, c.place.octets);
  };
  std::sort(chunks.begin(), chunks.end(),
            [&order](const FoundChunk& a, const FoundChunk& b) { return order(a) < order(b); });
  chunks.erase(std::unique(chunks.begin(), chunks.end(),
                           [&order](const FoundChunk& a, const FoundChunk& b) {
                             return order(a) == order(b);
                           }),
               chunks.end());
}

}  // namespace twinpost::store
