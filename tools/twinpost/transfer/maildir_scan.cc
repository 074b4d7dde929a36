#include "tools/twinpost/transfer/maildir_scan.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <map>
#include <tuple>

#include "core/base/ascii.h"
#include "store/names.h"
#include "tools/twinpost/transfer/maildir_names.h"

namespace twinpost::tools {

namespace {

constexpr std::size_t kDeepest = 50;
constexpr int kScans = 3;

bool is_maildir(int folder) { return is_folder(folder, "cur") || is_folder(folder, "new"); }

// The name that the writer left where the folder's own can't say it.
std::optional<std::string> true_name(int folder) {
  const auto file = open_file(folder, kTrueName);
  if (!file) return std::nullopt;
  std::optional<std::string> name;
  (void)for_each_line(file->get(), 1024, [&](std::string_view line) {
    if (store::check_name(line)) name = store::canonical_name(line);
    return false;
  });
  return name;
}

class Finder {
 public:
  Finder(const MaildirOptions& options, std::vector<std::string>& notes)
      : options_(options), notes_(notes) {}

  Result<void> look(int root) {
    if (is_maildir(root)) {
      found_.push_back(
          {std::string(store::kInbox), std::string(store::kInbox), std::string(kRootMaildir)});
    }
    return look_in(root, "", 1);
  }
  std::vector<FoundMaildir> take() { return std::move(found_); }

 private:
  bool is_candidate(const std::string& name) const {
    if (options_.layout == MaildirLayout::kMaildirPlusPlus) {
      return name.size() > 1 && name.front() == options_.separator;
    }
    return name.front() != '.' && name != "cur" && name != "new" && name != "tmp";
  }

  Result<void> look_in(int folder, const std::string& above, std::size_t depth) {
    auto names = names_in(folder);
    if (!names) return tl::unexpected(names.error());
    std::sort(names->begin(), names->end());
    for (const std::string& name : *names) {
      if (!is_candidate(name)) continue;
      auto opened = open_folder(folder, name);
      if (!opened) {
        explain(folder, above + name, name, opened.error());
        continue;
      }
      if (auto added = add(above + name, opened->get(), depth); !added) return added;
    }
    return {};
  }

  Result<void> add(const std::string& native_name, int folder, std::size_t depth) {
    const bool goes_on = options_.layout == MaildirLayout::kFs && depth < kDeepest;
    if (!is_maildir(folder))
      return goes_on ? look_in(folder, native_name + "/", depth + 1) : Result<void>{};
    const std::string_view name =
        std::string_view(native_name).substr(options_.layout == MaildirLayout::kFs ? 0 : 1);
    std::string listed = mailbox_from_disk(name, options_);
    std::string mailbox = true_name(folder).value_or(listed);
    if (!store::check_name(mailbox)) {
      notes_.push_back(fmt::format("folder {}: no name for a mailbox, passed over",
                                   ascii::printable(native_name)));
      return {};
    }
    if (found_.size() >= store::kMostMailboxes) {
      return fail(
          ErrorCode::kLimit,
          fmt::format("more than the {} folders that an account can have", store::kMostMailboxes));
    }
    if (goes_on) {
      if (auto below = look_in(folder, native_name + "/", depth + 1); !below) return below;
    }
    found_.push_back({std::move(mailbox), std::move(listed), native_name});
    return {};
  }

  void explain(int folder, const std::string& native_name, const std::string& name,
               const Error& error) {
    const auto status = status_of(folder, name);
    if (!status || S_ISREG(status->st_mode)) return;  // gone, or a file of the server's own
    const std::string_view why = S_ISLNK(status->st_mode)
                                     ? std::string_view("a symbolic link, which is not followed")
                                     : std::string_view(error.message);
    notes_.push_back(fmt::format("folder {}: passed over: {}", ascii::printable(native_name), why));
  }

