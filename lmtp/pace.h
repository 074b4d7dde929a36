// How long to wait for the next piece of a message.
//
// Each wait has the idle time as its timeout; all of them together must not fall below a slow but
// honest line's speed, so that a client that sends an octet now and then cannot hold a session and
// its spool for ever.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/base/clock.h"
#include "core/base/executor.h"

namespace twinpost::lmtp {

class Pace {
 public:
  static constexpr std::uint64_t kOctetsPerSecond = 1024;
  static constexpr int kGraceTimes = 4;  // the idle time so often, before the speed counts

  explicit Pace(Duration idle_time, SteadyTime now = steady_now())
      : idle_time_(idle_time), began_(now) {}

  void count(std::uint64_t octets) { octets_ += octets; }

  // At least a millisecond, after which the wait fails with kTimeout.
  [[nodiscard]] Duration next_wait(SteadyTime now = steady_now()) const {
    const auto earned = std::chrono::seconds(octets_ / kOctetsPerSecond);
    const auto left =
        std::chrono::duration_cast<Duration>(began_ + kGraceTimes * idle_time_ + earned - now);
    return std::clamp(left, Duration(1), idle_time_);
  }

 private:
  Duration idle_time_;
  SteadyTime began_;
  std::uint64_t octets_ = 0;
};

}  // namespace twinpost::lmtp
