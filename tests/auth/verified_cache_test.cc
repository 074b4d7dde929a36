#include "core/auth/verified_cache.h"

#include <doctest/doctest.h>

using namespace twinpost;
using namespace twinpost::auth;
using namespace std::chrono_literals;

TEST_CASE("the cache knows an account's password until its lifetime is over") {
  const SteadyTime now = steady_now();
  VerifiedCache cache;
  CHECK_FALSE(cache.contains("ann", "h", "p", now));
  cache.remember("ann", "h", "p", now);
  CHECK(cache.contains("ann", "h", "p", now));
  CHECK_FALSE(cache.contains("ann", "h", "q", now));
  CHECK_FALSE(cache.contains("ann", "g", "p", now));
  CHECK_FALSE(cache.contains("bob", "h", "p", now));
  CHECK_FALSE(cache.contains("ann", "hp", "", now));
  CHECK(cache.contains("ann", "h", "p", now + VerifiedCache::kLifetime - 1ms));
  CHECK_FALSE(cache.contains("ann", "h", "p", now + VerifiedCache::kLifetime));
}

TEST_CASE("the cache is bounded and drops the oldest") {
  const SteadyTime now = steady_now();
  VerifiedCache cache;
  for (std::size_t i = 0; i <= VerifiedCache::kMaxEntries; ++i) {
    cache.remember("account" + std::to_string(i), "h", "p", now);
  }
  CHECK(cache.size() == VerifiedCache::kMaxEntries);
  CHECK_FALSE(cache.contains("account0", "h", "p", now));
  CHECK(cache.contains("account1", "h", "p", now));
  cache.remember("account1", "h", "q", now);
  CHECK(cache.size() == VerifiedCache::kMaxEntries);
  CHECK_FALSE(cache.contains("account1", "h", "p", now));
  CHECK(cache.contains("account1", "h", "q", now));
  cache.forget_where([](const std::string& account) { return account != "account1"; });
  CHECK(cache.size() == 1);
  CHECK(cache.contains("account1", "h", "q", now));
}

TEST_CASE("two processes have different secrets") {
  const VerifiedCache one;
  const VerifiedCache other;
  CHECK(one.secret_number("x") == one.secret_number("x"));
  CHECK(one.secret_number("x") != one.secret_number("y"));
  CHECK(one.secret_number("x") != other.secret_number("x"));
}
