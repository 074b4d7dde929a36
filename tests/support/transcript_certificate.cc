#include "tests/support/transcript_certificate.h"

#include <cstdio>
#include <memory>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdexcept>

namespace twinpost::testing {
namespace {

void check(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string("making a certificate: ") + what);
}

bssl::UniquePtr<EVP_PKEY> make_key() {
  bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
  check(ec && EC_KEY_generate_key(ec.get()) == 1, "key");
  bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
  check(key && EVP_PKEY_set1_EC_KEY(key.get(), ec.get()) == 1, "key");
  return key;
}

void add_names(X509* certificate) {
  X509_NAME* name = X509_get_subject_name(certificate);
  const auto* common = reinterpret_cast<const unsigned char*>("localhost");
  check(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common, -1, -1, 0) == 1, "subject");
  check(X509_set_issuer_name(certificate, name) == 1, "issuer");
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  bssl::UniquePtr<X509_EXTENSION> names(X509V3_EXT_nconf_nid(
      nullptr, &context, NID_subject_alt_name, const_cast<char*>("DNS:localhost,IP:127.0.0.1")));
  check(names && X509_add_ext(certificate, names.get(), -1) == 1, "subjectAltName");
}

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

void make_certificate(const std::string& certificate_path, const std::string& key_path) {
  const auto key = make_key();
  bssl::UniquePtr<X509> certificate(X509_new());
  check(certificate && X509_set_version(certificate.get(), 2) == 1, "version");
  check(ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1) == 1, "serial");
  check(X509_gmtime_adj(X509_get_notBefore(certificate.get()), -3600) != nullptr, "time");
  check(X509_gmtime_adj(X509_get_notAfter(certificate.get()), 86400) != nullptr, "time");
  check(X509_set_pubkey(certificate.get(), key.get()) == 1, "public key");
  add_names(certificate.get());
  check(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0, "signature");

  std::unique_ptr<std::FILE, CloseFile> file(std::fopen(certificate_path.c_str(), "we"));
  check(file && PEM_write_X509(file.get(), certificate.get()) == 1, "certificate file");
  file.reset(std::fopen(key_path.c_str(), "we"));
  check(file &&
            PEM_write_PrivateKey(file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1,
        "key file");
}

}  // namespace twinpost::testing
