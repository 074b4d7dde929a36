#include "tests/powercut/image.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace twinpost::powercut {

namespace {

[[noreturn]] void give_up(const std::string& what) {
  std::perror(what.c_str());
  std::exit(2);
}

// Runs of zeros become holes.
void write_file(const std::string& path, std::string_view octets) {
  constexpr std::size_t kPiece = 65536;
  static const std::string zeros(kPiece, '\0');
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) give_up(path);
  for (std::size_t at = 0; at < octets.size(); at += kPiece) {
    const std::string_view piece = octets.substr(at, kPiece);
    if (piece == std::string_view(zeros).substr(0, piece.size())) continue;
    if (::pwrite(fd, piece.data(), piece.size(), static_cast<off_t>(at)) !=
        static_cast<ssize_t>(piece.size())) {
      give_up(path);
    }
  }
  if (::ftruncate(fd, static_cast<off_t>(octets.size())) != 0) give_up(path);
  ::close(fd);
}

// Of how many versions are there, how many are on the disk.
std::size_t how_many(std::size_t versions, double keep, std::mt19937_64& random) {
  if (std::uniform_real_distribution<>(0, 1)(random) < keep) return versions;
  return random() % (versions + 1);
}

}  // namespace

Trace::Trace(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status {};
  if (fd < 0 || ::fstat(fd, &status) != 0) give_up(path);
  size_ = static_cast<std::size_t>(status.st_size);
  void* mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
  if (mapped == MAP_FAILED) give_up(path);
  ::close(fd);
  mapped_ = static_cast<char*>(mapped);
  for (std::size_t at = 0; at < size_;) {
    Entry entry;
    if (size_ - at < sizeof entry.event) give_up(path + ": ends within an event");
    std::memcpy(&entry.event, mapped_ + at, sizeof entry.event);
    at += sizeof entry.event;
    if (size_ - at < entry.event.length) give_up(path + ": ends within an event");
    entry.octets = {mapped_ + at, static_cast<std::size_t>(entry.event.length)};
    at += entry.octets.size();
    entries_.push_back(entry);
  }
}

Trace::~Trace() { ::munmap(mapped_, size_); }

void Disk::take(const Trace::Entry& entry) {
  const TraceEvent& event = entry.event;
  const std::string text(event.kind == Event::kWrite ? std::string_view() : entry.octets);
  switch (event.kind) {
    case Event::kCreate:
      if (event.file != files_.size()) give_up("the trace's files are not in order");
      files_.emplace_back();
      steps_.push_back({events_, event.kind, event.file, {}, text});
      break;
    case Event::kWrite: write(event.file, {events_, event.at, entry.octets}); break;
    case Event::kSize: files_.at(event.file).sizes.emplace_back(events_, event.at); break;
    case Event::kSync: sync(event.file, event.at); break;
    case Event::kSyncRange:
      if (forgotten_ != Forgotten::kSynchronousWrites) sync_range(event.file, event.at);
      break;
    case Event::kSyncFolder:
      while (!steps_.empty() && steps_.front().number < event.at) {
        apply_step(durable_names_, steps_.front());
        steps_.erase(steps_.begin());
      }
      break;
    case Event::kRename: {
      const std::size_t middle = text.find('\0');
      steps_.push_back({events_, event.kind, 0, text.substr(0, middle), text.substr(middle + 1)});
      break;
    }
    case Event::kUnlink: steps_.push_back({events_, event.kind, 0, text, {}}); break;
    case Event::kMark: break;
  }
  ++events_;
}

// The part of a write that falls into one sector.
void Disk::apply(std::string& octets, std::uint64_t sector, const Version& version) {
  const std::uint64_t begin = std::max(sector * kSector, version.offset);
  const std::uint64_t end =
      std::min((sector + 1) * kSector, version.offset + version.octets.size());
  if (octets.size() < end) octets.resize(end);
  std::memcpy(octets.data() + begin, version.octets.data() + (begin - version.offset), end - begin);
}

void Disk::apply_step(Names& names, const NameStep& step) {
  if (step.kind == Event::kCreate) names[step.to] = step.file;
  if (step.kind == Event::kUnlink) names.erase(step.from);
  if (step.kind == Event::kRename && names.contains(step.from)) {
    names[step.to] = names[step.from];
    names.erase(step.from);
  }
}

void Disk::write(std::uint32_t number, const Version& version) {
  File& file = files_.at(number);
  const std::uint64_t end = version.offset + version.octets.size();
  const std::uint64_t size = file.sizes.empty() ? file.durable_size : file.sizes.back().second;
  if (end > size) file.sizes.emplace_back(version.number, end);
  for (std::uint64_t s = version.offset / kSector; s * kSector < end; ++s) {
    file.pending[s].push_back(version);
  }
}

