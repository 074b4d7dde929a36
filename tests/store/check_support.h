// A check of a store that is closed, with the engine alone under it.
#pragma once

#include <string>

#include "store/check_access.h"
#include "store/disk_reserve.h"
#include "tests/store/consistency.h"
#include "tests/store/support.h"

namespace twinpost::store::test {

inline CheckReport check_closed(const std::string& folder, CheckOptions options = {},
                                const BodyCoder& coder = BodyCoder::plain()) {
  RawStore raw(folder);
  DiskReserve reserve(folder, 0, *raw.environment);
  CheckAccess access{*raw.environment,     raw.tables,        coder, 0,
                     folder + "/data.mdb", folder + "/spool", {}};
  {
    auto txn = must(raw.environment->begin_read());
    const auto value = must(txn->get(raw.tables.meta, kStoreKey));
    REQUIRE(value.has_value());
    access.store_id = must(decode_store(kStoreKey, *value)).store_id;
  }
  access.write = [&](const CheckAccess::Change& change) -> Result<void> {
    auto txn = raw.environment->begin_write();
    if (!txn) return engine::failed(txn);
    Batch batch(**txn, raw.tables, reserve, coder);
    auto done = change(batch);
    if (done) done = batch.finish();
    if (done) done = (*txn)->commit();
    return done;
  };
  return must(check_store(access, options, {}));
}

inline CheckReport repair_closed(const std::string& folder,
                                 const BodyCoder& coder = BodyCoder::plain()) {
  CheckOptions options;
  options.repair = true;
  return check_closed(folder, options, coder);
}

inline std::string told(const CheckReport& report) {
  std::string text;
  for (const CheckProblem& problem : report.details) {
    text += problem.where + ": " + problem.what + (problem.repaired ? " (repaired)\n" : "\n");
  }
  return text;
}

inline bool tells(const CheckReport& report, const std::string& where, const std::string& what) {
  for (const CheckProblem& problem : report.details) {
    if (problem.where.find(where) != std::string::npos &&
        problem.what.find(what) != std::string::npos) {
      return true;
    }
  }
  return false;
}

}  // namespace twinpost::store::test
