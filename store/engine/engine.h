// The engine seam: an ordered, transactional key-value engine, as the store needs it.
//
// Named tables of (key, value), keys ordered by their octets; any number of read transactions, each
// on a fixed snapshot that no writer disturbs; one write transaction at a time. The store above
// never learns which engine it is. The one that is built in (lmdb_engine.cc) is embedded and maps
// its file into memory.
//
// What callers must hold to:
//   - keys are 1..kMaxKeyOctets octets, values up to kMaxValueOctets (one page);
//   - what a get() or a cursor returns points into the engine: it is good until the transaction
//     ends and, in a write transaction, only until its next put, append or erase;
//   - a cursor goes before its transaction, a transaction before its environment;
//   - a read transaction may change threads, but is used by one at a time; a write transaction
//     stays on its thread.
//
// Errors: kDiskFull (disk or map), kIo, kCorrupt, kLimit (readers), kInternal. A write transaction
// in which a put or erase failed can only be rolled back.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace twinpost::engine {

inline constexpr std::size_t kMaxKeyOctets = 511;
// Fills exactly one 4096-octet page with the engine's 16-octet header. Longer values would need
// neighbouring free pages, which an aged file has few of.
inline constexpr std::size_t kMaxValueOctets = 4080;

// What a compaction that was cut short leaves; whoever opens the folder for writing removes it.
inline constexpr const char* kCompactionFolder = "compact.tmp";

// A table of one environment, from Environment::open_table().
using Table = unsigned;

class Cursor {
 public:
  virtual ~Cursor() = default;
  // Each moves and says whether there is an entry where it went; key() and value() are its, then.
  [[nodiscard]] virtual Result<bool> seek(
      std::string_view key) = 0;  // the first entry not below `key`
  [[nodiscard]] virtual Result<bool> next() = 0;
  [[nodiscard]] virtual Result<bool> last() = 0;

  [[nodiscard]] std::string_view key() const { return key_; }
  [[nodiscard]] std::string_view value() const { return value_; }

 protected:
  std::string_view key_;
  std::string_view value_;
};

class ReadTxn {
 public:
  virtual ~ReadTxn() = default;
  [[nodiscard]] virtual Result<std::optional<std::string_view>> get(Table table,
                                                                    std::string_view key) const = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<Cursor>> cursor(Table table) const = 0;
  // The number of the commit that this transaction sees; in a write transaction, of the commit that
  // it will be.
  [[nodiscard]] virtual std::uint64_t id() const = 0;
  // A hint: these values (from this transaction) are about to be read, fetch them from the disk
  // together.
  virtual void will_read(std::span<const std::string_view> values) const = 0;
};

class WriteTxn : public ReadTxn {
 public:
  [[nodiscard]] virtual Result<void> put(Table table, std::string_view key,
                                         std::string_view value) = 0;
  // As put, for a key above every other in its table (kInternal otherwise): fills pages to their
  // end.
  [[nodiscard]] virtual Result<void> append(Table table, std::string_view key,
                                            std::string_view value) = 0;
  // Says whether it was there.
  [[nodiscard]] virtual Result<bool> erase(Table table, std::string_view key) = 0;
  // How many puts, appends and erases there were so far.
  [[nodiscard]] virtual std::uint64_t changes() const = 0;
  // Durable when it returns. Ends the transaction whatever it returns: on an error nothing of it
  // remains. A transaction that is destroyed without a commit is rolled back.
  [[nodiscard]] virtual Result<void> commit() = 0;
};

struct Options {
  std::string folder;  // exists
  std::uint64_t map_size_bytes = std::uint64_t{1} << 40;
  unsigned max_readers = 1024;
  unsigned max_tables = 64;
  bool read_only = false;
  bool durable = true;
  // Read-only and no writer has the folder: then nobody vouches for a data file that is shorter
  // than it says.
  bool unattended = false;
};

struct Stats {
  std::uint64_t page_octets = 0;
  std::uint64_t map_octets = 0;
  std::uint64_t used_pages = 0;  // high-water mark of the file
  std::uint64_t free_pages =
      0;  // of those, free to be written again (some only when readers have gone)
  std::uint64_t last_commit = 0;
  std::uint64_t oldest_reader =
      0;  // commit that this process's oldest reader sees; last_commit where none reads
  unsigned readers = 0;  // slots in use, all processes
  unsigned max_readers = 0;
};

// A copy of the data file without its free pages, on its way to take the place of the file. Given up
// where it is destroyed before it took over.
class Compaction {
 public:
  virtual ~Compaction() = default;
  // Brings what was committed since into the copy; returns how many entries that were. One thread at
  // a time, not the writer's with a transaction open.
  [[nodiscard]] virtual Result<std::uint64_t> catch_up() = 0;
  // Catches up, makes the copy durable and puts it in the file's place. Writer thread, no write
  // transaction. Waits for running readers to end, and lets none begin meanwhile: kInUse where one
  // goes on for longer than five seconds. Commits are counted anew from here on. On kIo with
  // nothing open any more (every later call fails), the folder must be opened again.
  [[nodiscard]] virtual Result<void> take_over() = 0;
};

class Environment {
 public:
  virtual ~Environment() = default;

  // Copies what is committed now, with progress in octets, and remembers what is changed from now
  // on. Blocking; a reader that lives as long as the copying takes. Once at a time (kInUse). The
  // copy is made in `kCompactionFolder` below the environment's folder.
  using CopyProgress = std::function<bool(std::uint64_t done, std::uint64_t total)>;
  [[nodiscard]] virtual Result<std::unique_ptr<Compaction>> begin_compaction(
      const CopyProgress& progress) = 0;

  // nullopt where the table isn't there and `create` is false. Start-up only, before any other
  // thread has a transaction.
  [[nodiscard]] virtual Result<std::optional<Table>> open_table(const std::string& name,
                                                                bool create) = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<ReadTxn>> begin_read() = 0;  // any thread
  [[nodiscard]] virtual Result<std::unique_ptr<WriteTxn>>
  begin_write() = 0;  // waits for the other writer

  // The commit that the oldest running read transaction of this process sees; nullopt where there
  // is none. Any thread.
  [[nodiscard]] virtual std::optional<std::uint64_t> oldest_reader() const = 0;
  // Walks the list of free pages: not for every second call. Any thread.
  [[nodiscard]] virtual Result<Stats> stats() = 0;
  // Frees the reader slots of processes that died. At start and now and then. Any thread. Returns
  // how many.
  [[nodiscard]] virtual Result<unsigned> release_dead_readers() = 0;
};

// Opens the built-in engine. kInUse where this process has the folder open already, kCorrupt where
// the data file is no data file or shorter than it says it is. Descriptors are close-on-exec. Don't
// use across fork().
[[nodiscard]] Result<std::unique_ptr<Environment>> open_environment(const Options& options);

// `if (!result) return failed(result);`
template <class T>
[[nodiscard]] tl::unexpected<Error> failed(Result<T>& result) {
  return tl::unexpected<Error>(std::move(result.error()));
}

}  // namespace twinpost::engine
