// Certificates for tests, made when the test runs: ECDSA P-256, self-signed or signed by another of
// these.
//
// Header-only. Needs nothing but BoringSSL's libcrypto, which twinpost_base brings along; every
// test program can include it.
//
//   const testing::TemporaryFolder folder;
//   const auto certificate = testing::make_certificate({"mail.example.org", "*.example.org"});
//   const net::CertificateFiles... {folder.write("cert.pem", certificate.pem),
//   folder.write("key.pem", certificate.key_pem)}
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <openssl/base.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdexcept>
#include <stdlib.h>
#include <string>
#include <vector>

namespace twinpost::testing {

struct TestCertificate {
  std::string pem;
  std::string key_pem;
};

struct TestCertificateOptions {
  std::string common_name = "test.example.org";
  long valid_from_seconds = -3600;  // from now
  long valid_until_seconds = 30L * 86'400;
  const TestCertificate* issuer = nullptr;  // null: self-signed
};

namespace certificate_detail {

template <class T>
T* checked(T* pointer) {
  if (pointer == nullptr) throw std::runtime_error("test certificate: BoringSSL failed");
  return pointer;
}

inline void checked_ok(int result) {
  if (result != 1) throw std::runtime_error("test certificate: BoringSSL failed");
}

inline std::string contents(BIO* bio) {
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
  checked_ok(BIO_mem_contents(bio, &data, &size));
  return {reinterpret_cast<const char*>(data), size};
}

inline bssl::UniquePtr<EVP_PKEY> make_key() {
  const bssl::UniquePtr<EC_KEY> ec(checked(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1)));
  checked_ok(EC_KEY_generate_key(ec.get()));
  bssl::UniquePtr<EVP_PKEY> key(checked(EVP_PKEY_new()));
  checked_ok(EVP_PKEY_set1_EC_KEY(key.get(), ec.get()));
  return key;
}

inline void set_common_name(X509_NAME* name, const std::string& text) {
  checked_ok(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                        reinterpret_cast<const std::uint8_t*>(text.data()),
                                        static_cast<int>(text.size()), -1, 0));
}

inline void add_dns_names(X509* x509, const std::vector<std::string>& dns_names) {
  if (dns_names.empty()) return;
  const bssl::UniquePtr<GENERAL_NAMES> names(checked(sk_GENERAL_NAME_new_null()));
  for (const std::string& dns_name : dns_names) {
    bssl::UniquePtr<ASN1_IA5STRING> text(checked(ASN1_IA5STRING_new()));
    checked_ok(ASN1_STRING_set(text.get(), dns_name.data(), static_cast<int>(dns_name.size())));
    bssl::UniquePtr<GENERAL_NAME> name(checked(GENERAL_NAME_new()));
    GENERAL_NAME_set0_value(name.get(), GEN_DNS, text.release());
    checked_ok(bssl::PushToStack(names.get(), std::move(name)) ? 1 : 0);
  }
  checked_ok(X509_add1_ext_i2d(x509, NID_subject_alt_name, names.get(), 0, 0));
}

inline bssl::UniquePtr<BIO> reader(const std::string& text) {
  return bssl::UniquePtr<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

}  // namespace certificate_detail

inline TestCertificate make_certificate(const std::vector<std::string>& dns_names,
                                        const TestCertificateOptions& options = {}) {
  using namespace certificate_detail;
  const bssl::UniquePtr<EVP_PKEY> key = make_key();
  const bssl::UniquePtr<X509> x509(checked(X509_new()));
  checked_ok(X509_set_version(x509.get(), 2));
  static std::int64_t serial = 1;
  checked_ok(ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), static_cast<long>(serial++)));
  checked(X509_gmtime_adj(X509_getm_notBefore(x509.get()), options.valid_from_seconds));
  checked(X509_gmtime_adj(X509_getm_notAfter(x509.get()), options.valid_until_seconds));
  set_common_name(X509_get_subject_name(x509.get()), options.common_name);
  checked_ok(X509_set_pubkey(x509.get(), key.get()));
  add_dns_names(x509.get(), dns_names);
  if (options.issuer != nullptr) {
    const bssl::UniquePtr<X509> issuer(
        checked(PEM_read_bio_X509(reader(options.issuer->pem).get(), nullptr, nullptr, nullptr)));
    const bssl::UniquePtr<EVP_PKEY> issuer_key(checked(
        PEM_read_bio_PrivateKey(reader(options.issuer->key_pem).get(), nullptr, nullptr, nullptr)));
    checked_ok(X509_set_issuer_name(x509.get(), X509_get_subject_name(issuer.get())));
    if (X509_sign(x509.get(), issuer_key.get(), EVP_sha256()) <= 0) checked_ok(0);
  } else {
    checked_ok(X509_set_issuer_name(x509.get(), X509_get_subject_name(x509.get())));
    if (X509_sign(x509.get(), key.get(), EVP_sha256()) <= 0) checked_ok(0);
  }

  TestCertificate made;
  const bssl::UniquePtr<BIO> out(checked(BIO_new(BIO_s_mem())));
  checked_ok(PEM_write_bio_X509(out.get(), x509.get()));
  made.pem = contents(out.get());
  const bssl::UniquePtr<BIO> key_out(checked(BIO_new(BIO_s_mem())));
  checked_ok(
      PEM_write_bio_PrivateKey(key_out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr));
  made.key_pem = contents(key_out.get());
  return made;
}

// The key alone, encrypted with a passphrase.
inline std::string encrypted_key_pem(const TestCertificate& certificate) {
  using namespace certificate_detail;
  const bssl::UniquePtr<EVP_PKEY> key(checked(
      PEM_read_bio_PrivateKey(reader(certificate.key_pem).get(), nullptr, nullptr, nullptr)));
  const bssl::UniquePtr<BIO> out(checked(BIO_new(BIO_s_mem())));
  std::string passphrase = "passphrase";
  checked_ok(PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), EVP_aes_256_cbc(),
                                           passphrase.data(), static_cast<int>(passphrase.size()),
                                           nullptr, nullptr));
  return contents(out.get());
}

// An empty folder of its own, removed with all that is in it at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "twinpost-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }
  // Writes the file and returns its path.
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return file(name);
  }

 private:
  std::filesystem::path path_;
};

}  // namespace twinpost::testing
