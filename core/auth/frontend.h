// What every protocol frontend is given by the server: the services of one running daemon.
//
// Loop thread only. Everything here outlives every session. `config()` and `tls()` are asked anew at each use,
// so that a reload is in force at once.
#pragma once

#include <functional>
#include <string>

#include "core/auth/auth.h"
#include "core/auth/sessions.h"
#include "core/base/executor.h"
#include "core/config/config.h"

namespace twinpost::auth {

struct Services {
  Executor& executor;
  Directory& directory;
  Sessions& sessions;
  std::function<config::ServerConfigPtr()> config;
  std::string hostname;  // for greetings
};

}  // namespace twinpost::auth
