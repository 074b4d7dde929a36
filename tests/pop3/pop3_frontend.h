// POP3 for the transcript player's server.
#pragma once

#include <memory>

#include "pop3/pop3.h"
#include "tests/support/transcript_text.h"
#include "tests/support/transcript_world.h"

namespace twinpost::testing {

class Pop3Frontend final : public Frontend {
 public:
  explicit Pop3Frontend(FrontendServices services)
      : context_(services.services, services.store, services.tls) {
    context_.failed_login_delay = Duration(1);
  }
  Task<void> serve(net::Connection& connection, bool implicit_tls) override {
    return pop3::serve(context_, connection, implicit_tls);
  }
  bool set(std::string_view key, std::string_view value) override {
    const auto delay = parse_duration(value);
    if (key != "failed_login_delay" || !delay) return false;
    context_.failed_login_delay = *delay;
    return true;
  }

 private:
  pop3::Context context_;
};

inline FrontendFactory pop3_frontend() {
  return
      [](FrontendServices services) { return std::make_unique<Pop3Frontend>(std::move(services)); };
}

}  // namespace twinpost::testing
