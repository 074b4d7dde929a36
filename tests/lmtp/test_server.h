// A real LMTP server in the test's process: its own event loop on a thread of its own, a store in a
// temporary folder, a TCP listener on a free port and a Unix socket. And a raw socket client.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/config.h"
#include "core/net/address.h"
#include "core/net/tls.h"
#include "store/store.h"

namespace twinpost::lmtp_test {

// A folder under the system's temporary one, removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct Setup {
  config::Limits limits;
  std::vector<config::Account> accounts;
  net::TlsContextPtr tls;
};

// An account that can be delivered to.
[[nodiscard]] config::Account account(const std::string& name,
                                      std::vector<std::string> aliases = {},
                                      std::uint64_t quota = 0, std::uint64_t quota_messages = 0);

// ann and bob at example.org.
[[nodiscard]] Setup two_accounts();

// What one message of an inbox looks like to a reader.
struct StoredMessage {
  store::MessageRecord record;
  std::string octets;  // prefix and body
};

class TestServer {
 public:
  explicit TestServer(Setup setup = two_accounts());
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  [[nodiscard]] const net::ListenAddress& tcp() const;
  [[nodiscard]] const net::ListenAddress& unix_socket() const;
  [[nodiscard]] store::Store& store();
  [[nodiscard]] std::vector<StoredMessage> inbox(const std::string& account);
  // The octets of the only message in the inbox, without the delivery's prefix.
  [[nodiscard]] std::string only_body(const std::string& account);
  [[nodiscard]] const std::filesystem::path& folder() const;

  // Runs the function on the loop and waits for it.
  void on_loop(const std::function<void()>& function);
  void replace_accounts(const std::vector<config::Account>& accounts);
  // Interrupts all connections, as a graceful stop does.
  void interrupt_all();
  [[nodiscard]] std::size_t connections();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A blocking client. Every wait ends after ten seconds with a failed test.
class Client {
 public:
  explicit Client(const net::ListenAddress& address);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view octets);
  // False where the server has closed meanwhile.
  bool try_send(std::string_view octets);
  void half_close();
  // The next line without CRLF; "<closed>" where there is none any more, "<timeout>" after ten
  // seconds.
  [[nodiscard]] std::string line();
  // The last line of the next reply, which may have several.
  [[nodiscard]] std::string reply();
  // Sends the line with CRLF and returns reply().
  std::string say(std::string_view command);
  // Greeting and LHLO.
  void hello();
  // True where nothing comes for this long.
  [[nodiscard]] bool is_silent_for(int milliseconds);
  [[nodiscard]] int fd() const { return fd_; }

 private:
  bool fill();
  int fd_ = -1;
  std::string input_;
};

// MAIL, RCPT for each, all of them accepted; what comes next is the message.
void begin(Client& client, const std::vector<std::string>& recipients,
           const std::string& parameters = "");

// The process's own memory, in KiB, from /proc.
[[nodiscard]] std::size_t anonymous_kib();
// AddressSanitizer keeps what was freed (its quarantine), so that figure says nothing there.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kMemoryIsMeasurable = false;
#else
inline constexpr bool kMemoryIsMeasurable = true;
#endif

// "250 2.1.5" of "250 2.1.5 Ok".
[[nodiscard]] std::string code_of(const std::string& reply);

// The rule for line ends (store/prepare.h), written down a second time: bare LF becomes CRLF,
// everything else stays, CRLF at the end.
[[nodiscard]] std::string canonical(std::string_view octets);

// The message as DATA sends it, with dots added after every CRLF, and the final line.
[[nodiscard]] std::string stuffed(std::string_view message);

// A fresh self-signed certificate for localhost in `folder`.
[[nodiscard]] net::TlsContextPtr make_tls(const std::filesystem::path& folder);

}  // namespace twinpost::lmtp_test
