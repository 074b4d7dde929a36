#include "core/server/admission.h"

#include <doctest/doctest.h>

using namespace twinpost;
using server::Admission;

namespace {

net::Peer peer(std::string address) {
  net::Peer made;
  made.address = std::move(address);
  return made;
}

}  // namespace

TEST_CASE("one address may not take every connection") {
  config::Limits limits;
  limits.connections = 3;
  limits.connections_per_address = 2;
  Admission admission;
  CHECK(admission.enter(peer("192.0.2.1"), limits) == Admission::Answer::kAdmitted);
  CHECK(admission.enter(peer("192.0.2.1"), limits) == Admission::Answer::kAdmitted);
  CHECK(admission.enter(peer("192.0.2.1"), limits) == Admission::Answer::kTooManyFromAddress);
  CHECK(admission.enter(peer("192.0.2.2"), limits) == Admission::Answer::kAdmitted);
  CHECK(admission.enter(peer("192.0.2.3"), limits) == Admission::Answer::kTooMany);
  admission.leave(peer("192.0.2.1"));
  CHECK(admission.enter(peer("192.0.2.1"), limits) == Admission::Answer::kAdmitted);
}

TEST_CASE("local programs on a Unix socket share no address") {
  config::Limits limits;
  limits.connections_per_address = 1;
  net::Peer local;
  local.is_unix = true;
  Admission admission;
  CHECK(admission.enter(local, limits) == Admission::Answer::kAdmitted);
  CHECK(admission.enter(local, limits) == Admission::Answer::kAdmitted);
}

TEST_CASE("a limit of 0 is no limit") {
  config::Limits limits;
  limits.connections = 0;
  limits.connections_per_address = 0;
  Admission admission;
  for (int i = 0; i < 5000; ++i) {
    CHECK(admission.enter(peer("192.0.2.1"), limits) == Admission::Answer::kAdmitted);
  }
}
