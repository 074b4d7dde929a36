#include "core/auth/session_end.h"

#include <doctest/doctest.h>
#include <stdexcept>

#include "core/base/exception_text.h"
#include "core/base/inline_executor.h"

using namespace twinpost;
using namespace twinpost::auth;

TEST_CASE("without a request it is the server that stops") {
  InlineExecutor executor;
  CHECK(EndRequest(executor).reason() == EndReason::kShutdown);
}

TEST_CASE("an exception's text, or that there is none") {
  CHECK(exception_text(std::make_exception_ptr(std::runtime_error("broken"))) == "broken");
  CHECK(exception_text(std::make_exception_ptr(42)) == "unknown exception");
}
