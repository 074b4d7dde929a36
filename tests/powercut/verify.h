// Whether a store on an image holds what was acknowledged before the power went.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/powercut/image.h"
#include "tests/powercut/model.h"

namespace twinpost::powercut {

// What was announced and acknowledged up to some event of a trace.
class History {
 public:
  void take(const Trace::Entry& entry);  // the trace's next event

  struct Account {
    Model acknowledged;
    std::optional<Operation> in_flight;  // may have been done, or not: but wholly
    unsigned operations = 0;
  };
  [[nodiscard]] const std::vector<Account>& accounts() const { return accounts_; }
  [[nodiscard]] bool ready() const { return ready_; }

 private:
  std::vector<Account> accounts_;
  bool ready_ = false;
};

// Opens the store in `folder` as after a boot. Empty where all is well, else one line that says
// what is wrong. To be called in a process of its own: a store whose pages are not what they
// should be may end it.
[[nodiscard]] std::string find_fault(const std::string& folder, const History& history);

}  // namespace twinpost::powercut
