// An operation of the admin socket at work: a thread of its own, watched from the loop.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "core/base/clock.h"
#include "core/base/executor.h"
#include "core/server/admin.h"
#include "core/server/admin_session.h"

namespace twinpost::server {

class AdminService::Operation : public std::enable_shared_from_this<AdminService::Operation> {
 public:
  Operation(Executor& loop, AdminJob job);
  ~Operation();  // end()s it
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  // Starts the thread. `wake` is called on the loop when there is progress to send, and at the end.
  // kLimit where the system has no thread for it.
  [[nodiscard]] Result<void> start(std::function<void()> wake);
  void cancel() { cancelled_ = true; }
  void end();  // cancels, and waits for the thread
  // The latest progress line that was not taken yet.
  [[nodiscard]] std::optional<std::string> take_progress();
  // Its latest progress line, taken or not.
  [[nodiscard]] std::string last_progress();
  [[nodiscard]] bool is_finished() const { return finished_; }
  // Once it is finished: the answer's line.
  [[nodiscard]] std::string take_answer() { return std::move(answer_); }
  [[nodiscard]] ErrorCode outcome() const { return code_; }
  [[nodiscard]] bool succeeded() const { return ok_; }

 private:
  void work() noexcept;
  [[nodiscard]] bool on_progress(std::string_view phase, std::uint64_t done, std::uint64_t total);

  Executor& loop_;
  AdminJob job_;
  std::function<void()> wake_;  // loop
  std::thread thread_;
  std::atomic<bool> cancelled_{false};
  bool finished_ = false;  // loop
  // The thread's, then, once it is finished, the loop's.
  std::string answer_;
  bool ok_ = false;
  ErrorCode code_ = ErrorCode::kInternal;
  SteadyTime told_{};
  std::mutex mutex_;
  std::string progress_;
  bool is_new_ = false;
};

}  // namespace twinpost::server
