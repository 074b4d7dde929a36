#include "tools/twinpost/backup/backup.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <thread>
#include <unordered_set>
#include <utility>

#include "core/base/ascii.h"
#include "tools/twinpost/backup/bases.h"
#include "tools/twinpost/backup/manifest.h"
#include "tools/twinpost/backup/section_writer.h"
#include "tools/twinpost/backup/snapshot.h"

namespace twinpost::tools::backup {

namespace {

constexpr std::uint64_t kSliceOctets = 256 * 1024;
constexpr std::size_t kMostPerSlice = 256;

tl::unexpected<Error> stopped() { return fail(ErrorCode::kShutdown, "stopped"); }

// Sleeps so that no more than so much a second is done, over the whole run.
class Throttle {
 public:
  explicit Throttle(std::uint64_t octets_per_second) : rate_(octets_per_second) {}
  void did(std::uint64_t octets) {
    if (rate_ == 0) return;
    const auto worth =
        std::chrono::duration<double>(static_cast<double>(octets) / static_cast<double>(rate_));
    const auto now = std::chrono::steady_clock::now();
    // What was not used is not saved up: the rate is a bound at every moment.
    free_at_ = std::max(free_at_, now) +
               std::chrono::duration_cast<std::chrono::steady_clock::duration>(worth);
    std::this_thread::sleep_until(free_at_);
  }

 private:
  std::uint64_t rate_;
  std::chrono::steady_clock::time_point free_at_;
};

// A body as one slice brought it.
struct ReadBody {
  store::BlobId blob;
  Result<std::string> octets;
};

// A body in one piece: the store verifies its checksum only so (fifty cold megabytes take a sixth
// of a second).
ReadBody read_body(const store::ReadView& view, store::BlobId blob) {
  ReadBody body{blob, std::string()};
  const auto info = view.blob_info(blob);
  if (!info) {
    body.octets = tl::unexpected(info.error());
    return body;
  }
  store::MessageRecord record;
  record.blob = blob;
  record.size = info->size;
  if (auto read = view.read_message(record, 0, info->size, *body.octets); !read) {
    // Its last reference went, and the reaper has begun with it.
    const bool dying = info->references == 0;
    body.octets = fail(dying ? ErrorCode::kNotFound : read.error().code, read.error().message);
  } else if (body.octets->size() != info->size) {
    body.octets = fail(ErrorCode::kCorrupt,
                       fmt::format("blob {} is shorter than it should be", blob.value()));
  }
  return body;
}

class Run {
 public:
  Run(store::Store& store, Repository& repository, Packs& packs, const BackupOptions& options)
      : store_(store),
        repository_(repository),
        packs_(packs),
        options_(options),
        distrust_(options.full),
        throttle_(options.octets_per_second) {}

  Result<BackupReport> run();

 private:
  [[nodiscard]] Result<BaseMailboxes> earlier_mailboxes();
  [[nodiscard]] Result<void> read_snapshot(const std::string& folder);
  [[nodiscard]] Result<std::vector<store::BlobId>> wanted_bodies();
  [[nodiscard]] Result<void> read_bodies();
  [[nodiscard]] Result<std::size_t> read_slice(const std::vector<store::BlobId>& blobs,
                                               std::size_t first);
  [[nodiscard]] Result<void> write_manifest(const std::string& folder);
  [[nodiscard]] Result<void> write_account(const AccountSnapshot& account, SectionWriter& section);
  [[nodiscard]] Result<void> write_mailbox(const AccountSnapshot& account,
                                           const MailboxSnapshot& mailbox, SectionWriter& section);
  struct LeftOut {
    std::vector<store::Uid> uids;
    std::uint64_t octets = 0;
  };
  [[nodiscard]] Result<LeftOut> find_left_out(const AccountSnapshot& account,
                                              const MailboxSnapshot& mailbox);
  [[nodiscard]] MessageLine line_of(const store::MessageRecord& record,
                                    const store::MailboxInfo& mailbox, const PackEntry& body) const;
  [[nodiscard]] bool tell(std::string_view phase, std::uint64_t done, std::uint64_t total) const {
    return !options_.progress || options_.progress(phase, done, total);
  }

