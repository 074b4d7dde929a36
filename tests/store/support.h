// What the store's tests share: a temporary folder, a store in it, messages, and an executor with
// real threads.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <doctest/doctest.h>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <stdlib.h>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/base/executor.h"
#include "core/base/inline_executor.h"
#include "store/prepare.h"
#include "store/store.h"

namespace twinpost::store::test {

class TempFolder {
 public:
  TempFolder() {
    const char* base = std::getenv("TMPDIR");
    std::string path = std::string(base != nullptr ? base : "/tmp") + "/twinpost-store-XXXXXX";
    REQUIRE(::mkdtemp(path.data()) != nullptr);
    path_ = path;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string operator/(std::string_view name) const {
    return path_ + "/" + std::string(name);
  }

 private:
  std::string path_;
};

// Fails the test with the error's own words.
template <class T>
T must(Result<T> result) {
  if (!result) FAIL(to_string(result.error().code) << ": " << result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

template <class T>
std::optional<ErrorCode> code_of(const Result<T>& result) {
  if (result) return std::nullopt;
  return result.error().code;
}

inline StoreOptions options_for(const std::string& folder) {
  StoreOptions options;
  options.folder = folder;
  options.map_size_bytes = std::uint64_t{1} << 32;  // sanitizers want the rest of the address space
  options.reserve_bytes = 0;
  options.durable = false;
  options.max_readers = 128;
  return options;
}

inline PreparedMessagePtr prepared(std::string_view octets,
                                   const std::string& spool_folder = "/tmp") {
  Spool spool(spool_folder, 0);
  must(spool.append(octets));
  must(spool.finish());
  return must(prepare_message(std::move(spool)));
}

inline AppendRequest request_of(std::string_view octets) {
  AppendRequest request;
  request.message = prepared(octets);
  request.internal_date.time = UnixTime(std::chrono::seconds(1'700'000'000));
  return request;
}

// A small message that differs from every other by its number.
inline std::string mail_text(unsigned number, std::size_t body_octets = 20) {
  std::string text = "From: ann@example.org\r\nTo: bob@example.net\r\nSubject: number " +
                     std::to_string(number) + "\r\nMessage-ID: <" + std::to_string(number) +
                     "@example.org>\r\n\r\n";
  const std::size_t end = text.size() + body_octets;
  while (text.size() + 2 < end) {
    const std::size_t line = std::min<std::size_t>(70, end - text.size() - 2);
    text.append(line, static_cast<char>('a' + (number + text.size()) % 26));
    text += "\r\n";
  }
  return text;
}

inline std::string read_whole(const ReadView& view, const MessageRecord& record) {
  std::string out;
  must(view.read_message(record, 0, record.size, out));
  return out;
}

// A loop on the test's own thread, and real workers.
class ThreadExecutor final : public Executor {
 public:
  explicit ThreadExecutor(unsigned workers = 2) {
    for (unsigned i = 0; i < workers; ++i) {
      workers_.emplace_back([this] { work(); });
    }
  }
  ~ThreadExecutor() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    work_wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  void post(std::function<void()> function) override {
    {
      const std::lock_guard lock(mutex_);
      posted_.push_back(std::move(function));
    }
    loop_wake_.notify_one();
  }
  void run_on_worker(std::function<void()> job, std::function<void()> done) override {
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back({std::move(job), std::move(done)});
    }
    work_wake_.notify_one();
  }
  TimerId start_timer(Duration delay, std::function<void()> function) override {
    timers_.emplace(std::make_pair(std::chrono::steady_clock::now() + delay, ++next_timer_),
                    std::move(function));
    return next_timer_;
  }
  void cancel_timer(TimerId timer) override {
    std::erase_if(timers_, [timer](const auto& entry) { return entry.first.second == timer; });
  }

  // Runs the loop until `done()` says so. False where that takes longer than `most`.
  template <class Done>
  bool run_until(Done done, std::chrono::milliseconds most = std::chrono::seconds(60)) {
    const auto give_up = std::chrono::steady_clock::now() + most;
    while (!done()) {
      const auto now = std::chrono::steady_clock::now();
      if (now > give_up) return false;
      if (!timers_.empty() && timers_.begin()->first.first <= now) {
        timers_.extract(timers_.begin()).mapped()();
        continue;
      }
      std::function<void()> next;
      {
        std::unique_lock lock(mutex_);
        if (posted_.empty()) loop_wake_.wait_for(lock, std::chrono::milliseconds(5));
        if (posted_.empty()) continue;
        next = std::move(posted_.front());
        posted_.pop_front();
      }
      next();
    }
    return true;
  }

 private:
  struct Job {
    std::function<void()> job;
    std::function<void()> done;
  };
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      work_wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      Job job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job.job();
      post(std::move(job.done));
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable loop_wake_;
  std::condition_variable work_wake_;
  std::deque<std::function<void()>> posted_;
  std::deque<Job> jobs_;
  std::map<std::pair<std::chrono::steady_clock::time_point, TimerId>, std::function<void()>>
      timers_;
  TimerId next_timer_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

// A store without a loop, with one account, for tests that block.
struct Fixture {
  TempFolder folder;
  InlineExecutor executor;
  StoreOptions options = options_for(folder / "store");
  std::unique_ptr<Store> store;
  AccountId account;
  MailboxKey inbox;

  template <class F>
  auto read(F function) {
    return must(store->read_now(std::move(function)));
  }
  template <class F>
  auto write(F function) {
    return must(store->write_now(std::move(function)));
  }
  Fixture() { open(); }
  void open() {
    store = must(Store::open(options, executor));
    account = write([](WriteTxn& txn) { return txn.ensure_account("ann@example.org"); }).id;
    inbox = {account,
             read([&](const ReadView& view) { return view.find_mailbox(account, "INBOX"); }).id};
  }
  void reopen() {
    store.reset();
    open();
  }

  Appended append(std::string_view octets) { return append(inbox, request_of(octets)); }
  Appended append(MailboxKey key, const AppendRequest& request) {
    return write([&](WriteTxn& txn) { return txn.append(key, request); });
  }
  MailboxKey create(std::string_view name) {
    const MailboxInfo info =
        write([&](WriteTxn& txn) { return txn.create_mailbox(account, name, SpecialUse::kNone); });
    return {account, info.id};
  }
  MailboxInfo info(MailboxKey key) {
    return read([&](const ReadView& view) { return view.mailbox(key); });
  }
  MessageRecord message(MailboxKey key, Uid uid) {
    return read([&](const ReadView& view) { return view.message(key, uid); });
  }
  std::string text(MailboxKey key, Uid uid) {
    return read([&](const ReadView& view) -> Result<std::string> {
      auto record = view.message(key, uid);
      if (!record) return tl::unexpected(record.error());
      return read_whole(view, *record);
    });
  }
};

}  // namespace twinpost::store::test
