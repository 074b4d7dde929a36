// What a check has found so far, and what a repair would have to look at for it.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "store/check.h"
#include "store/engine/engine.h"

namespace twinpost::store {

// What is repaired at once, in one transaction; in this order: later ones build on earlier.
struct RepairUnit {
  enum class Kind : std::uint8_t {
    kNone,      // nothing can be done
    kCounters,  // the store's
    kBlobRow,   // the record of a body
    kMailbox,   // everything in it
    kEntry,     // one entry of `table`, under `key`
    kAccount,   // its row
    kName,      // an entry of a table of names
    kBlob,      // references, name and the reaper's list
    kSummary,
  };
  Kind kind = Kind::kNone;
  std::uint32_t account = 0;
  std::uint32_t mailbox = 0;
  std::uint64_t blob = 0;
  engine::Table table = 0;
  std::string key;
  friend auto operator<=>(const RepairUnit&, const RepairUnit&) = default;

  [[nodiscard]] static RepairUnit counters() { return of(Kind::kCounters); }
  [[nodiscard]] static RepairUnit of_account(std::uint32_t account) {
    return of(Kind::kAccount, account);
  }
  [[nodiscard]] static RepairUnit of_mailbox(std::uint32_t account, std::uint32_t mailbox) {
    return of(Kind::kMailbox, account, mailbox);
  }
  [[nodiscard]] static RepairUnit of_blob(Kind kind, std::uint64_t blob) {
    return of(kind, 0, 0, blob);
  }
  [[nodiscard]] static RepairUnit entry(engine::Table table, std::string_view key) {
    return {Kind::kEntry, 0, 0, 0, table, std::string(key)};
  }
  [[nodiscard]] static RepairUnit name(engine::Table table, std::string_view key) {
    return {Kind::kName, 0, 0, 0, table, std::string(key)};
  }

  static RepairUnit of(Kind kind, std::uint32_t account = 0, std::uint32_t mailbox = 0,
                       std::uint64_t blob = 0) {
    return {kind, account, mailbox, blob, 0, {}};
  }
};

class Findings {
 public:
  Findings(CheckReport& report, std::size_t most) : report_(report), most_(most) {}

  void add(Severity severity, std::string where, std::string what, const RepairUnit& unit = {});
  // The same; a message can't be read because of it.
  void add_unreadable(std::string where, std::string what, const RepairUnit& unit = {});
  // No problem.
  void note(std::string where, std::string what);
  // Told however many there are: what it says is nowhere else.
  void keep(std::string where, std::string what);

  struct Found {
    std::vector<std::size_t> details;
    std::uint64_t problems = 0;
    std::uint64_t unreadable = 0;
  };
  [[nodiscard]] const std::map<RepairUnit, Found>& units() const { return units_; }
  void repaired(const RepairUnit& unit);

  // A table, or a part of it, can't be read at all: what derives from it can't be made anew.
  void lose_table(const std::string& table, const std::string& what);
  [[nodiscard]] bool lost_tables() const { return lost_tables_; }

 private:
  std::size_t tell(CheckProblem problem);

  CheckReport& report_;
  std::size_t most_;
  std::map<RepairUnit, Found> units_;
  bool lost_tables_ = false;
};

}  // namespace twinpost::store
