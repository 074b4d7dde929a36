// The power goes while the store is written to: every acknowledged change is there afterwards.
//
//   powercut [--images N] [--seed N] [--threads N] [--operations N] [--keep FOLDER]
//
// A load runs in a process whose writes and syncs are traced (trace.h). The trace is cut at
// random moments, and for each moment one of the disks that could be left is made (image.h): what
// was synced is there, of the rest a random part. A store is opened on it, and must hold what was
// acknowledged until then (verify.h).
//
// The test must be able to fail: the same is done in two worlds that forget what they were told
// to keep, a disk that takes no notice of O_DSYNC and a store that does not sync at all. Each
// must lose acknowledged changes within the same number of images.
#define DOCTEST_CONFIG_IMPLEMENT
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/powercut/image.h"
#include "tests/powercut/load.h"
#include "tests/powercut/verify.h"

namespace twinpost::powercut {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kAtOnce = 2;  // images that are looked at

struct Options {
  unsigned images = 200;
  std::uint64_t seed = 0;
  unsigned threads = 6;
  unsigned operations = 500;
  std::string keep;  // where the image that failed first is left
};

// Memory where there is enough of it: images are written once and read once.
std::string working_folder() {
  struct statvfs disk {};
  const char* base = std::getenv("TMPDIR");
  const bool roomy = ::statvfs("/dev/shm", &disk) == 0 &&
                     disk.f_bavail * disk.f_frsize > std::uint64_t{2} * 1024 * 1024 * 1024;
  std::string path = roomy ? "/dev/shm" : base != nullptr ? base : "/tmp";
  path += "/twinpost-powercut-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) {
    std::perror(path.c_str());
    std::exit(2);
  }
  return fs::canonical(path);
}

struct Folder {
  std::string path = working_folder();
  Folder() = default;
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

// The load in a process of its own. False where it failed, which it has said.
bool run_load_process(const LoadOptions& load) {
  fs::create_directory(load.folder);
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(run_load(load));
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return false;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string contents_of(const fs::path& path) {
  std::string octets;
  FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return "unreadable";
  std::array<char, 65536> piece{};
  while (const std::size_t got = std::fread(piece.data(), 1, piece.size(), file)) {
    octets.append(piece.data(), got);
  }
  std::fclose(file);
  return octets;
}

// Every file but the engine's lock file, which it writes through a mapping.
std::map<std::string, std::string> contents_below(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file() || entry.path().filename() == "lock.mdb") continue;
    files[fs::relative(entry.path(), folder)] = contents_of(entry.path());
  }
  return files;
}

// A trace that lacks nothing leads to the folder that it was taken of.
bool trace_is_whole(const Trace& trace, const LoadOptions& load) {
  Disk disk(Forgotten::kNothing);
  for (const Trace::Entry& entry : trace.entries()) disk.take(entry);
  const std::string folder = load.folder + "-whole";
  disk.write_whole(folder);
  auto replayed = contents_below(folder);
  auto original = contents_below(load.folder);
  fs::remove_all(folder);
  if (replayed == original) return true;
  for (const auto& [name, octets] : original) replayed.try_emplace(name);
  for (const auto& [name, octets] : replayed) {
    const std::string& other = original[name];
    if (octets == other) continue;
    const auto differs = std::mismatch(octets.begin(), octets.end(), other.begin(), other.end());
    std::fprintf(stderr,
                 "the trace lacks something: %s has %zu octets, by the trace %zu, "
                 "different from %td on\n",
                 name.c_str(), other.size(), octets.size(), differs.first - octets.begin());
  }
  return false;
}

unsigned renames_in(const Trace& trace) {
  return static_cast<unsigned>(
      std::count_if(trace.entries().begin(), trace.entries().end(),
                    [](const auto& entry) { return entry.event.kind == Event::kRename; }));
}

