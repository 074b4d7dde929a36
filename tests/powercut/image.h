// What a disk may hold after the power went at some moment of a trace.
//
// The rules, those of a page cache over a disk that tells the truth about its syncs:
//   - a write is on the disk once a sync of its file that began after it has returned, or, for a
//     descriptor with O_DSYNC, once it has returned itself (with what the cache holds of the same
//     sectors);
//   - of the others before the moment each unit (a 512-octet sector, or a 4096-octet page) is on
//     the disk as it was after any one of them, or after none; the file's size likewise, and
//     zeros are where a file was made longer and nothing was written;
//   - names are given, changed and taken in their order; after the last sync of the folder any
//     number of these steps may be missing. A new file's own sync makes its name durable too, as
//     every journaling file system of Linux has it.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/powercut/trace.h"

namespace twinpost::powercut {

// A trace in memory.
class Trace {
 public:
  struct Entry {
    TraceEvent event;
    std::string_view octets;
  };
  // Exits the program where the file is no trace.
  explicit Trace(const std::string& path);
  ~Trace();
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

 private:
  char* mapped_ = nullptr;
  std::size_t size_ = 0;
  std::vector<Entry> entries_;
};

// What a wrong world forgets: a disk, or a setting, that does not keep what it says.
enum class Forgotten : std::uint8_t {
  kNothing,
  kSynchronousWrites,  // O_DSYNC does nothing
};

// The disk while the trace goes on.
class Disk {
 public:
  explicit Disk(Forgotten forgotten) : forgotten_(forgotten) {}

  void take(const Trace::Entry& entry);  // the trace's next event

  // The power goes now: writes one of the possible outcomes into `folder`.
  void write_image(const std::string& folder, std::mt19937_64& random) const;
  // Everything reaches the disk.
  void write_whole(const std::string& folder) const;

 private:
  static constexpr std::uint64_t kSector = 512;
  struct Version {
    std::uint64_t number = 0;  // of the event
    std::uint64_t offset = 0;
    std::string_view octets;
  };
  struct File {
    std::string durable;  // octets, without the pending writes
    std::uint64_t durable_size = 0;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> sizes;  // pending: event, size
    std::map<std::uint64_t, std::vector<Version>> pending;       // by sector
    bool name_is_durable = false;
  };
  struct NameStep {
    std::uint64_t number = 0;
    Event kind = Event::kCreate;
    std::uint32_t file = 0;
    std::string from;
    std::string to;
  };
  using Names = std::map<std::string, std::uint32_t>;

  static void apply(std::string& octets, std::uint64_t sector, const Version& version);
  static void apply_step(Names& names, const NameStep& step);
  void write(std::uint32_t file, const Version& version);
  void sync(std::uint32_t file, std::uint64_t before);
  void sync_range(std::uint32_t file, std::uint64_t write);
  [[nodiscard]] std::string outcome(const File& file, std::mt19937_64& random) const;

  Forgotten forgotten_;
  std::uint64_t events_ = 0;
  std::vector<File> files_;
  Names durable_names_;
  std::vector<NameStep> steps_;
};

}  // namespace twinpost::powercut
