// Rewriting the bodies that are not kept as today's settings say: with another key, in plain, not compressed.
//
// One body after the other is read in short slices, made anew, and put in the old one's place in small transactions
// of the writer, some bodies each; deliveries and sessions go on meanwhile and see the same octets before and after.
// A second run goes on where one that was ended stopped, and finds nothing to do after one that was not. Bodies that
// are being reaped are left: nobody can read them, and they go.
//
// What the old form took stays in free pages of the data file until they are written again, or the file is compacted.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/base/error.h"
#include "store/batch.h"
#include "store/body_codec.h"
#include "store/engine/engine.h"
#include "store/store.h"
#include "store/tables.h"

namespace twinpost::store {

struct RecodeAccess {
  using Change = std::function<Result<void>(Batch&)>;

  engine::Environment& environment;
  const Tables& tables;
  const BodyCoder& coder;
  std::string spool_folder;
  // Runs a change on the writer thread, in a transaction, and waits for its commit; may run it twice.
  std::function<Result<void>(const Change&)> write;
};

// Blocking; not on the writer's thread. Returns how many bodies were rewritten, and forgets the keys (key_proofs.h)
// that no body needs any more. Bodies that can't be read are left and logged; kCorrupt at the end says how many, and
// no key is forgotten then that could be theirs. kShutdown where `progress` says so; kDiskFull below the reserve.
[[nodiscard]] Result<std::uint64_t> recode_all(const RecodeAccess& access,
                                               const Progress& progress);

}  // namespace twinpost::store
