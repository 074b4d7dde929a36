#include "core/net/tls_context.h"

#include <array>
#include <openssl/cipher.h>
#include <openssl/hmac.h>

#include "core/base/clock.h"
#include "tests/net/rig.h"

using namespace twinpost;
using namespace twinpost::net;
using namespace twinpost::net::testing;
using twinpost::testing::make_certificate;
using twinpost::testing::TemporaryFolder;
using twinpost::testing::TestCertificateOptions;

namespace {

Error load_error(const CertificateFiles& files) {
  TlsSettings settings;
  settings.main = files;
  const auto loaded = load_tls_context(settings, nullptr);
  REQUIRE_FALSE(loaded);
  return loaded.error();
}

bool names(const Error& error, const std::string& file, const std::string& what) {
  CAPTURE(error.message);
  CHECK(error.message.find(file) != std::string::npos);
  CHECK(error.message.find(what) != std::string::npos);
  CHECK(error.message.find('\n') == std::string::npos);
  return true;
}

}  // namespace

TEST_CASE("each way in which certificate files can be wrong has an error that names the file") {
  const TemporaryFolder folder;
  const auto good = make_certificate({"a.example.org"});
  const auto other = make_certificate({"b.example.org"});
  const std::string certificate = folder.write("cert.pem", good.pem);
  const std::string key = folder.write("key.pem", good.key_pem);
  const std::string other_key = folder.write("other.pem", other.key_pem);

  names(load_error({folder.file("none.pem"), key}), folder.file("none.pem"), "No such file");
  names(load_error({certificate, folder.file("none.pem")}), folder.file("none.pem"),
        "No such file");
  names(load_error({folder.write("text.pem", "hello\n"), key}), folder.file("text.pem"),
        "no PEM certificate");
  names(load_error({key, key}), key, "no PEM certificate");
  names(load_error({certificate, certificate}), certificate, "no PEM private key");
  names(load_error({certificate, other_key}), other_key, "does not fit");
  names(load_error({folder.file(""), key}), folder.file(""), "directory");

  std::string broken = good.pem;
  broken.replace(100, 10, "**********");
  names(load_error({folder.write("broken.pem", broken), key}), folder.file("broken.pem"), "");
  const std::string cut = good.pem.substr(0, good.pem.size() / 2);
  names(load_error({folder.write("cut.pem", cut), key}), folder.file("cut.pem"), "");
  const std::string encrypted = folder.write("enc.pem", twinpost::testing::encrypted_key_pem(good));
  names(load_error({certificate, encrypted}), encrypted, "passphrase");
  const std::string turned = folder.write("turned.pem", other.pem + good.pem);
  names(load_error({turned, key}), turned, "must come first");
  const std::string large = folder.write("large.pem", std::string(2'000'000, 'x'));
  names(load_error({large, key}), large, "larger than 1 MiB");
}

TEST_CASE("a chain may follow the certificate, and one file may hold certificate and key") {
  const TemporaryFolder folder;
  const auto issuer = make_certificate({});
  TestCertificateOptions options;
  options.issuer = &issuer;
  const auto leaf = make_certificate({"a.example.org"}, options);
  TlsSettings settings;
  settings.main.certificate = folder.write("all.pem", leaf.key_pem + leaf.pem + issuer.pem);
  settings.main.key = settings.main.certificate;
  CHECK(load_tls_context(settings, nullptr));
}

TEST_CASE(
    "names come from subjectAltName, one label for a wildcard, and from the CN where there are "
    "none") {
  const Identity files("unused");
  TlsContext context(std::make_shared<TicketKeys>());
  REQUIRE(context.add(files.add("main.example.org", {"main.example.org", "both.example.org"})));
  REQUIRE(context.add(files.add("wild", {"*.Wild.example.org", "both.example.org"})));
  REQUIRE(context.add(files.add("cn.example.org", {})));
  SSL_CTX* main = context.find("main.example.org");
  SSL_CTX* wild = context.find("a.wild.example.org");
  SSL_CTX* common = context.find("cn.example.org");
  REQUIRE(main != nullptr);
  REQUIRE(wild != nullptr);
  REQUIRE(common != nullptr);
  CHECK(main != wild);
  CHECK(context.find("MAIN.Example.ORG") == main);
  CHECK(context.find("main.example.org.") == main);
  CHECK(context.find("B.WILD.example.org") == wild);
  CHECK(context.find("both.example.org") == wild);  // configured for SNI: it wins over the main one
  CHECK(context.find("wild") == nullptr);           // the CN does not count beside a dNSName
  for (const char* unknown : {"", ".", "x", "wild.example.org", "a.b.wild.example.org",
                              ".wild.example.org", "*.example.org", "example.org"}) {
    CAPTURE(unknown);
    CHECK(context.find(unknown) == nullptr);
  }
}

TEST_CASE("the expiry of the first certificate to end is told, and an ended one is no error") {
  const Identity files("unused");
  TlsSettings settings;
  settings.main = files.add("long", {"long.example.org"}, 100'000);
  settings.sni.push_back(files.add("short", {"short.example.org"}, 5'000));
  auto context = load_tls_context(settings, nullptr);
  REQUIRE(context);
  CHECK(seconds_until_expiry(**context) <= 5'000);
  CHECK(seconds_until_expiry(**context) > 4'900);
  settings.sni.push_back(files.add("ended", {"ended.example.org"}, -60));
  context = load_tls_context(settings, nullptr);
  REQUIRE(context);
  CHECK(seconds_until_expiry(**context) <= -60);
}

TEST_CASE("one bad certificate for SNI fails the whole") {
  const Identity files("unused");
  TlsSettings settings;
  settings.main = files.add("main", {"main.example.org"});
  settings.sni.push_back(CertificateFiles{"/nonexistent/sni.pem", settings.main.key});
  const auto context = load_tls_context(settings, nullptr);
  REQUIRE_FALSE(context);
  CHECK(context.error().message.find("/nonexistent/sni.pem") != std::string::npos);
}

TEST_CASE("ticket keys seal for a day and open for one more") {
  TicketKeys keys;
  const SteadyTime start = steady_now();
  std::array<std::uint8_t, 16> name{};
  std::array<std::uint8_t, 16> iv{};
  const auto prepare = [&](bool sealing, SteadyTime now) {
    bssl::ScopedEVP_CIPHER_CTX cipher;
    bssl::ScopedHMAC_CTX hmac;
    return keys.prepare(name.data(), iv.data(), cipher.get(), hmac.get(), sealing, now);
  };
  CHECK(prepare(true, start) == 1);
  const auto first = name;
  CHECK(prepare(false, start + std::chrono::hours(23)) == 1);
  CHECK(prepare(false, start + std::chrono::hours(25)) == 2);  // good, and renewed
  CHECK(prepare(true, start + std::chrono::hours(26)) == 1);
  CHECK(name != first);
  name = first;
  CHECK(prepare(false, start + std::chrono::hours(50)) == 0);
  name.fill(1);
  CHECK(prepare(false, start + std::chrono::hours(50)) == 0);
}
