// Every invariant of a store that is closed, checked table by table: for the ends of the model and
// crash tests.
#pragma once

#include <string>
#include <vector>

#include "store/engine/engine.h"
#include "store/tables.h"

namespace twinpost::store::test {

// The engine of a closed store, with its tables, for tests that look below the seam or damage
// something there.
struct RawStore {
  explicit RawStore(const std::string& folder);
  std::unique_ptr<engine::Environment> environment;
  Tables tables;

  // Replaces a value.
  void put(engine::Table table, std::string_view key, std::string_view value);
  void erase(engine::Table table, std::string_view key);
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> all(engine::Table table);
};

// One line for each thing that is wrong; empty where all is well.
[[nodiscard]] std::vector<std::string> inconsistencies(const std::string& folder);

}  // namespace twinpost::store::test
