// LIST patterns of any length, against the textbook's table.
#include <doctest/doctest.h>
#include <random>
#include <string>
#include <vector>

#include "imap/mailbox_name.h"

using namespace twinpost;

namespace {

bool matches_by_table(const std::string& pattern, const std::string& name) {
  std::vector<std::vector<bool>> table(pattern.size() + 1,
                                       std::vector<bool>(name.size() + 1, false));
  table[0][0] = true;
  for (std::size_t p = 1; p <= pattern.size(); ++p) {
    const char wanted = pattern[p - 1];
    for (std::size_t n = 0; n <= name.size(); ++n) {
      if (wanted == '*' || wanted == '%') {
        const bool may_take = n > 0 && (wanted == '*' || name[n - 1] != '/');
        table[p][n] = table[p - 1][n] || (may_take && table[p][n - 1]);
      } else {
        table[p][n] = n > 0 && wanted == name[n - 1] && table[p - 1][n - 1];
      }
    }
  }
  return table[pattern.size()][name.size()];
}

}  // namespace

TEST_CASE("long LIST patterns agree with their definition") {
  std::mt19937 random(7);
  std::size_t matched = 0;
  for (int round = 0; round < 400; ++round) {
    // A name, and a pattern made of it by putting wildcards in the place of runs, so that many
    // match.
    std::string name;
    for (std::size_t n = random() % 300; n > 0; --n) name += "aab/"[random() % 4];
    std::string pattern;
    for (std::size_t at = 0; at < name.size();) {
      switch (random() % 12) {
        case 0:
          pattern += '*';
          at += random() % 6;
          break;
        case 1:
          pattern += '%';
          at += name[at] == '/' ? 0 : 1;
          break;
        case 2: pattern += random() % 40 == 0 ? "b" : ""; break;
        default: pattern += name[at++];
      }
    }
    const bool expected = matches_by_table(pattern, name);
    matched += expected ? 1 : 0;
    CAPTURE(pattern);
    CAPTURE(name);
    CHECK(imap::ListPattern(pattern).matches(name) == expected);
  }
  CHECK(matched > 60);
  CHECK(matched < 390);
}