// Moments of a trace, ascending: half of them anywhere, half right after an acknowledgement, when
// a promise is youngest.
std::vector<std::size_t> choose_moments(const Trace& trace, unsigned count,
                                        std::mt19937_64& random) {
  const auto& entries = trace.entries();
  std::size_t ready = 0;
  std::vector<std::size_t> promises;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].event.kind != Event::kMark) continue;
    if (entries[i].octets == kReady) ready = i + 1;
    if (entries[i].octets.starts_with("A")) promises.push_back(i + 1);
  }
  std::vector<std::size_t> moments;
  for (unsigned i = 0; i < count && !promises.empty(); ++i) {
    const bool anywhere = i % 2 == 0;
    moments.push_back(anywhere ? ready + random() % (entries.size() - ready + 1)
                               : promises[random() % promises.size()]);
  }
  std::sort(moments.begin(), moments.end());
  return moments;
}

// One image, and the process that looks at it.
class Look {
 public:
  Look(std::string folder, std::size_t moment, const History& history)
      : folder_(std::move(folder)), moment_(moment) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) std::exit(2);
    std::fflush(nullptr);
    child_ = ::fork();
    if (child_ < 0) std::exit(2);
    if (child_ == 0) {
      ::close(ends[0]);
      look(ends[1], history);
    }
    ::close(ends[1]);
    pipe_ = ends[0];
  }

  // Empty where all is well.
  std::string result() {
    std::string fault;
    std::array<char, 4096> piece{};
    for (ssize_t got = 0; (got = ::read(pipe_, piece.data(), piece.size())) > 0;) {
      fault.append(piece.data(), static_cast<std::size_t>(got));
    }
    ::close(pipe_);
    int status = 0;
    ::waitpid(child_, &status, 0);
    if (WIFSIGNALED(status)) {
      fault = "opening or reading the store ended by signal " + std::to_string(WTERMSIG(status));
    } else if (fault.empty() && WEXITSTATUS(status) != 0) {
      fault = "opening or reading the store ended its process";
    }
    return fault;
  }
  [[nodiscard]] const std::string& folder() const { return folder_; }
  [[nodiscard]] std::size_t moment() const { return moment_; }

 private:
  [[noreturn]] void look(int pipe, const History& history) const {
    std::string fault;
    doctest::Context context;  // for the assertions in what the store's tests share
    context.setAsDefaultForAssertsOutOfTestCases();
    try {
      fault = find_fault(folder_, history);
    } catch (...) {
      fault = "a table of the store can't be read";
    }
    (void)!::write(pipe, fault.data(), fault.size());
    ::_exit(fault.empty() ? 0 : 1);
  }

  std::string folder_;
  std::size_t moment_;
  pid_t child_ = -1;
  int pipe_ = -1;
};

struct Outcome {
  unsigned images = 0;
  unsigned faults = 0;
  std::string first;  // fault
};

// Looks at images of one trace. `stop_at_first`: of one that should have a fault, one is enough.
class Cutting {
 public:
  Cutting(const Options& options, const Trace& trace, std::string folder, Forgotten forgotten,
          bool stop_at_first)
      : options_(options),
        trace_(trace),
        folder_(std::move(folder)),
        disk_(forgotten),
        stop_at_first_(stop_at_first) {}

  Outcome run() {
    std::mt19937_64 random(options_.seed);
    const auto moments = choose_moments(trace_, options_.images, random);
    for (const std::size_t moment : moments) {
      if (stop_at_first_ && outcome_.faults > 0) break;
      cut(moment, random);
    }
    while (!looks_.empty()) finish_one();
    return outcome_;
  }

 private:
  void cut(std::size_t moment, std::mt19937_64& random) {
    for (; taken_ < moment; ++taken_) {
      disk_.take(trace_.entries()[taken_]);
      history_.take(trace_.entries()[taken_]);
    }
    if (looks_.size() == kAtOnce) finish_one();
    const std::string folder = folder_ + "-image" + std::to_string(outcome_.images++);
    disk_.write_image(folder, random);
    looks_.push_back(std::make_unique<Look>(folder, moment, history_));
  }

