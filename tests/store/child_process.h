// A test case of this same program, run in a process of its own: for what ends a process, or needs two. Such a test
// case is marked skip() and takes its arguments from child_argument().
#pragma once

#include <string>
#include <vector>

namespace twinpost::store::test {

class ChildProcess {
 public:
  ChildProcess(const std::string& test_case, const std::vector<std::string>& arguments);
  ~ChildProcess();  // kills it, if it is still there
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // The exit status, or minus the signal that ended it.
  int wait();
  void kill();
  // What the child writes to child_pipe(): waits for more, empty at its end.
  std::string read();

 private:
  int pid_ = -1;
  int pipe_ = -1;
};

// In the child.
[[nodiscard]] std::string child_argument(unsigned index);
inline constexpr int kChildPipe = 3;

}  // namespace twinpost::store::test
