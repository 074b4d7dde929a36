#include "tools/twinpost/backup/snapshot.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <limits>
#include <type_traits>
#include <utility>

#include "core/base/ascii.h"

namespace twinpost::tools::backup {

namespace {

constexpr store::UidRange kAllUids{store::Uid(1),
                                   store::Uid(std::numeric_limits<std::uint32_t>::max())};
constexpr std::size_t kReadAhead = 256 * 1024;

// A record in the spool: this, then prefix and imported UIDL.
struct FixedPart {
  std::uint64_t keywords_low = 0;
  std::uint64_t keywords_high = 0;
  std::uint64_t modseq = 0;
  std::int64_t date = 0;
  std::int64_t save_date = 0;
  std::uint64_t size = 0;
  std::uint64_t email_id = 0;
  std::uint64_t thread_id = 0;
  std::uint64_t serial = 0;
  std::uint64_t blob = 0;
  std::uint32_t uid = 0;
  std::uint32_t prefix_octets = 0;
  std::uint32_t uidl_octets = 0;
  std::int16_t zone = 0;
  std::uint8_t flags = 0;
  std::uint8_t pop3 = 0;  // 1: hidden, 2: retrieved
};
static_assert(std::is_trivially_copyable_v<FixedPart>);

FixedPart fixed_part(const store::MessageRecord& record) {
  FixedPart fixed;
  fixed.keywords_low = record.keywords.low;
  fixed.keywords_high = record.keywords.high;
  fixed.modseq = record.modseq.value();
  fixed.date = record.internal_date.time.time_since_epoch().count();
  fixed.save_date = record.save_date.time_since_epoch().count();
  fixed.size = record.size;
  fixed.email_id = record.email_id.value();
  fixed.thread_id = record.thread_id.value();
  fixed.serial = record.serial.value();
  fixed.blob = record.blob.value();
  fixed.uid = record.uid.value();
  fixed.prefix_octets = static_cast<std::uint32_t>(record.prefix.size());
  fixed.uidl_octets = static_cast<std::uint32_t>(record.imported_uidl.size());
  fixed.zone = record.internal_date.zone_minutes;
  fixed.flags = record.flags;
  fixed.pop3 =
      static_cast<std::uint8_t>((record.pop3_hidden ? 1 : 0) | (record.pop3_retrieved ? 2 : 0));
  return fixed;
}

void take_fixed_part(const FixedPart& fixed, store::MessageRecord& record) {
  record.keywords = {fixed.keywords_low, fixed.keywords_high};
  record.modseq = store::ModSeq(fixed.modseq);
  record.internal_date = {UnixTime(std::chrono::seconds(fixed.date)), fixed.zone};
  record.save_date = UnixTime(std::chrono::seconds(fixed.save_date));
  record.size = fixed.size;
  record.email_id = store::EmailId(fixed.email_id);
  record.thread_id = store::ThreadId(fixed.thread_id);
  record.serial = store::MessageSerial(fixed.serial);
  record.blob = store::BlobId(fixed.blob);
  record.uid = store::Uid(fixed.uid);
  record.flags = fixed.flags;
  record.pop3_hidden = (fixed.pop3 & 1) != 0;
  record.pop3_retrieved = (fixed.pop3 & 2) != 0;
}

// One walk through the store, within one read().
class Walk {
 public:
  Walk(const store::ReadView& view, const BaseMailboxes& bases, RecordSpool& spool,
       const store::Progress& progress)
      : view_(view), bases_(bases), spool_(spool), progress_(progress) {}

  Result<Snapshot> run() {
    auto accounts = view_.accounts();
    if (!accounts) return tl::unexpected(accounts.error());
    for (store::AccountInfo& account : *accounts) {
      expected_ += account.messages;
    }
    for (store::AccountInfo& account : *accounts) {
      if (auto done = take_account(std::move(account)); !done) return tl::unexpected(done.error());
      if (snapshot_.went_back) break;
    }
    return std::move(snapshot_);
  }

 private:
  void problem(const std::string& where, const Error& error) {
    snapshot_.problems.push_back(fmt::format("{}: {}", ascii::printable(where), error.message));
  }

