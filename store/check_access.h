// What a check works on: the engine under an open store. The store's own call (Store::check) makes
// one.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "store/batch.h"
#include "store/check.h"
#include "store/engine/engine.h"
#include "store/store.h"
#include "store/tables.h"

namespace twinpost::store {

struct CheckAccess {
  using Change = std::function<Result<void>(Batch&)>;

  engine::Environment& environment;
  const Tables& tables;
  const BodyCoder& coder;
  std::uint64_t store_id = 0;
  // The engine's data file, whose pages are looked at before they are used; empty: they are
  // trusted.
  std::string data_file;
  std::string spool_folder;  // for temporary files of a repair
  // Runs a change on the writer thread, in a transaction, and waits for its commit; may run it
  // twice. Empty where the store is open for reading only.
  std::function<Result<void>(const Change&)> write;
};

// See Store::check(). Blocking; not on the writer's thread. Errors: kShutdown where `progress` says
// so, kPermission for a repair without `write`, kNotFound for an account that is not there, kIo and
// kLimit where no snapshot can be had.
[[nodiscard]] Result<CheckReport> check_store(const CheckAccess& access,
                                              const CheckOptions& options,
                                              const Progress& progress);

// The pages of a data file that nobody writes to, before it is opened at all: opening maps it, and
// a damaged page can end the process that follows it. One line for each thing that is wrong, at
// most `most` of them.
[[nodiscard]] Result<std::vector<std::string>> check_pages(const std::string& data_file,
                                                           std::size_t most,
                                                           const Progress& progress);

}  // namespace twinpost::store
