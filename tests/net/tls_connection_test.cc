// What connection.h promises about TLS.
#include "tests/net/rig.h"

using namespace twinpost;
using namespace twinpost::net;
using namespace twinpost::net::testing;

namespace {

constexpr std::uint16_t kVersions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

struct Scene {
  TlsContextPtr context;
  Alpn alpn = Alpn::kPop3;
  Log log;
  std::string error;
  TlsInfo info;
};

// Implicit TLS, then answers lines until the end.
Task<void> secure_echo(Scene& scene, Connection& c) {
  const auto started = co_await c.start_tls(scene.context, scene.alpn, 5s);
  scene.log.push_back(describe(started));
  if (!started) {
    scene.error = started.error().message;
    CHECK_FALSE(c.is_tls());
    const auto line = co_await c.read_line(100, 5s);
    scene.log.push_back(describe(line));
    c.queue("must not go out in the clear\r\n");
    co_await c.close(1s);
    co_return;
  }
  CHECK(c.is_tls());
  REQUIRE(c.tls_info() != nullptr);
  scene.info = *c.tls_info();
  for (;;) {
    const auto line = co_await c.read_line(100'000, 5s);
    scene.log.push_back(line && line->size() > 100 ? "long" : describe(line));
    if (!line) {
      scene.error = line.error().message;
      break;
    }
    const std::string answer = "+" + std::string(*line) + "\r\n";
    c.queue(answer);
  }
  co_await c.close(1s);
}

// STLS: a reply in the clear, then the handshake.
Task<void> starttls_session(Scene& scene, Connection& c) {
  CHECK_FALSE(c.is_tls());
  CHECK(c.tls_info() == nullptr);
  const auto line = co_await c.read_line(100, 5s);
  scene.log.push_back(describe(line));
  c.queue("+OK begin TLS\r\n");
  co_await secure_echo(scene, c);
}

Task<void> stalled(Scene& scene, Connection& c) {
  const auto started = co_await c.start_tls(scene.context, Alpn::kPop3, 100ms);
  scene.log.push_back(describe(started));
  const auto line = co_await c.read_line(100, 5s);
  scene.log.push_back(describe(line));
  co_await c.close(1s);
}

Task<void> secure_bulk(Scene& scene, Connection& c, std::size_t& most_unsent) {
  const auto started = co_await c.start_tls(scene.context, Alpn::kNone, 5s);
  REQUIRE(started);
  for (int i = 0; i < 400; ++i) {
    std::string piece(20'000, static_cast<char>('a' + i % 26));
    c.queue(piece);
    const auto drained = co_await c.drained(5s);
    REQUIRE(drained);
    most_unsent = std::max(most_unsent, c.unsent());
  }
  CHECK(c.octets_out() == 400U * 20'000);
  co_await c.close(10s);
}

Task<void> secure_count(Scene& scene, Connection& c, std::uint64_t& total) {
  const auto started = co_await c.start_tls(scene.context, Alpn::kNone, 5s);
  REQUIRE(started);
  for (;;) {
    const auto piece = co_await c.read_some(8000, 5s);
    if (!piece) break;
    CHECK(piece->size() <= 8000);
    total += piece->size();
  }
  CHECK(c.octets_in() == total);
  co_await c.close(1s);
}

void talk(std::uint16_t port, const TlsClientOptions& options, bssl::UniquePtr<SSL_SESSION>* ticket,
          bool* resumed) {
  Client socket(port);
  TlsClient client(socket, options);
  CHECK(client.ok());
  client.send("hello\r\n");
  CHECK(client.line() == "+hello");
  if (ticket != nullptr && client.session() != nullptr) {
    ticket->reset(client.session());
    SSL_SESSION_up_ref(ticket->get());
  }
  if (resumed != nullptr) *resumed = client.resumed();
  client.close_notify();
}

}  // namespace

TEST_CASE("TLS 1.2 and 1.3 are spoken, with what was agreed on told") {
  const Identity identity;
  for (const auto& [version, name] :
       {std::pair<std::uint16_t, const char*>{TLS1_2_VERSION, "TLSv1.2"},
        {TLS1_3_VERSION, "TLSv1.3"}}) {
    Rig rig;
    Scene scene;
    scene.context = identity.context;
    TlsClientOptions options;
    options.version = version;
    options.server_name = "test.example.org";
    rig.run([&](Connection& c) { return secure_echo(scene, c); },
            [&](std::uint16_t port) { talk(port, options, nullptr, nullptr); });
    CHECK(scene.log == Log{"ok", "hello", "!closed"});
    CHECK(scene.info.version == name);
    CHECK(scene.info.cipher.starts_with("TLS_"));
    CHECK(scene.info.server_name == "test.example.org");
    CHECK_FALSE(scene.info.resumed);
  }
}

TEST_CASE("TLS 1.1 is refused") {
  const Identity identity;
  Rig rig;
  Scene scene;
  scene.context = identity.context;
  rig.run([&](Connection& c) { return secure_echo(scene, c); },
          [](std::uint16_t port) {
            Client socket(port);
            TlsClientOptions options;
            options.version = TLS1_1_VERSION;
            const TlsClient client(socket, options);
            CHECK_FALSE(client.ok());
          });
  CHECK(scene.log == Log{"!tls", "!tls"});
  CHECK(scene.error == "TLS handshake failed: unsupported protocol");
}

TEST_CASE("what was injected before the handshake is thrown away (CVE-2011-0411)") {
  const Identity identity;
  Rig rig;
  Scene scene;
  scene.context = identity.context;
  rig.run([&](Connection& c) { return starttls_session(scene, c); },
          [](std::uint16_t port) {
            Client socket(port);
            socket.send("STLS\r\nDELE 1\r\nhalf a comm");
            CHECK(socket.line() == "+OK begin TLS");
            TlsClient client(socket, {});
            CHECK(client.ok());
            client.send("after\r\n");
            CHECK(client.line() == "+after");
          });
  CHECK(scene.log == Log{"STLS", "ok", "after", "!closed"});
}

TEST_CASE("commands that share the packet with the client's Finished are answered") {
  const Identity identity;
  Rig rig;
  Scene scene;
  scene.context = identity.context;
  rig.run([&](Connection& c) { return secure_echo(scene, c); },
          [](std::uint16_t port) {
            // The client's octets pass a pair of buffers, so that Finished and the first command go
            // out in one send.
            Client socket(port);
            const bssl::UniquePtr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
            const bssl::UniquePtr<SSL> ssl(SSL_new(context.get()));
            SSL_set_custom_verify(ssl.get(), SSL_VERIFY_PEER,
                                  [](SSL*, std::uint8_t*) { return ssl_verify_ok; });
            BIO* in = BIO_new(BIO_s_mem());
            BIO* out = BIO_new(BIO_s_mem());
            BIO_set_mem_eof_return(in, -1);
            SSL_set_bio(ssl.get(), in, out);
            SSL_set_connect_state(ssl.get());
            const auto take_out = [out] {
              const std::uint8_t* data = nullptr;
              std::size_t size = 0;
              BIO_mem_contents(out, &data, &size);
              std::string octets(reinterpret_cast<const char*>(data), size);
              BIO_reset(out);
              return octets;
            };
            while (SSL_do_handshake(ssl.get()) != 1) {
              const std::string hello = take_out();
              if (!hello.empty()) socket.send(hello);
              const std::string answer = socket.receive();
              if (answer.empty()) return;
              BIO_write(in, answer.data(), static_cast<int>(answer.size()));
            }
            SSL_write(ssl.get(), "first\r\n", 7);
            socket.send(take_out());
            std::this_thread::sleep_for(100ms);
          });
  CHECK(scene.log == Log{"ok", "first", "!closed"});
}

TEST_CASE("TLS garbage, HTTP and a plain command end the handshake with a readable reason") {
  const Identity identity;
  for (const auto& [octets, reason] :
       {std::pair<std::string, std::string>{"GET / HTTP/1.0\r\n\r\n", "http request"},
        {"USER ann\r\nPASS x\r\n", "wrong version number"},
        {std::string(5, '\0') + "garbage", ""},
        {std::string("\x16\x03\x01\xff\xff", 5) + std::string(200, 'x'), ""},
        {std::string("\x16\x03\x01\x00\x05hello", 10), ""}}) {
    CAPTURE(octets);
    Rig rig;
    Scene scene;
    scene.context = identity.context;
    rig.run([&](Connection& c) { return secure_echo(scene, c); },
            [&, &sent = octets](std::uint16_t port) {
              Client socket(port);
              socket.send(sent);
              CHECK(socket.rest().find("clear") == std::string::npos);
            });
    CHECK(scene.log == Log{"!tls", "!tls"});
    CHECK(scene.error.starts_with("TLS handshake failed: " + reason));
  }
}

TEST_CASE("a handshake that stalls ends with kTimeout, whatever came of it") {
  const Identity identity;
  for (const std::string& octets : {std::string(), std::string("\x16\x03\x01\x02", 4)}) {
    Rig rig;
    Scene scene;
    scene.context = identity.context;
    rig.run([&](Connection& c) { return stalled(scene, c); },
            [&](std::uint16_t port) {
              Client socket(port);
              socket.send(octets);
              socket.rest();
            });
    CHECK(scene.log == Log{"!timeout", "!tls"});
  }
}

TEST_CASE("a client that leaves in the middle of the handshake gives kClosed") {
  const Identity identity;
  Rig rig;
  Scene scene;
  scene.context = identity.context;
  rig.run([&](Connection& c) { return secure_echo(scene, c); },
          [](std::uint16_t port) { Client(port).send(std::string("\x16\x03\x01", 3)); });
  CHECK(scene.log == Log{"!closed", "!closed"});
}

TEST_CASE("a damaged record ends the connection with kTls") {
  const Identity identity;
  Rig rig;
  Scene scene;
  scene.context = identity.context;
  rig.run([&](Connection& c) { return secure_echo(scene, c); },
          [](std::uint16_t port) {
            Client socket(port);
            TlsClient client(socket, {});
            client.send("hello\r\n");
            CHECK(client.line() == "+hello");
            socket.send(std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x'));
            client.receive();
          });
  CHECK(scene.log == Log{"ok", "hello", "!tls"});
  CHECK(scene.error.starts_with("TLS failed: "));
}

TEST_CASE("a client that has sent close_notify gets its answers, and close_notify back") {
  const Identity identity;
  Rig rig;
  Scene scene;
  scene.context = identity.context;
  rig.run([&](Connection& c) { return secure_echo(scene, c); },
          [](std::uint16_t port) {
            Client socket(port);
            TlsClient client(socket, {});
            client.send("a\r\nQUIT\r\n");
            client.close_notify();
            // BoringSSL reads no more after close_notify was sent by SSL_shutdown(); the socket has
            // it all the same.
            CHECK(socket.rest().size() > 30);
          });
  CHECK(scene.log == Log{"ok", "a", "QUIT", "!closed"});
}

TEST_CASE("the server ends TLS with close_notify") {
  const Identity identity;
  Rig rig;
  std::size_t most_unsent = 0;
  Scene scene;
  scene.context = identity.context;
  rig.run([&](Connection& c) { return secure_bulk(scene, c, most_unsent); },
          [](std::uint16_t port) {
            Client socket(port, 8192);
            TlsClient client(socket, {});
            std::this_thread::sleep_for(100ms);
            const std::string all = client.rest();
            CHECK(all.size() == 400U * 20'000);
            CHECK(all.substr(20'000, 20'000) == std::string(20'000, 'b'));
            CHECK(client.clean_end());
          });
  CHECK(most_unsent <= kHighWater);
}

TEST_CASE("much input through TLS arrives whole, in bounded pieces") {
  const Identity identity;
  Rig rig;
  Scene scene;
  scene.context = identity.context;
  std::uint64_t total = 0;
  rig.run([&](Connection& c) { return secure_count(scene, c, total); },
          [](std::uint16_t port) {
            Client socket(port);
            TlsClient client(socket, {});
            const std::string piece(16'000, 'q');
            for (int i = 0; i < 500; ++i) client.send(piece);
            client.close_notify();
          });
  CHECK(total == 500U * 16'000);
}

TEST_CASE("the certificate is chosen by the name that the client asks for") {
  const Identity identity("main.example.org");
  TlsSettings settings;
  settings.main = identity.add("main.example.org", {"main.example.org"});
  settings.sni.push_back(identity.add("second", {"mail.second.example"}));
  settings.sni.push_back(identity.add("wild", {"*.wild.example"}));
  const auto context = load_tls_context(settings, nullptr);
  REQUIRE(context);
  for (const auto& [asked, shown] : {std::pair<std::string, std::string>{"", "main.example.org"},
                                     {"main.example.org", "main.example.org"},
                                     {"mail.second.example", "second"},
                                     {"a.wild.example", "wild"},
                                     {"unknown.example", "main.example.org"}}) {
    for (const std::uint16_t version : kVersions) {
      CAPTURE(asked);
      Rig rig;
      Scene scene;
      scene.context = *context;
      std::string name;
      TlsClientOptions options;
      options.server_name = asked;
      options.version = version;
      rig.run([&](Connection& c) { return secure_echo(scene, c); },
              [&](std::uint16_t port) {
                Client socket(port);
                const TlsClient client(socket, options);
                name = client.server_certificate_name();
              });
      CHECK(name == shown);
      CHECK(scene.info.server_name == asked);
    }
  }
}

TEST_CASE("ALPN accepts the protocol's own name and lets unknown ones in without") {
  const Identity identity;
  struct Case {
    Alpn accepted;
    std::string offered;
    std::string chosen;
  };
  for (const Case& example :
       {Case{Alpn::kPop3, "\x04pop3", "pop3"}, Case{Alpn::kImap, "\x04pop3\x04imap", "imap"},
        Case{Alpn::kPop3, "\x04imap", ""}, Case{Alpn::kPop3, "\x02h2\x08http/1.1", ""},
        Case{Alpn::kNone, "\x04pop3", ""}, Case{Alpn::kPop3, "", ""}}) {
    CAPTURE(example.offered);
    Rig rig;
    Scene scene;
    scene.context = identity.context;
    scene.alpn = example.accepted;
    std::string chosen = "unset";
    TlsClientOptions options;
    options.alpn = example.offered;
    rig.run([&](Connection& c) { return secure_echo(scene, c); },
            [&](std::uint16_t port) {
              Client socket(port);
              const TlsClient client(socket, options);
              CHECK(client.ok());
              chosen = client.alpn();
            });
    CHECK(chosen == example.chosen);
  }
}

TEST_CASE(
    "a ticket is good after a reload, also with a new certificate, and not in another server") {
  const Identity identity;
  for (const std::uint16_t version : kVersions) {
    CAPTURE(version);
    TlsClientOptions options;
    options.version = version;
    options.server_name = "test.example.org";
    bssl::UniquePtr<SSL_SESSION> ticket;
    bool resumed = true;
    const auto session = [&](const TlsContextPtr& context, bssl::UniquePtr<SSL_SESSION>* out) {
      Rig rig;
      Scene scene;
      scene.context = context;
      options.session = ticket.get();
      rig.run([&](Connection& c) { return secure_echo(scene, c); },
              [&](std::uint16_t port) { talk(port, options, out, &resumed); });
      CHECK(scene.info.resumed == resumed);
    };
    session(identity.context, &ticket);
    CHECK_FALSE(resumed);
    REQUIRE(ticket);

    TlsSettings settings;
    settings.main = identity.add("renewed", {"test.example.org"});
    const auto reloaded = load_tls_context(settings, identity.context);
    REQUIRE(reloaded);
    session(*reloaded, nullptr);
    CHECK(resumed);

    const auto stranger = load_tls_context(settings, nullptr);
    REQUIRE(stranger);
    session(*stranger, nullptr);
    CHECK_FALSE(resumed);
  }
}

TEST_CASE("a context may go while connections made of it live on") {
  Rig rig;
  Scene scene;
  scene.context = Identity().context;
  rig.run(
      [&](Connection& c) {
        auto session = secure_echo(scene, c);
        return session;
      },
      [&](std::uint16_t port) {
        Client socket(port);
        TlsClient client(socket, {});
        CHECK(client.ok());
        rig.loop.post([&] { scene.context = nullptr; });
        for (int i = 0; i < 3; ++i) {
          std::this_thread::sleep_for(20ms);
          client.send("x\r\n");
          CHECK(client.line() == "+x");
        }
      });
  CHECK(scene.log == Log{"ok", "x", "x", "x", "!closed"});
}