  void finish_one() {
    const std::unique_ptr<Look> look = std::move(looks_.front());
    looks_.erase(looks_.begin());
    const std::string fault = look->result();
    if (!fault.empty()) {
      if (outcome_.faults++ == 0) {
        outcome_.first = "power off before event " + std::to_string(look->moment()) + " of " +
                         std::to_string(trace_.entries().size()) + ": " + fault;
        if (!options_.keep.empty() && !stop_at_first_) keep(*look);
      }
    }
    fs::remove_all(look->folder());
  }

  void keep(const Look& look) const {
    std::error_code error;
    fs::copy(look.folder(), options_.keep, fs::copy_options::recursive, error);
    if (error) std::fprintf(stderr, "%s: %s\n", options_.keep.c_str(), error.message().c_str());
  }

  const Options& options_;
  const Trace& trace_;
  std::string folder_;
  Disk disk_;
  bool stop_at_first_;
  History history_;
  std::size_t taken_ = 0;
  std::vector<std::unique_ptr<Look>> looks_;
  Outcome outcome_;
};

// False where a promise was broken; says which.
bool keeps_its_promises(const Options& options, const Trace& trace, const LoadOptions& load) {
  const Outcome outcome = Cutting(options, trace, load.folder, Forgotten::kNothing, false).run();
  std::printf("%u images of a disk that keeps what is synced: %u faults\n", outcome.images,
              outcome.faults);
  if (outcome.faults > 0) std::printf("%s\n", outcome.first.c_str());
  return outcome.images > 0 && outcome.faults == 0;
}

// False where the test did not notice.
bool notices(const char* world, const Options& options, const Trace& trace, const LoadOptions& load,
             Forgotten forgotten) {
  const Outcome outcome = Cutting(options, trace, load.folder, forgotten, true).run();
  if (outcome.faults == 0) {
    std::printf("%s: no fault in %u images, so this test proves nothing\n", world, outcome.images);
    return false;
  }
  std::printf("%s is noticed after %u images: %s\n", world, outcome.images, outcome.first.c_str());
  return true;
}

bool run(const Options& options) {
  const Folder folder;
  LoadOptions load;
  load.folder = folder.path + "/load";
  load.trace = folder.path + "/trace";
  load.seed = options.seed;
  load.threads = options.threads;
  load.operations = options.operations;
  if (!run_load_process(load)) return false;
  {
    const Trace trace(load.trace);
    std::printf("%u operations of %u threads, %u compactions, %zu events, %zu octets of trace\n",
                load.operations * load.threads, load.threads, renames_in(trace),
                trace.entries().size(), static_cast<std::size_t>(fs::file_size(load.trace)));
    if (!trace_is_whole(trace, load) || !keeps_its_promises(options, trace, load) ||
        !notices("a disk without O_DSYNC", options, trace, load, Forgotten::kSynchronousWrites)) {
      return false;
    }
  }
  load.folder = folder.path + "/unsynced";
  load.trace = folder.path + "/unsynced-trace";
  load.operations = std::max(options.operations / 4, 1U);
  load.durable = false;
  if (!run_load_process(load)) return false;
  const Trace trace(load.trace);
  return trace_is_whole(trace, load) &&
         notices("a store that does not sync", options, trace, load, Forgotten::kNothing);
}

}  // namespace
}  // namespace twinpost::powercut

int main(int argc, char** argv) {
  using namespace twinpost::powercut;
  Options options;
  options.seed = std::random_device()();
  CLI::App app("Cuts the power of a running store and looks at what is left");
  app.add_option("--images", options.images, "How many disks are looked at")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--seed", options.seed, "Of the load, the moments and the images");
  app.add_option("--threads", options.threads, "Of the load")->check(CLI::Range(1, 64));
  app.add_option("--operations", options.operations, "Of each thread")
      ->check(CLI::Range(1, 100'000));
  app.add_option("--keep", options.keep, "A new folder for the first image that has a fault");
  CLI11_PARSE(app, argc, argv);
  const auto began = std::chrono::steady_clock::now();
  const bool well = run(options);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf("seed %llu, %.0f s: %s\n", static_cast<unsigned long long>(options.seed),
              took.count(), well ? "nothing acknowledged was lost" : "FAILED");
  return well ? 0 : 1;
}
