// twinpostd: the daemon, in the foreground. See twinpostd(8) and README.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fmt/format.h>
#include <string>
#include <thread>

#include "core/base/log.h"
#include "core/net/event_loop.h"
#include "core/server/process.h"
#include "core/server/server.h"
#include "core/server/settings.h"
#include "core/server/store_options.h"

namespace {

// One line on stderr, then the exit code of a failed start.
int give_up(const std::string& message) {
  fmt::print(stderr, "twinpostd: {}\n", message);
  return EXIT_FAILURE;
}

// libuv reads the size of its pool when the first work is queued; workers wait for the disk as well as compute.
void set_worker_count() {
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const std::string workers = std::to_string(std::clamp(cores * 2, 4U, 64U));
  ::setenv("UV_THREADPOOL_SIZE", workers.c_str(), 0);
}

int run(const twinpost::server::StartOptions& options) {
  twinpost::net::EventLoop loop;
  twinpost::server::Server* daemon = nullptr;
  // Before anyone can connect: who sees the ports open may send a signal. It is acted on once the loop runs.
  for (const int signal_number : {SIGTERM, SIGINT}) {
    if (auto set = loop.on_signal(signal_number, [&daemon] { daemon->stop(); }); !set) {
      return give_up(set.error().message);
    }
  }
  if (auto set = loop.on_signal(SIGHUP, [&daemon] { daemon->reload(); }); !set) {
    return give_up(set.error().message);
  }
  auto server = twinpost::server::Server::start(loop, options);
  if (!server) return give_up(server.error().message);
  daemon = server->get();
  loop.run();
  twinpost::log::finish();
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Twinpost: POP3 and IMAP over one mailbox engine. Runs in the foreground."};
  twinpost::server::StartOptions options;
  options.config_file = "/etc/twinpost/twinpost.json";
  bool check_only = false;
  bool no_watch = false;
  app.add_option("-c,--config", options.config_file, "the server's configuration file")
      ->capture_default_str();
  app.add_option("-u,--user", options.user, "when started as root: become this user after binding");
  app.add_flag("--check", check_only, "check the configuration and end");
  app.add_flag("--no-watch", no_watch, "reload on SIGHUP only, not when a file changes");
  app.set_version_flag("-V,--version", "twinpostd " TWINPOST_VERSION);
  CLI11_PARSE(app, argc, argv);
  options.watch_files = !no_watch;

  try {
    if (check_only) {
      auto settings = twinpost::server::load_settings(options.config_file, nullptr);
      if (!settings) return give_up(settings.error().message);
      if (auto became = twinpost::server::become_user(options.user); !became) {
        return give_up(became.error().message);
      }
      auto storage = twinpost::server::store_options(*settings->config);
      if (!storage) return give_up(storage.error().message);
      fmt::print("{}: good, {} accounts\n", options.config_file,
                 settings->accounts->accounts.size());
      return EXIT_SUCCESS;
    }
    set_worker_count();
    return run(options);
  } catch (const std::exception& e) {
    return give_up(fmt::format("internal error: {}", e.what()));
  }
}