void Disk::sync(std::uint32_t number, std::uint64_t before) {
  File& file = files_.at(number);
  for (auto at = file.pending.begin(); at != file.pending.end();) {
    auto& versions = at->second;
    std::size_t done = 0;
    for (; done < versions.size() && versions[done].number < before; ++done) {
      apply(file.durable, at->first, versions[done]);
    }
    versions.erase(versions.begin(), versions.begin() + static_cast<std::ptrdiff_t>(done));
    at = versions.empty() ? file.pending.erase(at) : std::next(at);
  }
  while (!file.sizes.empty() && file.sizes.front().first < before) {
    file.durable_size = file.sizes.front().second;
    file.sizes.erase(file.sizes.begin());
  }
  if (file.durable.size() > file.durable_size) file.durable.resize(file.durable_size);
  // Only where nothing else has happened to names before: they are journaled in order.
  for (const NameStep& step : steps_) {
    if (step.kind == Event::kCreate && step.file == number && step.number < before) {
      files_[number].name_is_durable = true;
    }
  }
}

void Disk::sync_range(std::uint32_t number, std::uint64_t write) {
  File& file = files_.at(number);
  for (auto at = file.pending.begin(); at != file.pending.end();) {
    auto& versions = at->second;
    const auto found = std::find_if(versions.begin(), versions.end(),
                                    [&](const Version& v) { return v.number == write; });
    if (found == versions.end()) {
      ++at;
      continue;
    }
    for (auto v = versions.begin(); v <= found; ++v) apply(file.durable, at->first, *v);
    versions.erase(versions.begin(), std::next(found));
    at = versions.empty() ? file.pending.erase(at) : std::next(at);
  }
  // What made the file longer went with it.
  while (!file.sizes.empty() && file.sizes.front().first <= write &&
         file.durable.size() >= file.sizes.front().second) {
    file.durable_size = file.sizes.front().second;
    file.sizes.erase(file.sizes.begin());
  }
}

std::string Disk::outcome(const File& file, std::mt19937_64& random) const {
  static constexpr double kShares[] = {0.0, 0.0, 0.1, 0.5, 0.9, 1.0};
  const double keep = kShares[random() % std::size(kShares)];
  const std::uint64_t unit = random() % 2 == 0 ? 1 : 8;  // sectors that reach the disk together
  std::string octets = file.durable;
  for (auto at = file.pending.begin(); at != file.pending.end();) {
    const std::uint64_t page = at->first / unit;
    std::vector<std::uint64_t> numbers;
    auto end = at;
    for (; end != file.pending.end() && end->first / unit == page; ++end) {
      for (const Version& version : end->second) numbers.push_back(version.number);
    }
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    const std::size_t kept = how_many(numbers.size(), keep, random);
    for (; at != end; ++at) {
      for (const Version& version : at->second) {
        if (kept > 0 && version.number <= numbers[kept - 1]) apply(octets, at->first, version);
      }
    }
  }
  const std::size_t sizes = how_many(file.sizes.size(), keep, random);
  octets.resize(sizes == 0 ? file.durable_size : file.sizes[sizes - 1].second);
  return octets;
}

void Disk::write_image(const std::string& folder, std::mt19937_64& random) const {
  std::size_t steps = random() % (steps_.size() + 1);
  // The journal has everything before a step that is known to be in it.
  for (std::size_t i = steps; i < steps_.size(); ++i) {
    if (steps_[i].kind == Event::kCreate && files_[steps_[i].file].name_is_durable) steps = i + 1;
  }
  Names names = durable_names_;
  for (std::size_t i = 0; i < steps; ++i) apply_step(names, steps_[i]);
  for (const auto& [name, file] : names) {
    std::string octets = outcome(files_[file], random);
    // The engine's lock file is written through a mapping: anything may be in it.
    if (name.ends_with("lock.mdb")) {
      for (char& octet : octets) octet = static_cast<char>(random());
    }
    write_file(folder + "/" + name, octets);
  }
}

void Disk::write_whole(const std::string& folder) const {
  Names names = durable_names_;
  for (const NameStep& step : steps_) apply_step(names, step);
  for (const auto& [name, number] : names) {
    const File& file = files_[number];
    std::string octets = file.durable;
    for (const auto& [sector, versions] : file.pending) {
      for (const Version& version : versions) apply(octets, sector, version);
    }
    octets.resize(file.sizes.empty() ? file.durable_size : file.sizes.back().second);
    write_file(folder + "/" + name, octets);
  }
}

}  // namespace twinpost::powercut
