#include "store/recode.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "store/blobs.h"
#include "store/key_proofs.h"
#include "store/prepare.h"
#include "store/queries.h"

namespace twinpost::store {

namespace {

// A slice of reading (DESIGN): so many octets of a body, or rows for so long.
constexpr std::uint64_t kSliceOctets = 256 * 1024;
constexpr std::chrono::milliseconds kSliceTime{20};
// One transaction's work: durable commits are what a pass over small bodies would wait for, but deliveries wait for it.
constexpr std::size_t kBodiesTogether = 64;
constexpr std::uint64_t kOctetsTogether = 1024 * 1024;

struct Found {
  BlobId blob;
  BlobRow row;
};

// A body in its new form.
struct Recoded {
  Found was;
  PreparedMessagePtr form;
};

class Recoder {
 public:
  Recoder(const RecodeAccess& access, const Progress& progress)
      : access_(access), progress_(progress) {}

  Result<std::uint64_t> run() {
    if (auto counted = count(); !counted) return failed(counted);
    BlobId from;
    for (bool more = true; more;) {
      std::vector<Found> found;
      auto next = collect(from, found);
      if (!next) return failed(next);
      for (const Found& one : found) {
        if (auto done = recode(one); !done) return failed(done);
      }
      more = next->has_value();
      if (more) from = **next;
    }
    if (auto written = write_waiting(); !written) return failed(written);
    if (auto forgotten = forget_unused_keys(); !forgotten) return failed(forgotten);
    if (unreadable_ > 0) {
      return fail(
          ErrorCode::kCorrupt,
          std::to_string(rewritten_) + " bodies rewritten; " + std::to_string(unreadable_) +
              " can't be read and are kept as they were: the log names them, twinpost check "
              "tells whose they are");
    }
    return rewritten_;
  }

 private:
  Result<void> tell() const {
    if (!progress_ || progress_("bodies", done_, total_)) return {};
    return fail(ErrorCode::kShutdown, "ended before all bodies were rewritten; run it again");
  }

  [[nodiscard]] bool wants(const BlobRow& row) const {
    if (row.dying) return false;
    if (!access_.coder.is_current(row.codec, row.key)) return true;
    // It may be one that does not get smaller: that is seen when it is tried.
    return access_.coder.compresses() && !is_compressed(row.codec) &&
           row.size > BodyCoder::kPageOctets;
  }

  // Calls visit(blob, row) from `from` on for the time of a slice. Where the next slice begins, or nullopt at the end.
  template <class Visit>
  Result<std::optional<BlobId>> slice(BlobId from, Visit visit) const {
    auto txn = access_.environment.begin_read();
    if (!txn) return failed(txn);
    const SteadyTime end = steady_now() + kSliceTime;
    std::optional<BlobId> next;
    auto scanned = Queries(**txn, access_.tables)
                       .scan(access_.tables.blob_refs, {}, blob_key(from).view(),
                             [&](auto key, auto value) -> Result<bool> {
                               const BlobId blob(Reader(key).key_u64());
                               if (blob != from && steady_now() >= end) {
                                 next = blob;
                                 return false;
                               }
                               return visit(blob, decode_blob(key, value));
                             });
    if (!scanned) return failed(scanned);
    return next;
  }

  Result<void> count() {
    BlobId from;
    for (;;) {
      auto next = slice(from, [&](BlobId, const Result<BlobRow>& row) {
        if (row && wants(*row)) ++total_;
        return true;
      });
      if (!next) return failed(next);
      if (auto told = tell(); !told) return told;
      if (!*next) return {};
      from = **next;
    }
  }

  // What is to be done, of one slice.
  Result<std::optional<BlobId>> collect(BlobId from, std::vector<Found>& found) {
    return slice(from, [&](BlobId blob, const Result<BlobRow>& row) {
      if (!row) {
        cannot_read(blob, row.error());
      } else if (wants(*row)) {
        found.push_back({blob, *row});
      }
      return true;
    });
  }

  void cannot_read(BlobId blob, const Error& error) {
    ++unreadable_;
    log::error("recode", {{"blob", blob.value()}, {"error", error.message}});
  }

  Result<void> recode(const Found& found) {
    auto form = make_form(found);
    if (!form) {
      const ErrorCode code = form.error().code;
      if (code != ErrorCode::kCorrupt && code != ErrorCode::kPermission) return failed(form);
      cannot_read(found.blob, form.error());
    } else if (*form) {
      waiting_octets_ += (*form)->body.octets.size() + (*form)->summary.size();
      waiting_.push_back({found, std::move(*form)});
    }
    ++done_;
    if (waiting_.size() >= kBodiesTogether || waiting_octets_ >= kOctetsTogether) {
      if (auto written = write_waiting(); !written) return written;
    }
    return tell();
  }

