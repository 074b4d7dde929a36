// IMAP for the transcript player's server.
#pragma once

#include <memory>

#include "imap/imap.h"
#include "tests/support/transcript_text.h"
#include "tests/support/transcript_world.h"

namespace twinpost::testing {

class ImapFrontend final : public Frontend {
 public:
  explicit ImapFrontend(FrontendServices services)
      : context_(services.services, services.store, services.tls) {
    context_.failed_login_delay = Duration(1);
  }
  Task<void> serve(net::Connection& connection, bool implicit_tls) override {
    return imap::serve(context_, connection, implicit_tls);
  }
  bool set(std::string_view key, std::string_view value) override {
    const auto duration = parse_duration(value);
    if (!duration) return false;
    if (key == "failed_login_delay") {
      context_.failed_login_delay = *duration;
    } else if (key == "keep_alive") {
      context_.keep_alive = *duration;
    } else {
      return false;
    }
    return true;
  }

 private:
  imap::Context context_;
};

inline FrontendFactory imap_frontend() {
  return
      [](FrontendServices services) { return std::make_unique<ImapFrontend>(std::move(services)); };
}

}  // namespace twinpost::testing
