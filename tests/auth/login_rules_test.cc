#include "core/auth/login_rules.h"

#include <doctest/doctest.h>

using namespace twinpost;
using namespace twinpost::auth;
using config::PlaintextLogin;

TEST_CASE("a password may be sent over TLS, or where the configuration says so") {
  for (const PlaintextLogin setting :
       {PlaintextLogin::kNever, PlaintextLogin::kLoopback, PlaintextLogin::kAlways}) {
    CHECK(may_send_password(setting, true, false));
  }
  CHECK_FALSE(may_send_password(PlaintextLogin::kNever, false, true));
  CHECK(may_send_password(PlaintextLogin::kLoopback, false, true));
  CHECK_FALSE(may_send_password(PlaintextLogin::kLoopback, false, false));
  CHECK(may_send_password(PlaintextLogin::kAlways, false, false));
}

TEST_CASE("the time to log in runs out to a millisecond, and without a limit never") {
  CHECK(LoginTime(std::chrono::milliseconds(0)).left() == config::kNoTimeLimit);
  const LoginTime minute(std::chrono::minutes(1));
  CHECK(minute.left() <= std::chrono::minutes(1));
  CHECK(minute.left() > std::chrono::seconds(50));
  const LoginTime over(std::chrono::milliseconds(-5));
  CHECK(over.left() == Duration(1));
}

TEST_CASE("the fourth failed login is one too many, unless one went well in between") {
  FailedLogins failed;
  for (int i = 0; i < 3; ++i) CHECK_FALSE(failed.count());
  CHECK(failed.count());
  failed.forget();
  CHECK_FALSE(failed.count());
}
