// Figures of the server as Prometheus reads them: the text exposition format, version 0.0.4. Pure;
// any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "store/store.h"

namespace twinpost::server {

inline constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

struct ServerFigures {
  struct OfService {
    std::string_view name;
    std::uint64_t open = 0;      // connections now
    std::uint64_t accepted = 0;  // since the start
  };
  std::vector<OfService> services;
  std::uint64_t refused = 0;        // connections that were one too many
  std::uint64_t accounts = 0;       // in accounts.json
  std::uint64_t uidls_changed = 0;  // that POP3 has listed as others than before
  UnixTime started{};
  std::chrono::milliseconds uptime{};
};

// Without the figures of the data file where those could not be had.
[[nodiscard]] std::string metrics_text(const ServerFigures& server,
                                       const store::StoreFigures& store,
                                       const std::optional<store::StoreSpace>& space);

}  // namespace twinpost::server
