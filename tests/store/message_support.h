// What the tests of messages and of their changes share.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "tests/store/support.h"

namespace twinpost::store::test {

inline const Remover kAnn{"ann@example.org", "imap", "192.0.2.7"};

inline std::vector<Uid> uids_of(std::initializer_list<std::uint32_t> values) {
  std::vector<Uid> uids;
  for (const std::uint32_t value : values) uids.emplace_back(value);
  return uids;
}

inline FlagChange adding(FlagBits flags, std::vector<std::string> keywords = {}) {
  FlagChange change;
  change.flags = flags;
  change.keywords = std::move(keywords);
  return change;
}

}  // namespace twinpost::store::test