  store::Store& store_;
  Repository& repository_;
  Packs& packs_;
  const BackupOptions& options_;
  bool distrust_;
  Throttle throttle_;
  std::optional<RecordSpool> spool_;
  Snapshot snapshot_;
  std::unordered_set<store::BlobId> gone_;     // reaped since the snapshot
  std::unordered_set<store::BlobId> damaged_;  // can't be read
  BackupReport report_;
};

Result<BackupReport> Run::run() {
  GenerationInfo& info = report_.generation;
  const auto& earlier = repository_.generations();
  info.time = unix_now();
  info.name = next_generation(info.time,
                              earlier.empty() ? std::nullopt : std::optional(earlier.back().name));
  // A generation that is there and can't be read keeps its name.
  while (exists(repository_.path_of(info.name))) ++info.name.number;
  info.store_id = repository_.info().store_id;
  info.made_by = "twinpost " TWINPOST_VERSION;
  info.sealed = repository_.info().sealed;
  const std::string folder = repository_.generations_folder() + "/." + to_string(info.name);
  auto done = make_folder(folder);
  if (done) done = read_snapshot(folder);
  if (done) done = read_bodies();
  if (done) done = packs_.finish();
  if (done) done = write_manifest(folder);
  if (done) done = write_sealed_text(folder + "/generation.json", encode_generation(info));
  if (done) done = rename_file(folder, repository_.path_of(info.name));
  if (done) done = sync_folder(repository_.generations_folder());
  if (!done) return tl::unexpected(done.error());
  return std::move(report_);
}

Result<BaseMailboxes> Run::earlier_mailboxes() {
  if (options_.full || repository_.generations().empty()) return BaseMailboxes{};
  auto bases = find_bases(repository_, packs_, options_.progress);
  if (!bases) return tl::unexpected(bases.error());
  distrust_ = distrust_ || bases->unknown;
  report_.problems = std::move(bases->problems);
  return std::move(bases->mailboxes);
}

Result<void> Run::read_snapshot(const std::string& folder) {
  auto bases = earlier_mailboxes();
  if (!bases) return tl::unexpected(bases.error());
  for (;;) {
    auto spool = RecordSpool::create(folder);
    if (!spool) return tl::unexpected(spool.error());
    auto snapshot = take_snapshot(store_, *bases, *spool, options_.progress);
    if (!snapshot) return tl::unexpected(snapshot.error());
    spool_.emplace(*std::move(spool));
    snapshot_ = *std::move(snapshot);
    if (!snapshot_.went_back) break;
    // Numbers of bodies may have been given again, too.
    report_.store_went_back = true;
    distrust_ = true;
    bases->clear();
  }
  report_.problems.insert(report_.problems.end(), snapshot_.problems.begin(),
                          snapshot_.problems.end());
  report_.generation.damaged += snapshot_.problems.size();
  return {};
}

// Ascending: the order in which they were stored, and so in which they lie on the disk, more or
// less.
Result<std::vector<store::BlobId>> Run::wanted_bodies() {
  std::vector<store::BlobId> blobs;
  for (const AccountSnapshot& account : snapshot_.accounts) {
    for (const MailboxSnapshot& mailbox : account.mailboxes) {
      auto read = spool_->read(mailbox.spool_offset, mailbox.records,
                               [&](const store::MessageRecord& record) -> Result<void> {
                                 if (distrust_ || packs_.find_blob(record.blob) == nullptr) {
                                   blobs.push_back(record.blob);
                                 }
                                 return {};
                               });
      if (!read) return tl::unexpected(read.error());
    }
  }
  std::sort(blobs.begin(), blobs.end());
  blobs.erase(std::unique(blobs.begin(), blobs.end()), blobs.end());
  return blobs;
}

Result<void> Run::read_bodies() {
  auto blobs = wanted_bodies();
  if (!blobs) return tl::unexpected(blobs.error());
  for (std::size_t next = 0; next < blobs->size();) {
    if (!tell("bodies", next, blobs->size())) return stopped();
    auto done = read_slice(*blobs, next);
    if (!done) return tl::unexpected(done.error());
    next += *done;
  }
  if (!tell("bodies", blobs->size(), blobs->size())) return stopped();
  return {};
}

Result<std::size_t> Run::read_slice(const std::vector<store::BlobId>& blobs, std::size_t first) {
  std::vector<ReadBody> slice;
  std::uint64_t octets = 0;
  auto read = store_.read_now([&](const store::ReadView& view) -> Result<void> {
    slice.clear();
    octets = 0;
    while (first + slice.size() < blobs.size() && slice.size() < kMostPerSlice &&
           octets < kSliceOctets) {
      slice.push_back(read_body(view, blobs[first + slice.size()]));
      if (slice.back().octets) octets += slice.back().octets->size();
    }
    return {};
  });
  if (!read) return tl::unexpected(read.error());
  for (ReadBody& body : slice) {
    if (!body.octets) {
      const PackEntry* earlier = report_.store_went_back ? nullptr : packs_.find_blob(body.blob);
      if (earlier != nullptr && packs_.read(*earlier)) {
        report_.problems.push_back(
            fmt::format("{}; the backup has it from an earlier run", body.octets.error().message));
        continue;
      }
      (body.octets.error().code == ErrorCode::kNotFound ? gone_ : damaged_).insert(body.blob);
      continue;
    }
    auto added = packs_.add(body.blob, *body.octets, distrust_);
    if (!added) return tl::unexpected(added.error());
    if (added->written == 0) continue;
    ++report_.generation.new_bodies;
    report_.generation.new_octets += added->written;
  }
  throttle_.did(octets);
  return slice.size();
}

Result<void> Run::write_manifest(const std::string& folder) {
  GenerationInfo& info = report_.generation;
  auto manifest =
      ManifestWriter::create(folder + "/" + manifest_name(info.manifest), repository_.coder());
  if (!manifest) return tl::unexpected(manifest.error());
  SectionWriter sections(*manifest);
  for (std::size_t i = 0; i < snapshot_.accounts.size(); ++i) {
    if (!tell("writing", i, snapshot_.accounts.size())) return stopped();
    if (auto done = write_account(snapshot_.accounts[i], sections); !done) return done;
  }
  return sections.finish(info);
}

Result<void> Run::write_account(const AccountSnapshot& account, SectionWriter& section) {
  AccountLine line;
  line.name = account.info.name;
  line.id = account.info.id;
  line.provisioned = account.info.provisioned;
  line.subscriptions = account.subscriptions;
  if (auto done = section.account(std::move(line)); !done) return done;
  for (const MailboxSnapshot& mailbox : account.mailboxes) {
    if (auto done = write_mailbox(account, mailbox, section); !done) return done;
  }
  return {};
}

Result<Run::LeftOut> Run::find_left_out(const AccountSnapshot& account,
                                        const MailboxSnapshot& mailbox) {
  LeftOut left_out;
  if (gone_.empty() && damaged_.empty()) return left_out;
  auto read = spool_->read(
      mailbox.spool_offset, mailbox.records,
      [&](const store::MessageRecord& record) -> Result<void> {
        const bool is_damaged = damaged_.contains(record.blob);
        if (!is_damaged && !gone_.contains(record.blob)) return {};
        left_out.uids.push_back(record.uid);
        left_out.octets += record.size;
        if (is_damaged) {
          ++report_.generation.damaged;
          report_.problems.push_back(fmt::format(
              "{}/{} UID {}: its octets can't be read", ascii::printable(account.info.name),
              ascii::printable(mailbox.info.name), record.uid.value()));
        } else {
          ++report_.generation.removed_meanwhile;
        }
        return {};
      });
  if (!read) return tl::unexpected(read.error());
  return left_out;
}

MessageLine Run::line_of(const store::MessageRecord& record, const store::MailboxInfo& mailbox,
                         const PackEntry& body) const {
  MessageLine line;
  line.uid = record.uid;
  line.flags = record.flags;
  for (std::size_t i = 0; i < mailbox.keywords.size(); ++i) {
    if (record.keywords.test(i)) line.keywords.push_back(mailbox.keywords[i]);
  }
  line.modseq = record.modseq;
  line.date = record.internal_date;
  line.save_date = record.save_date;
  line.size = record.prefix.size() + body.plain_octets;
  line.prefix = record.prefix;
  line.uidl = store::uidl_of(record, repository_.info().store_id);
  line.pop3_hidden = record.pop3_hidden;
  line.pop3_retrieved = record.pop3_retrieved;
  line.email_id = record.email_id;
  line.thread_id = record.thread_id;
  line.body = body.name;
  return line;
}

Result<void> Run::write_mailbox(const AccountSnapshot& account, const MailboxSnapshot& mailbox,
                                SectionWriter& section) {
  const store::MailboxInfo& info = mailbox.info;
  auto left_out = find_left_out(account, mailbox);
  if (!left_out) return tl::unexpected(left_out.error());
  MailboxLine line;
  line.name = info.name;
  line.id = info.id;
  line.guid = info.mailbox_guid;
  line.uid_validity = info.uid_validity;
  line.uid_next = info.uid_next;
  line.highest_modseq = info.highest_modseq;
  line.special_use = info.special_use;
  line.subscribed = info.subscribed;
  line.keywords = info.keywords;
  line.listing = mailbox.listing;
  line.records = mailbox.records - left_out->uids.size();
  line.left_out = left_out->uids.size() + mailbox.unreadable;
  line.messages =
      mailbox.listing == Listing::kFull ? line.records : info.messages - left_out->uids.size();
  line.octets = info.bytes - std::min(info.bytes, left_out->octets);
  if (mailbox.base) line.base = mailbox.base->generation;
  if (mailbox.listing == Listing::kSame) {
    line.chain = mailbox.base->chain;
    line.weight = mailbox.base->weight;
    ++report_.unchanged_mailboxes;
  } else if (mailbox.listing == Listing::kDelta) {
    std::vector<store::Uid> gone = mailbox.gone;
    // It was there, as it was before it changed.
    for (const store::Uid uid : left_out->uids) {
      if (uid < mailbox.base->uid_next) gone.push_back(uid);
    }
    std::sort(gone.begin(), gone.end());
    line.gone = ranges_of(gone);
    line.chain = mailbox.base->chain + 1;
    line.weight = mailbox.base->weight + mailbox.records + mailbox.gone.size();
    ++report_.changed_mailboxes;
  } else {
    ++report_.full_mailboxes;
  }
  if (auto done = section.mailbox(std::move(line)); !done) return done;
  return spool_->read(mailbox.spool_offset, mailbox.records,
                      [&](const store::MessageRecord& record) -> Result<void> {
                        if (gone_.contains(record.blob) || damaged_.contains(record.blob)) {
                          return {};
                        }
                        const PackEntry* body = packs_.find_blob(record.blob);
                        if (body == nullptr) {
                          return fail(ErrorCode::kInternal, "a body was read and is not there");
                        }
                        return section.message(encode_message(line_of(record, info, *body)));
                      });
}

}  // namespace

Result<BackupReport> run_backup(store::Store& store, Repository& repository, Packs& packs,
                                const BackupOptions& options) {
  return Run(store, repository, packs, options).run();
}

}  // namespace twinpost::tools::backup
