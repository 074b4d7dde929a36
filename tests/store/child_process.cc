#include "tests/store/child_process.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace twinpost::store::test {

namespace {
std::string variable(unsigned index) { return "TWINPOST_CHILD_" + std::to_string(index); }
}  // namespace

ChildProcess::ChildProcess(const std::string& test_case,
                           const std::vector<std::string>& arguments) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const std::string filter = "--test-case=" + test_case;
  for (unsigned i = 0; i < arguments.size(); ++i) {
    ::setenv(variable(i).c_str(), arguments[i].c_str(), 1);
  }
  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    // dup2 onto itself would leave it close-on-exec.
    if (ends[1] == kChildPipe) ::fcntl(kChildPipe, F_SETFD, 0);
    if (ends[1] != kChildPipe) ::dup2(ends[1], kChildPipe);
    ::execl("/proc/self/exe", "test_store", "--no-skip", filter.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  pipe_ = ends[0];
}

ChildProcess::~ChildProcess() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    wait();
  }
  ::close(pipe_);
}

int ChildProcess::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void ChildProcess::kill() { ::kill(pid_, SIGKILL); }

std::string ChildProcess::read() {
  std::array<char, 4096> buffer{};
  const ssize_t got = ::read(pipe_, buffer.data(), buffer.size());
  return got > 0 ? std::string(buffer.data(), static_cast<std::size_t>(got)) : std::string();
}

std::string child_argument(unsigned index) {
  const char* value = std::getenv(variable(index).c_str());
  REQUIRE(value != nullptr);
  return value;
}

}  // namespace twinpost::store::test
