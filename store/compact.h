// `twinpost compact`: the data file written anew without its free pages, while everything goes on.
//
// Copied from a snapshot; then what was changed meanwhile is carried over, again and again, until it
// is little; the rest between two transactions of the writer, when the copy takes the file's place.
// Any thread but the loop's and the writer's.
#pragma once

#include <functional>
#include <string>

#include "core/base/error.h"
#include "store/engine/engine.h"
#include "store/store.h"

namespace twinpost::store {

// Runs a function on the writer's thread while there is no transaction, and waits for it.
using BetweenTransactions =
    std::function<Result<void>(const std::function<Result<void>()>& function)>;

// kDiskFull where the disk has no room for the copy beside the file.
[[nodiscard]] Result<Store::Compacted> compact_environment(engine::Environment& environment,
                                                           const std::string& folder,
                                                           const BetweenTransactions& between,
                                                           const Progress& progress);

}  // namespace twinpost::store
