// A check from its beginning to its end: pages, records, bodies, and then the repair.
#include <algorithm>

#include "store/check_census.h"
#include "store/engine/page_walk.h"
#include "store/queries.h"
#include "store/repair.h"

namespace twinpost::store {

namespace {

tl::unexpected<Error> ended() { return fail(ErrorCode::kShutdown, "the check was ended"); }

// What a walk over the pages finds wrong.
class PageCheck final : public engine::WalkVisitor {
 public:
  PageCheck(std::uint64_t pages, const Progress& progress) : pages_(pages), progress_(progress) {}

  void entry(std::string_view, std::string_view, std::string_view, engine::ValuePlace) override {}
  void damage(std::string_view table, std::string what, engine::KeyRange) override {
    const std::string where = table.empty() ? "list of tables" : "table " + std::string(table);
    if (++found_ <= kMost) problems.emplace_back(where, std::move(what));
  }
  bool progress(std::uint64_t done) override {
    return !progress_ || progress_("pages", done, std::max(done, pages_));
  }

  std::vector<std::pair<std::string, std::string>> problems;

 private:
  static constexpr std::size_t kMost = 1000;
  std::size_t found_ = 0;
  std::uint64_t pages_;
  const Progress& progress_;
};

// The pages of the very snapshot that `txn` holds: none of them is written again while it does.
// Where the file tells of no such commit (it was exchanged meanwhile), nothing is said.
Result<void> check_pages_of(Census& census) {
  if (census.access.data_file.empty()) return {};
  const auto file = engine::PageFile::open(census.access.data_file);
  if (!file) {
    census.findings.lose_table("data file", file.error().message);
    return {};
  }
  for (const engine::FileHead& head : file->heads()) {
    if (head.commit != census.txn->id()) continue;
    PageCheck check(file->pages(), census.progress);
    engine::WalkOptions options;
    options.overflow_heads = census.options.bodies;
    if (!engine::PageWalk(*file, head).run(check, options)) return ended();
    for (const auto& [where, what] : check.problems) census.findings.lose_table(where, what);
    return {};
  }
  return {};
}

// Both heads may be older or newer than the snapshot by the time that they are read: another one is
// taken then.
Result<void> take_snapshot(Census& census) {
  constexpr int kAttempts = 20;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto txn = census.access.environment.begin_read();
    if (!txn) return failed(txn);
    census.txn = std::move(*txn);
    if (census.access.data_file.empty()) return {};
    const auto file = engine::PageFile::open(census.access.data_file);
    if (!file) return {};
    const auto heads = file->heads();
    const bool told = std::any_of(heads.begin(), heads.end(), [&](const engine::FileHead& head) {
      return head.commit == census.txn->id();
    });
    if (told) return {};
  }
  return {};
}

Result<void> choose_account(Census& census) {
  if (census.options.account.empty()) return {};
  census.whole = false;
  auto id = Queries(*census.txn, census.access.tables).account_id(census.options.account);
  if (!id) return failed(id);
  if (!*id) return fail(ErrorCode::kNotFound, "no account named " + census.options.account);
  census.only = **id;
  return {};
}

Result<BlobSet> check_records(Census& census) {
  const auto value = find_value(census, census.access.tables.meta, kCountersKey);
  if (value) {
    if (auto counters = decode_counters(kCountersKey, *value)) census.counters = *counters;
  }
  count_blobs(census);
  check_accounts(census);
  check_serials(census);
  BlobSet incomplete = check_blobs(census);
  if (census.whole) check_counters(census);
  if (census.ended) return ended();
  return incomplete;
}

Result<void> run(Census& census) {
  if (auto taken = take_snapshot(census); !taken) return taken;
  if (auto checked = check_pages_of(census); !checked) return checked;
  // A damaged page can mislead whoever follows it anywhere: then nobody does.
  if (census.findings.lost_tables()) return {};
  if (auto chosen = choose_account(census); !chosen) return chosen;
  auto incomplete = check_records(census);
  if (!incomplete) return failed(incomplete);
  BlobSet unreadable = std::move(*incomplete);
  if (census.options.bodies) {
    census.txn.reset();
    auto found = check_bodies(census);
    if (!found) return failed(found);
    if (census.ended) return ended();
    unreadable.merge(*found);
    if (!unreadable.empty()) {
      auto txn = census.access.environment.begin_read();
      if (!txn) return failed(txn);
      census.txn = std::move(*txn);
    }
  }
  tell_of_messages(census, unreadable);
  census.txn.reset();
  if (census.ended) return ended();
  return {};
}

}  // namespace

Result<CheckReport> check_store(const CheckAccess& access, const CheckOptions& options,
                                const Progress& progress) {
  if (options.repair && !access.write) {
    return fail(ErrorCode::kPermission, "the store is open for reading only");
  }
  CheckReport report;
  Findings findings(report, options.most_problems);
  Census census(access, options, progress, report, findings);
  if (auto checked = run(census); !checked) return failed(checked);
  // What derives from tables that can't be read can't be made anew either.
  if (options.repair && !findings.lost_tables()) {
    if (auto repaired = repair_findings(census); !repaired) return failed(repaired);
  }
  return report;
}

Result<std::vector<std::string>> check_pages(const std::string& data_file, std::size_t most,
                                             const Progress& progress) {
  auto file = engine::PageFile::open(data_file);
  if (!file) return failed(file);
  std::vector<std::string> problems;
  if (!file->heads_agree()) problems.emplace_back("the data file's heads do not agree");
  const auto heads = file->heads();
  if (heads.empty()) return problems;
  PageCheck check(file->pages(), progress);
  engine::WalkOptions options;
  options.overflow_heads = true;
  if (!engine::PageWalk(*file, heads.front()).run(check, options)) return ended();
  for (const auto& [where, what] : check.problems) {
    if (problems.size() < most) problems.push_back(where + ": " + what);
  }
  return problems;
}

}  // namespace twinpost::store