  // Null where there is nothing to do: the body has gone meanwhile, or is best kept as it is.
  Result<PreparedMessagePtr> make_form(const Found& found) const {
    Spool spool(access_.spool_folder, 0);
    auto is_there = read_body(found, spool);
    if (!is_there) return failed(is_there);
    if (!*is_there) return nullptr;
    auto form = prepare_message(std::move(spool), access_.coder);
    if (!form) return form;
    // The name was made of the octets when they came.
    auto name = access_.coder.name_of((*form)->sha256, found.row.codec, found.row.key);
    if (!name) return failed(name);
    if ((*form)->octets.size() != found.row.size || *name != found.row.name) {
      return fail(ErrorCode::kCorrupt, "its octets are not those that came");
    }
    const EncodedBody& body = (*form)->body;
    if (body.codec == found.row.codec && body.key == found.row.key) return nullptr;
    return form;
  }

  // A body is canonical, so that the spool does not change it. False where it has gone.
  Result<bool> read_body(const Found& found, Spool& spool) const {
    MessageRecord whole;
    whole.blob = found.blob;
    whole.size = found.row.size;
    std::string octets;
    for (std::uint64_t offset = 0; offset < whole.size; offset += octets.size()) {
      octets.clear();
      auto txn = access_.environment.begin_read();
      if (!txn) return failed(txn);
      const Queries queries(**txn, access_.tables, &access_.coder);
      auto row = queries.blob_row(found.blob);
      if (!row && row.error().code == ErrorCode::kNotFound) return false;
      if (!row) return failed(row);
      if (row->dying) return false;
      auto read = queries.read_message(whole, offset, kSliceOctets, octets);
      if (!read) return failed(read);
      if (octets.empty()) return fail(ErrorCode::kCorrupt, "it is shorter than it should be");
      txn->reset();
      if (auto kept = spool.append(octets); !kept) return failed(kept);
    }
    return true;
  }

  Result<void> write_waiting() {
    if (waiting_.empty()) return {};
    std::uint64_t written = 0;
    auto done = access_.write([&](Batch& batch) -> Result<void> {
      written = 0;
      if (auto room = batch.reserve().check(); !room) return room;
      Blobs blobs(batch);
      for (const Recoded& one : waiting_) {
        auto recoded = blobs.recode(one.was.blob, one.was.row, *one.form);
        if (!recoded) return failed(recoded);
        written += *recoded ? 1 : 0;
      }
      return {};
    });
    if (!done) return done;
    rewritten_ += written;
    waiting_.clear();
    waiting_octets_ = 0;
    return {};
  }

  // Bodies that came meanwhile have the current key, and no body gets an older one: what a pass does not see in use
  // is not in use.
  Result<void> forget_unused_keys() {
    std::set<KeyId> used;
    if (access_.coder.encrypts()) used.insert(access_.coder.current_key());
    bool all_known = true;
    BlobId from;
    for (bool more = true; more;) {
      auto next = slice(from, [&](BlobId, const Result<BlobRow>& row) {
        if (!row) all_known = false;
        if (row && !row->dying && is_encrypted(row->codec)) used.insert(row->key);
        return true;
      });
      if (!next) return failed(next);
      more = next->has_value();
      if (more) from = **next;
    }
    if (!all_known) return {};
    std::vector<KeyId> forgotten;
    auto done = access_.write([&](Batch& batch) -> Result<void> {
      auto now = forget_keys(batch.txn(), access_.tables.meta, used);
      if (!now) return failed(now);
      forgotten = std::move(*now);
      return {};
    });
    if (!done) return done;
    for (const KeyId key : forgotten) log::info("key-unused", {{"key", to_string(key)}});
    return {};
  }

  const RecodeAccess& access_;
  const Progress& progress_;
  std::vector<Recoded> waiting_;
  std::uint64_t waiting_octets_ = 0;
  std::uint64_t total_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t rewritten_ = 0;
  std::uint64_t unreadable_ = 0;
};

}  // namespace

Result<std::uint64_t> recode_all(const RecodeAccess& access, const Progress& progress) {
  return Recoder(access, progress).run();
}

}  // namespace twinpost::store
