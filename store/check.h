// What `twinpost check` finds in a store, and what a repair did about it.
//
// A check reads: first the records, in one snapshot (what belongs together is compared as it was at one moment),
// then every body and summary, in short reads, passing over what was removed meanwhile. It never stops at a
// damaged thing. A repair writes in small transactions and makes anew what derives from the messages: counters,
// references, names, summaries, the reaper's list; a message whose record can't be trusted is rebuilt where its
// parts agree, else taken out of its mailbox (its octets stay for `salvage`), so that the rest of the mailbox
// can be read. Nothing that may be somebody's only copy is freed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace twinpost::store {

struct CheckOptions {
  bool bodies = true;  // read every body and summary too
  bool repair = false;
  std::string account;               // only this one's messages and bodies; empty: everything
  std::size_t most_problems = 1000;  // reported one by one; more are only counted
};

// How bad it is.
enum class Severity : std::uint8_t {
  kDerived,  // can be made anew: counters, references, names, summaries
  kMessage,  // a message can't be read, or not wholly
  kStore,    // whole tables or mailboxes can't be read
};

struct CheckProblem {
  Severity severity = Severity::kDerived;
  std::string where;  // "ann@example.org/INBOX UID 17", "blob 1234"
  std::string what;   // one line
  bool repaired = false;
};

struct CheckReport {
  std::uint64_t accounts = 0;
  std::uint64_t mailboxes = 0;
  std::uint64_t messages = 0;
  std::uint64_t removed = 0;
  std::uint64_t blobs = 0;
  std::uint64_t body_octets = 0;  // read and verified
  std::uint64_t problems = 0;     // all that were found
  std::uint64_t repaired = 0;
  std::uint64_t unreadable_messages = 0;  // as it is now
  // Bodies with more references than messages: kept, for they may be all that is left of a message whose record is
  // lost. No problems; told of in `details`.
  std::uint64_t kept_bodies = 0;
  std::vector<CheckProblem> details;  // the first of them
};

}  // namespace twinpost::store