  const MaildirOptions& options_;
  std::vector<std::string>& notes_;
  std::vector<FoundMaildir> found_;
};

struct Place {
  const char* folder;
  bool is_new;
};
// In this order, since files move from new to cur: one that moves meanwhile is met twice, not never.
constexpr Place kPlaces[] = {{"new", true}, {"cur", false}};

using Entries = std::map<std::string, MaildirEntry, std::less<>>;

Result<void> scan_place(int folder, const Place& place, Entries& entries, std::uint64_t& odd) {
  auto opened = open_folder(folder, place.folder);
  if (!opened) {
    if (opened.error().code == ErrorCode::kNotFound) return {};
    return tl::unexpected(opened.error());
  }
  auto names = names_in(opened->get());
  if (!names) return tl::unexpected(names.error());
  for (const std::string& name : *names) {
    if (name.front() == '.') continue;
    const auto status = status_of(opened->get(), name);
    if (!status) continue;
    if (!S_ISREG(status->st_mode)) {
      ++odd;
      continue;
    }
    const MaildirFileName parsed = parse_file_name(name);
    if (parsed.base.empty()) {
      ++odd;
      continue;
    }
    MaildirEntry entry;
    entry.path = std::string(place.folder) + "/" + name;
    entry.base = std::string(parsed.base);
    entry.letters = std::string(parsed.letters);
    entry.is_new = place.is_new;
    entry.size = static_cast<std::uint64_t>(status->st_size);
    entry.mtime = status->st_mtim.tv_sec;
    entries[entry.base] = std::move(entry);
  }
  return {};
}

// When the folder's files were last moved about.
std::array<std::int64_t, 4> last_change(int folder) {
  std::array<std::int64_t, 4> times{};
  std::size_t at = 0;
  for (const Place& place : kPlaces) {
    const auto status = status_of(folder, place.folder);
    times[at++] = status ? status->st_mtim.tv_sec : 0;
    times[at++] = status ? status->st_mtim.tv_nsec : 0;
  }
  return times;
}

}  // namespace

Result<std::vector<FoundMaildir>> find_maildirs(int root, const MaildirOptions& options,
                                                std::vector<std::string>& notes) {
  Finder finder(options, notes);
  if (auto looked = finder.look(root); !looked) return tl::unexpected(looked.error());
  return finder.take();
}

Result<Descriptor> open_maildir_folder(int root, std::string_view native_name) {
  auto opened = open_folder(root, ".");
  while (opened && !native_name.empty()) {
    const auto end = native_name.find('/');
    const std::string level(native_name.substr(0, end));
    native_name.remove_prefix(end == std::string_view::npos ? native_name.size() : end + 1);
    auto below = open_folder(opened->get(), level);
    opened = std::move(below);
  }
  return opened;
}

Result<MaildirScan> scan_maildir(int folder) {
  // A file that is renamed while the folder is read may be missed by that reading, not by the next one too.
  Entries entries;
  MaildirScan scan;
  for (int i = 0; i < kScans; ++i) {
    const auto before = last_change(folder);
    scan.odd_entries = 0;
    for (const Place& place : kPlaces) {
      if (auto done = scan_place(folder, place, entries, scan.odd_entries); !done) {
        return tl::unexpected(done.error());
      }
    }
    if (last_change(folder) == before) break;
  }
  scan.entries.reserve(entries.size());
  for (auto& [base, entry] : entries) scan.entries.push_back(std::move(entry));
  std::stable_sort(scan.entries.begin(), scan.entries.end(),
                   [](const MaildirEntry& left, const MaildirEntry& right) {
                     return std::tuple(arrival_time(left.base), std::string_view(left.base)) <
                            std::tuple(arrival_time(right.base), std::string_view(right.base));
                   });
  return scan;
}

Result<Descriptor> open_entry(int folder, const std::string& path) {
  auto place = open_folder(folder, path.substr(0, 3));
  if (!place) return place;
  return open_file(place->get(), path.substr(4));
}

}  // namespace twinpost::tools
