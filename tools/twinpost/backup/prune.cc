#include "tools/twinpost/backup/prune.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <unordered_map>
#include <utility>

#include "tools/twinpost/backup/rebase.h"

namespace twinpost::tools::backup {

namespace {

// Below this much of it in use a pack is written anew.
constexpr std::uint64_t kWorthPercent = 50;

tl::unexpected<Error> stopped() { return fail(ErrorCode::kShutdown, "stopped"); }

std::vector<GenerationName> names_to_keep(const Repository& repository,
                                          const PruneOptions& options) {
  const auto& all = repository.generations();
  const UnixTime oldest = unix_now() - std::chrono::days(options.keep_days);
  std::vector<GenerationName> kept;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::size_t later = all.size() - 1 - i;
    const bool keep = options.keep > 0 ? later < options.keep : all[i].time >= oldest;
    if (keep || later == 0) kept.push_back(all[i].name);
  }
  return kept;
}

Result<void> remove_generation(const Repository& repository, const GenerationName& name) {
  // At once for whoever looks, whatever becomes of the rest.
  const std::string hidden = repository.generations_folder() + "/.removed-" + to_string(name);
  auto done = rename_file(repository.path_of(name), hidden);
  if (done) done = sync_folder(repository.generations_folder());
  if (done) done = remove_tree(hidden);
  return done;
}

class PackCleaner {
 public:
  PackCleaner(Packs& packs, const std::vector<BodyName>& needed, PruneReport& report)
      : packs_(packs), needed_(needed), report_(report) {}

  Result<void> run() {
    std::unordered_map<std::uint32_t, std::uint64_t> live_octets;
    for (const PackEntry& entry : packs_.entries()) {
      if (is_needed(entry)) live_octets[entry.pack] += entry.end() - entry.offset;
    }
    const std::vector<PackState> packs = packs_.packs();
    std::vector<PackState> unused;
    const bool something_missing =
        std::any_of(needed_.begin(), needed_.end(),
                    [this](const BodyName& name) { return packs_.find(name) == nullptr; });
    if (auto done = packs_.start_new_pack(); !done) return done;
    for (const PackState& pack : packs) {
      const std::uint64_t octets = live_octets[pack.number];
      if (octets > 0 && octets * 100 >= pack.octets * kWorthPercent) continue;
      if (!pack.can_grow && something_missing) {
        report_.problems.push_back(fmt::format(
            "pack {} stays: it is damaged, and a body that is needed may be in it", pack.number));
        continue;
      }
      auto copied = copy_all(pack.number);
      if (!copied) return tl::unexpected(copied.error());
      if (!*copied) continue;
      report_.octets_freed += pack.octets - std::min(pack.octets, octets);
      unused.push_back(pack);
    }
    if (auto done = packs_.finish(); !done) return done;
    for (const PackState& pack : unused) {
      if (auto done = packs_.remove_pack(pack.number); !done) return done;
      ++report_.packs_removed;
    }
    return {};
  }

 private:
  bool is_needed(const PackEntry& entry) const {
    return std::binary_search(needed_.begin(), needed_.end(), entry.name);
  }

  // False where one of them can't be read: its pack is better kept as it is.
  Result<bool> copy_all(std::uint32_t pack) {
    // By position: what is copied is added to the entries.
    const std::size_t count = packs_.entries().size();
    for (std::size_t i = 0; i < count; ++i) {
      const PackEntry entry = packs_.entries()[i];
      if (entry.pack != pack || !is_needed(entry)) continue;
      auto copied = packs_.copy(entry);
      if (copied || has_good_twin(entry)) continue;
      if (copied.error().code != ErrorCode::kCorrupt) return tl::unexpected(copied.error());
      report_.problems.push_back(copied.error().message);
      return false;
    }
    return true;
  }

  // What was damaged and written again.
  bool has_good_twin(const PackEntry& entry) const {
    const auto twins = packs_.find_all(entry.name);
    return std::any_of(twins.begin(), twins.end(), [&](const PackEntry* twin) {
      return twin->pack != entry.pack && packs_.read(*twin);
    });
  }

  Packs& packs_;
  const std::vector<BodyName>& needed_;
  PruneReport& report_;
};

}  // namespace

Result<std::vector<BodyName>> needed_bodies(Repository& repository,
                                            const store::Progress& progress) {
  std::vector<BodyName> names;
  const auto& generations = repository.generations();
  for (std::size_t i = 0; i < generations.size(); ++i) {
    if (progress && !progress("generations", i, generations.size())) return stopped();
    const GenerationName name = generations[i].name;
    auto contents = repository.directory(name);
    if (!contents) return tl::unexpected(contents.error());
    if (auto good = must_be_whole((*contents)->problems()); !good) {
      return tl::unexpected(good.error());
    }
    for (const AccountPlace& place : (*contents)->accounts()) {
      auto section = repository.section(name, place.name);
      if (!section) return tl::unexpected(section.error());
      for (const ListedMailbox& mailbox : (*section)->mailboxes) {
        const Listed listed = repository.listed(name, place.name, mailbox);
        if (auto good = must_be_whole(listed.problems); !good) {
          return tl::unexpected(good.error());
        }
        for (const auto& [uid, line] : listed.messages) {
          const auto body = body_of_line(line);
          if (!body) {
            return fail(ErrorCode::kCorrupt,
                        fmt::format("generation {} has a message without a body", to_string(name)));
          }
          names.push_back(*body);
        }
      }
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
  }
  return names;
}

Result<PruneReport> prune(Repository& repository, Packs& packs, const PruneOptions& options) {
  PruneReport report;
  if (repository.lost_generations() > 0) {
    return fail(ErrorCode::kCorrupt, repository.problems().front() +
                                         ": nothing is removed while a generation can't be "
                                         "read (remove its folder by hand to give it up)");
  }
  const std::vector<GenerationName> kept = names_to_keep(repository, options);
  std::vector<GenerationName> removed;
  for (const GenerationInfo& info : repository.generations()) {
    if (!std::binary_search(kept.begin(), kept.end(), info.name)) removed.push_back(info.name);
  }
  for (std::size_t i = 0; i < kept.size() && !removed.empty(); ++i) {
    if (options.progress && !options.progress("manifests", i, kept.size())) return stopped();
    auto changed = rebase(repository, kept[i], kept);
    if (!changed) return tl::unexpected(changed.error());
    if (!*changed) continue;
    ++report.rewritten;
    if (auto reloaded = repository.reload(); !reloaded) return tl::unexpected(reloaded.error());
  }
  for (const GenerationName& name : removed) {
    if (auto gone = remove_generation(repository, name); !gone) return tl::unexpected(gone.error());
    report.removed.push_back(name);
  }
  if (auto reloaded = repository.reload(); !reloaded) return tl::unexpected(reloaded.error());
  auto needed = needed_bodies(repository, options.progress);
  if (!needed) return tl::unexpected(needed.error());
  auto cleaned = PackCleaner(packs, *needed, report).run();
  if (!cleaned) return tl::unexpected(cleaned.error());
  return report;
}

}  // namespace twinpost::tools::backup
