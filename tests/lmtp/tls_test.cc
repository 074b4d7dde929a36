// STARTTLS (RFC 3207), against a client that is BoringSSL itself.

#include <doctest/doctest.h>
#include <memory>
#include <openssl/ssl.h>
#include <string>
#include <sys/socket.h>

#include "tests/lmtp/test_server.h"

using namespace twinpost;
using namespace twinpost::lmtp_test;

namespace {

// The client's side of TLS on a Client's socket.
class TlsClient {
 public:
  explicit TlsClient(const Client& client)
      : context_(SSL_CTX_new(TLS_method())), tls_(SSL_new(context_.get())) {
    REQUIRE(SSL_set_fd(tls_.get(), client.fd()) == 1);
    REQUIRE(SSL_connect(tls_.get()) == 1);
  }
  void send(std::string_view octets) {
    REQUIRE(SSL_write(tls_.get(), octets.data(), static_cast<int>(octets.size())) ==
            static_cast<int>(octets.size()));
  }
  std::string line() {
    std::string result;
    char octet = 0;
    while (!result.ends_with("\r\n")) {
      if (SSL_read(tls_.get(), &octet, 1) != 1) return "<closed>";
      result += octet;
    }
    return result.substr(0, result.size() - 2);
  }
  std::string say(std::string_view command) {
    send(std::string(command) + "\r\n");
    return line();
  }

 private:
  bssl::UniquePtr<SSL_CTX> context_;
  bssl::UniquePtr<SSL> tls_;
};

struct TlsServer {
  TemporaryFolder folder;
  TestServer server{[this] {
    Setup setup = two_accounts();
    setup.tls = make_tls(folder.path());
    return setup;
  }()};
};

}  // namespace

TEST_CASE("STARTTLS: offered before, not after; the state begins anew") {
  TlsServer tls;
  Client client(tls.server.tcp());
  CHECK(client.line().starts_with("220 "));
  client.send("LHLO client.example\r\n");
  std::string extensions;
  for (std::string line = client.line();; line = client.line()) {
    extensions += line + "\n";
    if (line.starts_with("250 ")) break;
  }
  CHECK(extensions.find("250-STARTTLS\n") != std::string::npos);
  CHECK(code_of(client.say("MAIL FROM:<>")) == "250 2.1.0");
  CHECK(code_of(client.say("STARTTLS")) == "220 2.0.0");
  TlsClient secure(client);
  CHECK(code_of(secure.say("MAIL FROM:<>")) == "503 5.5.1");
  secure.send("LHLO client.example\r\n");
  extensions.clear();
  for (std::string line = secure.line();; line = secure.line()) {
    extensions += line + "\n";
    if (line.starts_with("250 ")) break;
  }
  CHECK(extensions.find("STARTTLS") == std::string::npos);
  CHECK(code_of(secure.say("STARTTLS")) == "503 5.5.1");
  CHECK(code_of(secure.say("MAIL FROM:<>")) == "250 2.1.0");
  CHECK(code_of(secure.say("RCPT TO:<ann@example.org>")) == "250 2.1.5");
  CHECK(secure.say("DATA").starts_with("354 "));
  secure.send("by TLS\r\n.\r\n");
  CHECK(code_of(secure.line()) == "250 2.1.5");
  CHECK(tls.server.only_body("ann@example.org") == "by TLS\r\n");
}

TEST_CASE("what was sent in the clear behind STARTTLS is thrown away") {
  TlsServer tls;
  Client client(tls.server.tcp());
  client.hello();
  client.send("STARTTLS\r\nLHLO injected\r\nMAIL FROM:<eve@example.net>\r\n");
  CHECK(code_of(client.line()) == "220 2.0.0");
  TlsClient secure(client);
  CHECK(code_of(secure.say("NOOP")) == "250 2.0.0");
  CHECK(code_of(secure.say("MAIL FROM:<>")) == "503 5.5.1");
}

TEST_CASE(
    "what was sent in the clear behind STARTTLS and had been read with a message is thrown away "
    "too") {
  TlsServer tls;
  Client client(tls.server.tcp());
  client.hello();
  client.send(
      "MAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\nx\r\n.\r\nSTARTTLS\r\nLHLO "
      "injected\r\nMAIL FROM:<>\r\n");
  for (const char* expected : {"250 2.1.0", "250 2.1.5", "354 Send", "250 2.1.5", "220 2.0.0"}) {
    CHECK(code_of(client.line()) == expected);
  }
  TlsClient secure(client);
  CHECK(code_of(secure.say("NOOP")) == "250 2.0.0");
  CHECK(code_of(secure.say("MAIL FROM:<>")) == "503 5.5.1");
}

TEST_CASE("garbage in place of a handshake ends the session") {
  TlsServer tls;
  Client client(tls.server.tcp());
  client.hello();
  CHECK(code_of(client.say("STARTTLS")) == "220 2.0.0");
  client.try_send("this is no handshake\r\n");
  client.half_close();
  while (true) {
    char octet = 0;
    if (::recv(client.fd(), &octet, 1, 0) <= 0) break;
  }
  Client next(tls.server.tcp());
  next.hello();
}