  Result<void> take_account(store::AccountInfo info) {
    if (progress_ && !progress_("messages", snapshot_.records, expected_)) {
      return fail(ErrorCode::kShutdown, "stopped");
    }
    AccountSnapshot account;
    account.info = std::move(info);
    auto subscriptions = view_.subscriptions(account.info.id);
    if (subscriptions) {
      account.subscriptions = *std::move(subscriptions);
    } else {
      problem(account.info.name, subscriptions.error());
    }
    auto mailboxes = view_.mailboxes(account.info.id);
    if (!mailboxes) {
      problem(account.info.name, mailboxes.error());
      return {};
    }
    for (const store::MailboxInfo& listed : *mailboxes) {
      // What is in it was removed; a restore's own server makes it anew where that is wanted.
      if (listed.shows_removed) {
        std::erase(account.subscriptions, listed.name);
        continue;
      }
      const store::MailboxKey key{account.info.id, listed.id};
      // Once more, with its keywords.
      auto mailbox = view_.mailbox(key);
      if (!mailbox) {
        problem(account.info.name + "/" + listed.name, mailbox.error());
        continue;
      }
      auto taken = take_mailbox(account.info, key, *std::move(mailbox));
      if (!taken) return tl::unexpected(taken.error());
      account.mailboxes.push_back(*std::move(taken));
      if (snapshot_.went_back) return {};
    }
    snapshot_.accounts.push_back(std::move(account));
    return {};
  }

  Result<MailboxSnapshot> take_mailbox(const store::AccountInfo& account, store::MailboxKey key,
                                       store::MailboxInfo info) {
    MailboxSnapshot mailbox;
    mailbox.info = std::move(info);
    mailbox.spool_offset = spool_.size();
    const auto found =
        bases_.find(base_key(account.name, mailbox.info.mailbox_guid, mailbox.info.uid_validity));
    if (found != bases_.end()) {
      const BaseMailbox& base = found->second;
      if (mailbox.info.highest_modseq < base.highest_modseq ||
          mailbox.info.uid_next < base.uid_next) {
        snapshot_.went_back = true;
        return mailbox;
      }
      if (base.is_sound) {
        auto built = build_on(base, key, mailbox);
        if (!built) return tl::unexpected(built.error());
        if (*built) return mailbox;
      }
    }
    auto listed = list_all(account, key, mailbox);
    if (!listed) return tl::unexpected(listed.error());
    return mailbox;
  }

  // False where it must be listed anew; nothing of it is in the spool then.
  Result<bool> build_on(const BaseMailbox& base, store::MailboxKey key, MailboxSnapshot& mailbox) {
    const store::MailboxInfo& info = mailbox.info;
    if (info.highest_modseq == base.highest_modseq) {
      if (info.messages != base.messages || info.bytes != base.octets) return false;
      mailbox.listing = Listing::kSame;
      mailbox.base = base;
      return true;
    }
    if (base.chain + 1 > kLongestChain) return false;
    auto delta = take_delta(base, key, mailbox);
    if (delta && *delta) return true;
    if (!delta && delta.error().code == ErrorCode::kIo) return delta;
    mailbox.gone.clear();
    mailbox.records = 0;
    if (auto rewound = spool_.rewind(mailbox.spool_offset); !rewound) {
      return tl::unexpected(rewound.error());
    }
    return false;
  }

  Result<bool> take_delta(const BaseMailbox& base, store::MailboxKey key,
                          MailboxSnapshot& mailbox) {
    const store::MailboxInfo& info = mailbox.info;
    // The records are taken in their own walk, so that a million of them need no memory.
    auto changes = view_.changes_since(key, base.highest_modseq, 0);
    if (!changes) return tl::unexpected(changes.error());
    for (const store::Uid uid : changes->vanished) {
      if (uid < base.uid_next) mailbox.gone.push_back(uid);
    }
    const std::uint64_t most = std::max<std::uint64_t>(info.messages, base.messages) / 2;
    std::uint64_t came = 0;
    const auto weight = [&] { return base.weight + mailbox.records + mailbox.gone.size(); };
    if (changes->rest_from.value() != 0) {
      const auto taken = spool_those(key, {changes->rest_from, kAllUids.last}, mailbox,
                                     [&](const store::MessageRecord& record) {
                                       if (record.modseq <= base.highest_modseq) return false;
                                       if (record.uid >= base.uid_next) ++came;
                                       return weight() <= most;
                                     });
      if (!taken) return tl::unexpected(taken.error());
    }
    // What a tombstone does not tell of would show here.
    const bool complete = base.messages + came == info.messages + mailbox.gone.size();
    if (!complete || weight() > most) return false;
    mailbox.listing = Listing::kDelta;
    mailbox.base = base;
    return true;
  }

  template <class Wants>
  Result<void> spool_those(store::MailboxKey key, store::UidRange range, MailboxSnapshot& mailbox,
                           Wants wants) {
    Result<void> spooled;
    auto walked = view_.for_each_message(key, range, [&](const store::MessageRecord& record) {
      if (!wants(record)) return true;
      spooled = spool_.put(record);
      ++mailbox.records;
      return spooled.has_value();
    });
    if (!spooled) return fail(ErrorCode::kIo, spooled.error().message);
    return walked;
  }

