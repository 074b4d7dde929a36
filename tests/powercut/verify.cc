#include "tests/powercut/verify.h"

#include <algorithm>
#include <iterator>
#include <sstream>

#include "core/base/inline_executor.h"
#include "tests/powercut/load.h"
#include "tests/powercut/store_options.h"
#include "tests/store/consistency.h"

namespace twinpost::powercut {

namespace {

using Lines = std::vector<std::string>;

std::string first_of(const Lines& all, const Lines& without) {
  Lines difference;
  std::set_difference(all.begin(), all.end(), without.begin(), without.end(),
                      std::back_inserter(difference));
  if (difference.empty()) return "nothing";
  return std::to_string(difference.size()) + " (one is: " + difference.front() + ")";
}

std::string compare(store::Store& store, unsigned thread, const History::Account& account) {
  const auto found = describe(store, thread);
  if (!found) return "can't be read: " + found.error().message;
  const Lines expected = account.acknowledged.lines();
  if (*found == expected) return {};
  if (account.in_flight) {
    Model with = account.acknowledged;
    with.apply(*account.in_flight);
    if (*found == with.lines()) return {};
  }
  return "after " + std::to_string(account.operations) +
         " acknowledged operations lost: " + first_of(expected, *found) +
         "; not acknowledged: " + first_of(*found, expected) +
         (account.in_flight ? "; in flight: " + account.in_flight->line() : "");
}

std::string check(store::Store& store) {
  const auto report = store.check(
      store::CheckOptions{}, [](std::string_view, std::uint64_t, std::uint64_t) { return true; });
  if (!report) return "check failed: " + report.error().message;
  if (report->problems == 0) return {};
  std::string text = "check found " + std::to_string(report->problems) + " problems";
  if (!report->details.empty()) {
    text += ", one is: " + report->details[0].where + ": " + report->details[0].what;
  }
  return text;
}

}  // namespace

void History::take(const Trace::Entry& entry) {
  if (entry.event.kind != Event::kMark) return;
  if (entry.octets == kReady) ready_ = true;
  std::istringstream in{std::string(entry.octets)};
  char what = 0;
  unsigned thread = 0;
  if (!(in >> what >> thread) || (what != 'A' && what != 'B')) return;
  if (accounts_.size() <= thread) accounts_.resize(thread + 1);
  Account& account = accounts_[thread];
  if (what == 'B') {
    std::string line;
    std::getline(in, line);
    account.in_flight = Operation::parse(line);
  } else {
    account.acknowledged.apply(*account.in_flight);
    account.in_flight.reset();
    ++account.operations;
  }
}

std::string find_fault(const std::string& folder, const History& history) {
  const store::StoreOptions options = store_options(folder, false);
  {
    InlineExecutor executor;
    auto store = store::Store::open(options, executor);
    if (!store) return "the store does not open: " + store.error().message;
    for (unsigned thread = 0; thread < history.accounts().size(); ++thread) {
      const std::string fault = compare(**store, thread, history.accounts()[thread]);
      if (!fault.empty()) return account_of(thread) + ": " + fault;
    }
    if (const std::string fault = check(**store); !fault.empty()) return fault;
  }
  const auto wrong = store::test::inconsistencies(options.folder);
  return wrong.empty() ? std::string() : "inconsistent: " + wrong.front();
}

}  // namespace twinpost::powercut
