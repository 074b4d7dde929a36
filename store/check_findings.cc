#include "store/check_findings.h"

#include <utility>

namespace twinpost::store {

namespace {
constexpr std::size_t kNotTold = ~std::size_t{0};
}

std::size_t Findings::tell(CheckProblem problem) {
  if (report_.details.size() >= most_) return kNotTold;
  report_.details.push_back(std::move(problem));
  return report_.details.size() - 1;
}

void Findings::add(Severity severity, std::string where, std::string what, const RepairUnit& unit) {
  ++report_.problems;
  const std::size_t detail = tell({severity, std::move(where), std::move(what), false});
  if (unit.kind == RepairUnit::Kind::kNone) return;
  Found& found = units_[unit];
  ++found.problems;
  if (detail != kNotTold) found.details.push_back(detail);
}

void Findings::add_unreadable(std::string where, std::string what, const RepairUnit& unit) {
  add(Severity::kMessage, std::move(where), std::move(what), unit);
  ++report_.unreadable_messages;
  if (unit.kind != RepairUnit::Kind::kNone) ++units_[unit].unreadable;
}

void Findings::note(std::string where, std::string what) {
  tell({Severity::kDerived, std::move(where), std::move(what), false});
}

void Findings::keep(std::string where, std::string what) {
  report_.details.push_back({Severity::kMessage, std::move(where), std::move(what), true});
}

void Findings::repaired(const RepairUnit& unit) {
  const auto found = units_.find(unit);
  if (found == units_.end()) return;
  for (const std::size_t detail : found->second.details) report_.details[detail].repaired = true;
  report_.repaired += found->second.problems;
  report_.unreadable_messages -= found->second.unreadable;
  units_.erase(found);
}

void Findings::lose_table(const std::string& table, const std::string& what) {
  lost_tables_ = true;
  add(Severity::kStore, table, what);
}

}  // namespace twinpost::store
