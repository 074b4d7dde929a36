// What connection.h promises of compression.
#include <fstream>
#include <random>
#include <sstream>

#include "core/net/deflate.h"
#include "tests/net/deflate_client.h"
#include "tests/net/rig.h"

using namespace twinpost;
using namespace twinpost::net;
using namespace twinpost::net::testing;

namespace {

// Text that compresses as mail does: words in any order.
std::string words(std::size_t octets, unsigned seed) {
  static const char* const known[] = {"FETCH", "FLAGS",   "(\\Seen)", "meeting", "Received:",
                                      "from",  "example", "Subject:", "the",     "MODSEQ"};
  std::mt19937 random(seed);
  std::string text;
  while (text.size() < octets) {
    text += known[random() % std::size(known)];
    text += ' ';
    if (random() % 9 == 0) text += std::to_string(random());
  }
  text.resize(octets);
  return text;
}

std::string noise(std::size_t octets, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(octets, '\0');
  for (char& octet : text) octet = static_cast<char>(random());
  return text;
}

// Resident memory of this process at its highest.
std::size_t most_memory_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoul(line.substr(6));
  }
  return 0;
}

// Sanitizers keep what was freed for a while.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kAllowedKib = 512 * 1024;
#else
constexpr std::size_t kAllowedKib = 24 * 1024;
#endif

// Answers "COMPRESS" as a session does.
Task<void> agree(Connection& c) {
  const auto line = co_await c.read_line(100, 5s);
  REQUIRE(line);
  REQUIRE(*line == "COMPRESS");
  c.queue("* before\r\n");
  c.queue("OK\r\n");
  c.start_compression();
}

// Sends every line back until the connection ends, and says how it ended.
Task<void> echo(Connection& c, std::size_t limit, Log& log) {
  for (;;) {
    const auto line = co_await c.read_line(limit, 10s);
    if (!line && line.error().code == ErrorCode::kTooLarge) {
      c.queue("too long\r\n");
      continue;
    }
    if (!line) {
      log.push_back(describe(line));
      break;
    }
    const std::string answer = std::string(*line) + "\r\n";
    c.queue(answer);
    const auto drained = co_await c.drained(10s);
    if (!drained) log.push_back(describe(drained));
  }
  co_await c.close(10s);
}

Task<void> compress_and_echo(Connection& c, std::size_t limit, Log& log) {
  co_await agree(c);
  co_await echo(c, limit, log);
}

