// What age does to a store: how fast it takes mail, and how large its file is, new and after its
// content was exchanged several times.
//
//   ageing [--folder FOLDER] [--live-mib N] [--turnovers N] [--threads N] [--compression] [--seed N]
//          [--check] [--size-limit FACTOR]
//
// Messages are of a realistic mix of sizes (70 % of 4-16 KB, 25 % of 16-100 KB, 5 % of 1 MB), all
// different, their text like base64. The store is filled; then new ones are appended and as many
// removed (half of them the oldest, half any) until so often what is live was written. Every
// commit is durable, and with retention 0 the reaper follows the removals. Throughput is that of
// several threads that append without a pause, the median of some slices: while the store is
// filled, and at the end into the pages that removals have left.
//
// Live data are the octets of bodies and summaries as they are stored, and of the records. With
// --check the exit status is 1 where aged throughput is not within 35 % of fresh, or the file not
// within 10 % of live data; with --size-limit, where it is larger than so many times live data,
// however fast it is.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <random>
#include <thread>
#include <vector>

#include "core/base/inline_executor.h"
#include "store/prepare.h"
#include "store/records.h"
#include "store/store.h"

namespace twinpost {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kMebibyte = 1024 * 1024;
constexpr std::uint64_t kSlices = 32;  // the live content in so many pieces
constexpr std::size_t kMeasured = 7;   // slices of which the median counts
constexpr double kSlowest = 0.65;      // aged against fresh
constexpr double kLargest = 1.10;      // file against live data
constexpr auto kReaperPatience = std::chrono::minutes(2);

struct Options {
  std::string folder;
  std::uint64_t live_mib = 400;
  unsigned turnovers = 6;
  unsigned threads = 16;
  std::uint64_t seed = 1;
  bool compression = false;
  bool check = false;
  double size_limit = 0;  // 0: none
};

[[noreturn]] void give_up(const Error& error) {
  std::fprintf(stderr, "ageing: %s\n", error.message.c_str());
  std::exit(2);
}
template <class T>
T must(Result<T> result) {
  if (!result) give_up(result.error());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

std::string make_text(std::mt19937_64& random) {
  const std::uint64_t kind = random() % 100;
  std::size_t octets = 1'000'000;
  if (kind < 70) octets = 4'000 + random() % 12'000;
  if (kind >= 70 && kind < 95) octets = 16'000 + random() % 84'000;
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text =
      "From: Sam <sam@example.net>\r\nTo: Ann <ann@example.org>\r\nSubject: number " +
      std::to_string(random()) + "\r\nDate: Mon, 5 Jan 2026 10:00:00 +0000\r\nMessage-ID: <" +
      std::to_string(random()) +
      "@example.net>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n";
  text.reserve(octets + 80);
  while (text.size() < octets) {
    for (int word = 0; word < 7; ++word) {
      std::uint64_t bits = random();
      for (int i = 0; i < 10; ++i, bits >>= 6) text += kDigits[bits & 63];
    }
    text += "\r\n";
  }
  return text;
}

// What a message adds to the live data: its octets as stored, and its records with their keys.
std::uint64_t live_octets(const store::PreparedMessage& message,
                          const store::MessageRecord& record) {
  constexpr std::uint64_t kMessageKey = 12;
  constexpr std::uint64_t kBlobKey = 8;
  constexpr std::uint64_t kBlobName = 32 + 16;
  store::BlobRow blob;
  return message.body.octets.size() + message.summary.size() + kMessageKey +
         store::encode_message("", record).size() + kBlobKey + store::encode_blob("", blob).size() +
         kBlobName;
}

struct Live {
  store::Uid uid;
  std::uint64_t octets = 0;
};

class Bench {
 public:
  explicit Bench(const Options& options)
      : options_(options), random_(options.seed), target_(options.live_mib * kMebibyte) {
    store::StoreOptions store_options;
    store_options.folder = options.folder;
    store_options.reserve_bytes = 0;
    store_options.retention = std::chrono::seconds(0);
    store_options.compression = options.compression;
    store_ = must(store::Store::open(store_options, executor_));
    inbox_ = must(store_->write_now([](store::WriteTxn& txn) -> Result<store::MailboxKey> {
      auto account = txn.ensure_account("ann@example.org");
      if (!account) return tl::unexpected(account.error());
      auto inbox = txn.find_mailbox(account->id, "INBOX");
      if (!inbox) return tl::unexpected(inbox.error());
      return store::MailboxKey{account->id, inbox->id};
    }));
  }

  bool run() {
    std::vector<double> fresh;
    while (live_octets_ < target_) fresh.push_back(append(slice()));
    // The first ones go into a file that has hardly a tree.
    if (fresh.size() > kMeasured) fresh.erase(fresh.begin(), fresh.end() - kMeasured);
    report("fresh", fresh);

    const std::uint64_t begin = written_;
    while (written_ - begin < options_.turnovers * target_) {
      remove(target_ / kSlices);
      append(slice());
    }
    std::vector<double> aged;
    for (std::size_t i = 0; i < kMeasured; ++i) {
      remove(target_ / kSlices);
      aged.push_back(append(slice()));
    }
    report("aged", aged);
    return judge(median(fresh), median(aged));
  }

 private:
  using Slice = std::vector<store::AppendRequest>;

  // Made before the clock runs.
  Slice slice() {
    Slice requests;
    for (std::uint64_t octets = 0; octets < target_ / kSlices;) {
      store::Spool spool(store_->spool_folder(), 0);
      must(spool.append(make_text(random_)));
      must(spool.finish());
      store::AppendRequest request;
      request.message = must(store::prepare_message(std::move(spool), store_->coder()));
      request.prefix = "Return-Path: <sam@example.net>\r\nDelivered-To: ann@example.org\r\n";
      request.internal_date.time = unix_now();
      octets += request.message->body.octets.size();
      requests.push_back(std::move(request));
    }
    return requests;
  }

  // Messages a second.
  double append(const Slice& requests) {
    std::vector<Live> done(requests.size());
    std::atomic<std::size_t> next = 0;
    const auto began = Clock::now();
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < options_.threads; ++t) {
      threads.emplace_back([&] {
        for (std::size_t i = next++; i < requests.size(); i = next++) {
          done[i].uid = must(store_->write_now([&](store::WriteTxn& txn) {
                          return txn.append(inbox_, requests[i]);
                        })).uid;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    const std::chrono::duration<double> took = Clock::now() - began;
    account_for(requests, done);
    return static_cast<double>(requests.size()) / took.count();
  }

  void account_for(const Slice& requests, std::vector<Live>& done) {
    must(store_->read_now([&](const store::ReadView& view) -> Result<void> {
      for (std::size_t i = 0; i < done.size(); ++i) {
        auto record = view.message(inbox_, done[i].uid);
        if (!record) return tl::unexpected(record.error());
        done[i].octets = live_octets(*requests[i].message, *record);
        live_octets_ += done[i].octets;
        written_ += done[i].octets;
      }
      return {};
    }));
    live_.insert(live_.end(), done.begin(), done.end());
  }

  // And waits until the reaper has taken the octets away.
  void remove(std::uint64_t octets) {
    std::vector<store::Uid> uids;
    for (std::uint64_t gone = 0; gone < octets && !live_.empty();) {
      const bool oldest = uids.size() % 2 == 0;
      const auto chosen =
          live_.begin() + (oldest ? 0 : static_cast<std::ptrdiff_t>(random_() % live_.size()));
      gone += chosen->octets;
      live_octets_ -= chosen->octets;
      uids.push_back(chosen->uid);
      live_.erase(chosen);
    }
    must(store_->write_now([&](store::WriteTxn& txn) -> Result<void> {
      auto done = txn.expunge(inbox_, uids, store::Remover{"bench", "admin", ""});
      if (!done) return tl::unexpected(done.error());
      return {};
    }));
    removed_ += uids.size();
    const auto give_up_at = Clock::now() + kReaperPatience;
    while (store_->figures().reaped_blobs < removed_) {
      if (Clock::now() > give_up_at) {
        give_up({ErrorCode::kTimeout, "the reaper does not come to an end"});
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  [[nodiscard]] std::uint64_t file_octets() const {
    return std::filesystem::file_size(options_.folder + "/data.mdb");
  }

  static double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  }

  void report(const char* age, const std::vector<double>& rates) {
    const store::StoreSpace space = must(store_->space());
    const auto mib = [](std::uint64_t octets) {
      return static_cast<double>(octets) / static_cast<double>(kMebibyte);
    };
    std::printf(
        "%-5s  %6.0f messages/s (%.0f-%.0f)  %6zu messages  live %7.1f MiB  file %7.1f MiB, "
        "of it free %.1f  file/live %.3f\n",
        age, median(rates), *std::min_element(rates.begin(), rates.end()),
        *std::max_element(rates.begin(), rates.end()), live_.size(), mib(live_octets_),
        mib(file_octets()), mib(space.free_octets),
        static_cast<double>(file_octets()) / static_cast<double>(live_octets_));
    std::fflush(stdout);
  }

  bool judge(double fresh, double aged) const {
    const double speed = aged / fresh;
    const double size = static_cast<double>(file_octets()) / static_cast<double>(live_octets_);
    const bool well = speed >= kSlowest && size <= kLargest;
    std::printf(
        "after %u turnovers: throughput %.2f of fresh (at least %.2f), file %.3f of live data "
        "(at most %.2f): %s\n",
        options_.turnovers, speed, kSlowest, size, kLargest, well ? "good" : "NOT good");
    const bool too_large = options_.size_limit > 0 && size > options_.size_limit;
    if (too_large) std::printf("the file is larger than %.2f of live data\n", options_.size_limit);
    return !too_large && (well || !options_.check);
  }

  const Options& options_;
  InlineExecutor executor_;
  std::mt19937_64 random_;
  std::uint64_t target_;
  std::unique_ptr<store::Store> store_;
  store::MailboxKey inbox_{};
  std::deque<Live> live_;
  std::uint64_t live_octets_ = 0;
  std::uint64_t written_ = 0;
  std::uint64_t removed_ = 0;
};

}  // namespace
}  // namespace twinpost

int main(int argc, char** argv) {
  twinpost::Options options;
  CLI::App app("Measures what age does to a store");
  app.add_option("--folder", options.folder, "Where the store is made; none: a temporary one");
  app.add_option("--live-mib", options.live_mib, "How much mail is in it at a time")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--turnovers", options.turnovers, "How often that is exchanged")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  app.add_option("--threads", options.threads, "That append at the same time")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Of the messages")->capture_default_str();
  app.add_flag("--compression", options.compression, "Bodies are compressed");
  app.add_flag("--check", options.check, "Exit status 1 where it aged too much");
  app.add_option("--size-limit", options.size_limit,
                 "Exit status 1 where the file is larger than so many times live data");
  CLI11_PARSE(app, argc, argv);
  std::string temporary;
  if (options.folder.empty()) {
    const char* base = std::getenv("TMPDIR");
    temporary = std::string(base != nullptr ? base : "/tmp") + "/twinpost-ageing-XXXXXX";
    if (::mkdtemp(temporary.data()) == nullptr) {
      std::perror(temporary.c_str());
      return 2;
    }
    options.folder = temporary + "/store";
  }
  const bool well = twinpost::Bench(options).run();
  if (!temporary.empty()) std::filesystem::remove_all(temporary);
  return well ? 0 : 1;
}