  Result<void> list_all(const store::AccountInfo& account, store::MailboxKey key,
                        MailboxSnapshot& mailbox) {
    store::Uid last{0};
    auto taken = spool_those(key, kAllUids, mailbox, [&](const store::MessageRecord& record) {
      last = record.uid;
      return true;
    });
    if (!taken && taken.error().code == ErrorCode::kIo) return taken;
    if (!taken) {
      taken = list_past_damage(account, key, mailbox, last);
      if (!taken) return taken;
    }
    snapshot_.records += mailbox.records;
    return {};
  }

  // One record after the other, past those that can't be read.
  Result<void> list_past_damage(const store::AccountInfo& account, store::MailboxKey key,
                                MailboxSnapshot& mailbox, store::Uid last) {
    const std::string where = account.name + "/" + mailbox.info.name;
    auto uids = view_.uids(key);
    if (!uids) {
      problem(where, uids.error());
      mailbox.unreadable +=
          mailbox.info.messages - std::min<std::uint64_t>(mailbox.info.messages, mailbox.records);
      mailbox.unreadable = std::max<std::uint64_t>(mailbox.unreadable, 1);
      return {};
    }
    for (const store::Uid uid : *uids) {
      if (uid <= last) continue;
      auto record = view_.message(key, uid);
      if (!record) {
        problem(fmt::format("{} UID {}", where, uid.value()), record.error());
        ++mailbox.unreadable;
        continue;
      }
      if (auto put = spool_.put(*record); !put) return fail(ErrorCode::kIo, put.error().message);
      ++mailbox.records;
    }
    return {};
  }

  const store::ReadView& view_;
  const BaseMailboxes& bases_;
  RecordSpool& spool_;
  const store::Progress& progress_;
  Snapshot snapshot_;
  std::uint64_t expected_ = 0;
};

}  // namespace

Result<RecordSpool> RecordSpool::create(const std::string& folder) {
  auto file = File::temporary(folder);
  if (!file) return tl::unexpected(file.error());
  return RecordSpool(*std::move(file));
}

Result<void> RecordSpool::put(const store::MessageRecord& record) {
  const FixedPart fixed = fixed_part(record);
  auto done = out_.append({reinterpret_cast<const char*>(&fixed), sizeof(fixed)});
  if (done) done = out_.append(record.prefix);
  if (done) done = out_.append(record.imported_uidl);
  return done;
}

Result<void> RecordSpool::rewind(std::uint64_t size) {
  if (auto flushed = out_.flush(); !flushed) return flushed;
  auto truncated = out_.file().truncate(size);
  if (!truncated) return truncated;
  out_ = Appender(std::move(out_.file()), size);
  return {};
}

Result<void> RecordSpool::read(std::uint64_t offset, std::uint64_t count, const Visit& visit) {
  std::string window;
  std::size_t at = 0;
  const std::uint64_t end = out_.size();
  // Sees to it that `octets` are in the window from `at` on.
  const auto need = [&](std::size_t octets) -> Result<void> {
    if (window.size() - at >= octets) return {};
    offset += at;
    at = 0;
    const std::uint64_t left = end - offset;
    const auto length = static_cast<std::size_t>(
        std::min<std::uint64_t>(left, std::max<std::size_t>(kReadAhead, octets)));
    if (length < octets) return fail(ErrorCode::kInternal, "the spool of records ends too early");
    return out_.file().read_at(offset, length, window);
  };
  store::MessageRecord record;
  for (std::uint64_t i = 0; i < count; ++i) {
    FixedPart fixed;
    if (auto read = need(sizeof(fixed)); !read) return read;
    std::memcpy(&fixed, window.data() + at, sizeof(fixed));
    const std::size_t texts = std::size_t{fixed.prefix_octets} + fixed.uidl_octets;
    if (auto read = need(sizeof(fixed) + texts); !read) return read;
    take_fixed_part(fixed, record);
    at += sizeof(fixed);
    record.prefix.assign(window, at, fixed.prefix_octets);
    record.imported_uidl.assign(window, at + fixed.prefix_octets, fixed.uidl_octets);
    at += texts;
    if (auto visited = visit(record); !visited) return visited;
  }
  return {};
}

std::string base_key(std::string_view account, std::string_view guid,
                     store::UidValidity uid_validity) {
  return fmt::format("{}\n{}\n{}", account, guid, uid_validity.value());
}

// However long it takes, it is one transaction: what it reads is of one moment. A store of ten
// million messages takes a few seconds (the records are small and read in order), in which pages
// that are freed are not written again; the file grows by as much, once. Many slices would cost
// nothing less, and would not fit together.
Result<Snapshot> take_snapshot(store::Store& store, const BaseMailboxes& bases, RecordSpool& spool,
                               const store::Progress& progress) {
  auto snapshot = store.read_now([&](const store::ReadView& view) -> Result<Snapshot> {
    return Walk(view, bases, spool, progress).run();
  });
  if (!snapshot) return snapshot;
  if (auto finished = spool.finish(); !finished) return tl::unexpected(finished.error());
  return snapshot;
}

}  // namespace twinpost::tools::backup
