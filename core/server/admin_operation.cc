#include "core/server/admin_operation.h"

#include <chrono>
#include <system_error>
#include <utility>

#include "core/base/exception_text.h"

namespace twinpost::server {

namespace {

using namespace std::chrono_literals;

constexpr auto kTellEvery = 250ms;  // admin.h: at most four a second

std::string line_of(const Json& json) {
  // Texts that are not UTF-8 can come from the store's names and the system's errors.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string progress_line(std::string_view phase, std::uint64_t done, std::uint64_t total) {
  return line_of(Json{{"progress", phase}, {"done", done}, {"total", total}});
}

}  // namespace

AdminService::Operation::Operation(Executor& loop, AdminJob job)
    : loop_(loop), job_(std::move(job)), progress_(progress_line("working", 0, 0)) {}

AdminService::Operation::~Operation() { end(); }

void AdminService::Operation::end() {
  cancel();
  if (thread_.joinable()) thread_.join();
}

Result<void> AdminService::Operation::start(std::function<void()> wake) {
  wake_ = std::move(wake);
  job_.progress = [this](std::string_view phase, std::uint64_t done, std::uint64_t total) {
    return on_progress(phase, done, total);
  };
  try {
    thread_ = std::thread([this] { work(); });
  } catch (const std::system_error& error) {
    return tl::unexpected(system_error("a thread for it", error.code().value()));
  }
  return {};
}

// This outlives the thread, which the destructor joins; but not what the thread posts, which may
// come after that.
void AdminService::Operation::work() noexcept {
  try {
    const Json answer = run_admin_operation(job_);
    ok_ = answer.value("ok", false);
    code_ = error_code_of(answer.value("code", std::string()));
    answer_ = line_of(answer);
  } catch (...) {
    const Error error{ErrorCode::kInternal, exception_text(std::current_exception())};
    ok_ = false;
    code_ = error.code;
    answer_ = line_of(admin_error(error));
  }
  job_.payload.reset();  // its file and memory, here and not on the loop
  loop_.post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) {
      self->finished_ = true;
      self->wake_();
    }
  });
}

bool AdminService::Operation::on_progress(std::string_view phase, std::uint64_t done,
                                          std::uint64_t total) {
  if (cancelled_) return false;
  const SteadyTime now = steady_now();
  if (now - told_ < kTellEvery) return true;
  told_ = now;
  {
    const std::lock_guard lock(mutex_);
    progress_ = progress_line(phase, done, total);
    is_new_ = true;
  }
  loop_.post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self && !self->finished_) self->wake_();
  });
  return true;
}

std::optional<std::string> AdminService::Operation::take_progress() {
  const std::lock_guard lock(mutex_);
  if (!std::exchange(is_new_, false)) return std::nullopt;
  return progress_;
}

std::string AdminService::Operation::last_progress() {
  const std::lock_guard lock(mutex_);
  return progress_;
}

}  // namespace twinpost::server