Task<void> tls_compress_and_echo(Connection& c, TlsContextPtr context, Log& log) {
  const auto started = co_await c.start_tls(context, Alpn::kImap, 5s);
  REQUIRE(started);
  co_await agree(c);
  const auto again = co_await c.start_tls(context, Alpn::kImap, 5s);
  log.push_back(describe(again));
  co_await echo(c, 200'000, log);
}

// What comes after the answer in the same packet stays with the client.
void ask_for_compression(Client& client) {
  client.send("COMPRESS\r\n");
  CHECK(client.line() == "* before");
  CHECK(client.line() == "OK");
}
// Here a read never brings more than one record, and the answer has one of its own.
void ask_for_compression(TlsClient& client) {
  client.send("COMPRESS\r\n");
  CHECK(client.receive() == "* before\r\nOK\r\n");
}

// Lines of many lengths, up and back.
template <class Transport>
void exchange_lines(Transport& transport, int flush) {
  DeflateClient<Transport> client(transport);
  unsigned seed = 1;
  for (const std::size_t size : {0U, 1U, 10U, 1000U, 4094U, 4095U, 16'384U, 70'000U, 150'000U}) {
    const std::string text = words(size, ++seed);
    // Whatever a client's flush is, its last block must reach us: a Z_BLOCK's bits may not.
    CHECK(client.send(text + "\r\n", flush));
    if (flush == Z_BLOCK) CHECK(client.send("", Z_SYNC_FLUSH));
    CHECK(client.line() == text);
  }
  CHECK(client.inflate.sound());
}

}  // namespace

TEST_CASE("what is deflated is inflated again, whatever the cuts, and never past the room") {
  const std::string text = words(300'000, 7) + noise(50'000, 8) + words(300'000, 9);
  std::mt19937 random(3);
  Deflater deflater;
  Inflater inflater;
  std::string octets;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = std::min<std::size_t>(text.size() - at, random() % 40'000);
    const auto flush = random() % 2 == 0 ? Deflater::Flush::kSync : Deflater::Flush::kNone;
    deflater.compress(std::string_view(text).substr(at, size), flush, octets);
    at += size;
  }
  deflater.compress({}, Deflater::Flush::kFinish, octets);
  CHECK(octets.size() < text.size() / 2);
  std::string plain;
  auto progress = Inflater::Progress::kGoesOn;
  for (std::size_t at = 0; at < octets.size() && progress == Inflater::Progress::kGoesOn;) {
    const std::size_t size = 1 + random() % 5000;
    inflater.tail().append(octets, at, size);
    at += size;
    while (inflater.has_more() && progress == Inflater::Progress::kGoesOn) {
      const std::size_t room = random() % 3000;
      const std::size_t before = plain.size();
      progress = inflater.inflate(room, plain);
      REQUIRE(plain.size() - before <= room);
    }
  }
  CHECK(progress == Inflater::Progress::kEnded);
  CHECK(!inflater.has_more());
  CHECK(plain == text);
}

TEST_CASE("the answer to COMPRESS goes out as it is, and all after it compressed, both ways") {
  for (const int flush : {Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_PARTIAL_FLUSH, Z_BLOCK}) {
    CAPTURE(flush);
    Rig rig;
    Log log;
    rig.run([&](Connection& c) { return compress_and_echo(c, 200'000, log); },
            [&](std::uint16_t port) {
              Client client(port);
              ask_for_compression(client);
              exchange_lines(client, flush);
            });
    CHECK(log == Log{"!closed"});
  }
}

TEST_CASE("compression works inside TLS, which can't be started under it") {
  Identity identity;
  Rig rig;
  Log log;
  rig.run([&](Connection& c) { return tls_compress_and_echo(c, identity.context, log); },
          [&](std::uint16_t port) {
            Client client(port);
            TlsClient tls(client, {});
            CHECK(tls.ok());
            ask_for_compression(tls);
            exchange_lines(tls, Z_SYNC_FLUSH);
            tls.close_notify();
          });
  CHECK(log == Log{"!invalid", "!closed"});
}

TEST_CASE("compressed commands may come octet by octet, and many in one packet") {
  Rig rig;
  Log log;
  rig.run([&](Connection& c) { return compress_and_echo(c, 1000, log); },
          [&](std::uint16_t port) {
            Client client(port);
            ask_for_compression(client);
            DeflateClient<Client> compressed(client);
            const std::string slow = compressed.deflate("slowly now\r\n");
            for (const char octet : slow) {
              client.send({&octet, 1});
              std::this_thread::sleep_for(1ms);
            }
            CHECK(compressed.line() == "slowly now");
            std::string many;
            for (int i = 0; i < 20'000; ++i) many += "command " + std::to_string(i) + "\r\n";
            std::thread sender([&] { client.send(compressed.deflate(many)); });
            for (int i = 0; i < 20'000; ++i) {
              if (compressed.line() != "command " + std::to_string(i)) {
                FAIL_CHECK("answer " << i << " is another");
                break;
              }
            }
            sender.join();
          });
  CHECK(log == Log{"!closed"});
}

TEST_CASE("what a client sends with COMPRESS in one packet is taken as compressed") {
  Rig rig;
  Log log;
  rig.run([&](Connection& c) { return compress_and_echo(c, 1000, log); },
          [&](std::uint16_t port) {
            Client client(port);
            DeflateClient<Client> compressed(client);
            client.send("COMPRESS\r\n" + compressed.deflate("early\r\n"));
            CHECK(client.line() == "* before");
            CHECK(client.line() == "OK");
            CHECK(compressed.line() == "early");
            Client wrong(port);
            wrong.send("COMPRESS\r\nA2 NOOP\r\nA3 NOOP\r\n");
            CHECK(wrong.line() == "* before");
            CHECK(wrong.line() == "OK");
          });
  std::sort(log.begin(), log.end());
  CHECK(log == Log{"!closed", "!invalid"});
}

namespace {

Task<void> stay_broken(Connection& c, Log& log) {
  co_await agree(c);
  for (int i = 0; i < 2; ++i) {
    const auto line = co_await c.read_line(100, 5s);
    log.push_back(describe(line));
  }
  const auto wake = co_await c.wait_input(5s);
  log.push_back(describe(wake));
  c.queue("dropped");
  log.push_back(std::to_string(c.unsent()));
  const auto flushed = co_await c.flushed(5s);
  log.push_back(describe(flushed));
  co_await c.close(5s);
}

}  // namespace

TEST_CASE("what is not DEFLATE ends the connection, after what came before it was read") {
  Rig rig;
  Log log;
  rig.run([&](Connection& c) { return stay_broken(c, log); },
          [&](std::uint16_t port) {
            Client client(port);
            ask_for_compression(client);
            DeflateClient<Client> compressed(client);
            // A block of the type that there is none of.
            client.send(compressed.deflate("sound\r\n", Z_FULL_FLUSH) + "\x07\xff\xff\xff\xff");
            CHECK(compressed.rest().empty());
          });
  CHECK(log == Log{"sound", "!invalid", "!invalid", "0", "!invalid"});
}

TEST_CASE("a peer that ends its stream has closed the connection") {
  for (const bool half_closes : {true, false}) {
    CAPTURE(half_closes);
    Rig rig;
    Log log;
    rig.run([&](Connection& c) { return compress_and_echo(c, 100'000, log); },
            [&](std::uint16_t port) {
              Client client(port);
              ask_for_compression(client);
              DeflateClient<Client> compressed(client);
              const std::string last = words(60'000, 4);
              client.send(compressed.deflate(last + "\r\nand this\r\n", Z_FINISH));
              if (half_closes) client.half_close();
              CHECK(compressed.line() == last);
              CHECK(compressed.line() == "and this");
              CHECK(compressed.rest().empty());
              CHECK(compressed.inflate.ended());
            });
    CHECK(log == Log{"!closed"});
  }
}

TEST_CASE(
    "all commands before the end of the socket are read, however small they were compressed") {
  Rig rig;
  Log log;
  int answers = 0;
  rig.run([&](Connection& c) { return compress_and_echo(c, 1000, log); },
          [&](std::uint16_t port) {
            Client client(port);
            ask_for_compression(client);
            DeflateClient<Client> compressed(client);
            std::string many;
            for (int i = 0; i < 50'000; ++i) many += "NOOP\r\n";
            client.send(compressed.deflate(many));
            client.half_close();
            while (compressed.line() == "NOOP") ++answers;
          });
  CHECK(answers == 50'000);
  CHECK(log == Log{"!closed"});
}

namespace {

Task<void> serve_a_bomb(Connection& c, std::uint64_t zeros, Log& log) {
  co_await agree(c);
  // Unread for a while: IDLE, or a slow command.
  for (int i = 0; i < 3; ++i) {
    const auto wake = co_await c.wait_input(1s);
    log.push_back(describe(wake));
  }
  std::uint64_t read = 0;
  std::size_t most = 0;
  while (read < zeros) {
    const auto some = co_await c.read_some(1000, 10s);
    if (!some) break;
    most = std::max(most, some->size());
    read += some->size();
  }
  log.push_back(std::to_string(read) + " in pieces of up to " + std::to_string(most));
  co_await c.close(1s);
}

// About 1,000 zeros in every octet.
void send_zeros(Client& client, ZlibDeflate& deflate, std::uint64_t count) {
  const std::string some(1 << 20, '\0');
  for (; count >= some.size(); count -= some.size()) {
    if (!client.send(deflate(some, Z_NO_FLUSH))) return;
  }
}

}  // namespace

TEST_CASE("a compression bomb stays small while nobody reads it, and comes in small pieces") {
  constexpr std::uint64_t kGiB = 1 << 30;
  const std::size_t before = most_memory_kib();
  Rig rig;
  Log log;
  rig.run([&](Connection& c) { return serve_a_bomb(c, 4 << 20, log); },
          [&](std::uint16_t port) {
            Client client(port);
            ask_for_compression(client);
            ZlibDeflate deflate(Z_BEST_COMPRESSION);
            send_zeros(client, deflate, kGiB);
          });
  CHECK(log == Log{"input", "input", "input", "4194304 in pieces of up to 1000"});
  CHECK(most_memory_kib() - before < kAllowedKib);
}

TEST_CASE("a line that is a bomb is thrown away as it is inflated, while others are served") {
  Rig rig;
  Log log;
  Duration slowest{0};
  rig.run([&](Connection& c) { return compress_and_echo(c, 1000, log); },
          [&](std::uint16_t port) {
            Client client(port);
            ask_for_compression(client);
            DeflateClient<Client> compressed(client);
            // All of it in one packet or two.
            std::string zeros;
            for (int i = 0; i < 48; ++i) {
              zeros += compressed.deflate(std::string(1 << 20, '\0'), Z_NO_FLUSH);
            }
            client.send(zeros + compressed.deflate("\r\nnext\r\n"));
            Client other(port);
            ask_for_compression(other);
            DeflateClient<Client> beside(other);
            for (int i = 0; i < 10; ++i) {
              const SteadyTime asked = steady_now();
              beside.send("hello\r\n");
              CHECK(beside.line() == "hello");
              slowest = std::max(slowest, std::chrono::ceil<Duration>(steady_now() - asked));
            }
            CHECK(compressed.line() == "too long");
            CHECK(compressed.line() == "next");
          });
  CHECK(log == Log{"!closed", "!closed"});
  CHECK(slowest < 2s);
}

namespace {

constexpr std::size_t kPieces = 300;

std::string piece_of(std::size_t number) {
  const auto seed = static_cast<unsigned>(number);
  return number % 3 == 0 ? noise(20'000, seed) : words(20'000 + number * 100, seed);
}

Task<void> send_pieces(Connection& c, std::size_t& most_unsent, Log& log) {
  co_await agree(c);
  std::uint64_t octets = c.octets_out();
  for (std::size_t i = 0; i < kPieces; ++i) {
    const std::string piece = piece_of(i);
    octets += piece.size();
    c.queue(piece);
    const auto drained = co_await c.drained(5s);
    if (!drained) log.push_back(describe(drained));
    most_unsent = std::max(most_unsent, c.unsent());
  }
  log.push_back(octets == c.octets_out() ? "counted" : "miscounted");
  co_await c.close(10s);
  log.push_back(std::to_string(c.unsent()));
}

Task<void> queue_at_once(Connection& c, std::string octets) {
  co_await agree(c);
  c.queue(octets);
  co_await c.close(20s);
}

}  // namespace

TEST_CASE("much output reaches a slow reader whole and in order, without filling the memory") {
  Rig rig;
  Log log;
  std::size_t most_unsent = 0;
  rig.run([&](Connection& c) { return send_pieces(c, most_unsent, log); },
          [&](std::uint16_t port) {
            Client client(port, 4096);
            ask_for_compression(client);
            DeflateClient<Client> compressed(client);
            std::string all;
            for (int i = 0;; ++i) {
              const std::string more = client.receive(8192);
              if (more.empty()) break;
              all += compressed.inflate(more);
              if (i % 16 == 0) std::this_thread::sleep_for(1ms);
            }
            std::string expected;
            for (std::size_t i = 0; i < kPieces; ++i) expected += piece_of(i);
            CHECK(all == expected);
            CHECK(compressed.inflate.ended());
          });
  CHECK(log == Log{"counted", "0"});
  CHECK(most_unsent < kHighWater + 64 * 1024);
}

TEST_CASE("close() sends all that was queued and ends the stream") {
  for (const std::size_t size : {0U, 100U, 5'000U, 3'000'000U}) {
    CAPTURE(size);
    const std::string text = words(size, 77);
    Rig rig;
    rig.run([&](Connection& c) { return queue_at_once(c, text); },
            [&](std::uint16_t port) {
              Client client(port);
              ask_for_compression(client);
              DeflateClient<Client> compressed(client);
              CHECK(compressed.rest() == text);
              CHECK(compressed.inflate.ended());
            });
  }
}

namespace {

Task<void> answer_and_wait(Connection& c, std::size_t size, Log& log) {
  co_await agree(c);
  const std::string answer = words(size, 5) + "\r\n";
  c.queue(answer);
  const auto line = co_await c.read_line(100, 10s);
  log.push_back(describe(line));
  log.push_back(std::to_string(c.octets_in()));
  co_await c.close(5s);
}

}  // namespace

TEST_CASE("a flush withholds nothing: an answer can be read while both sides wait") {
  for (const std::size_t size : {1U, 500U, 4'094U, 4'095U, 16'000U, 64'000U, 70'000U, 400'000U}) {
    CAPTURE(size);
    Rig rig;
    Log log;
    rig.run([&](Connection& c) { return answer_and_wait(c, size, log); },
            [&](std::uint16_t port) {
              Client client(port);
              ask_for_compression(client);
              DeflateClient<Client> compressed(client);
              CHECK(compressed.line() == words(size, 5));
              compressed.send("thanks\r\n");
              CHECK(compressed.rest().empty());
            });
    CHECK(log == Log{"thanks", std::to_string(std::string("COMPRESS\r\nthanks\r\n").size())});
  }
}

namespace {

Task<void> vanish(Connection& c, std::string octets, bool abort) {
  co_await agree(c);
  c.start_compression();  // once is enough
  c.queue(octets);
  c.flush();
  if (abort) c.abort();
  // Gone while a worker has its octets.
}

Task<void> be_interrupted(Connection& c, Log& log) {
  co_await agree(c);
  const auto line = co_await c.read_line(100, 5s);
  log.push_back(describe(line));
  log.push_back(c.has_buffered_input() ? "more" : "no more");
  c.interrupt();
  log.push_back(c.has_buffered_input() ? "more" : "no more");
  const auto next = co_await c.read_line(100, 5s);
  log.push_back(describe(next));
  c.queue("bye\r\n");
  co_await c.close(5s);
}

}  // namespace

TEST_CASE("a connection may go while its output is being compressed") {
  for (const bool abort : {true, false}) {
    Rig rig;
    rig.run([&](Connection& c) { return vanish(c, words(500'000, 6), abort); },
            [&](std::uint16_t port) {
              for (int i = 0; i < 20; ++i) {
                Client client(port);
                client.send("COMPRESS\r\n");
                (void)client.rest();
              }
            });
  }
}

TEST_CASE("interrupt() ends the reads of a compressed connection, and it can say goodbye") {
  Rig rig;
  Log log;
  rig.run([&](Connection& c) { return be_interrupted(c, log); },
          [&](std::uint16_t port) {
            Client client(port);
            ask_for_compression(client);
            DeflateClient<Client> compressed(client);
            std::string many;
            for (int i = 0; i < 10'000; ++i) many += "a line of some length\r\n";
            compressed.send(many);
            CHECK(compressed.line() == "bye");
          });
  CHECK(log == Log{"a line of some length", "more", "no more", "!shutdown"});
}
