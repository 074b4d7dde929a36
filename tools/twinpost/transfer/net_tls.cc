#include "tools/twinpost/transfer/net_tls.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "core/base/ascii.h"
#include "core/base/encoding.h"
#include "core/net/certificate.h"

namespace twinpost::tools {

namespace {

constexpr const char* kSystemFile = "/etc/ssl/certs/ca-certificates.crt";
constexpr const char* kSystemFolder = "/etc/ssl/certs";

// BoringSSL's own BIO of a socket writes without MSG_NOSIGNAL: a server that goes away would end
// the tool by SIGPIPE.
int fd_of(BIO* bio) { return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio))); }

int finish_io(BIO* bio, ssize_t count, int retry_flags) {
  BIO_clear_retry_flags(bio);
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
    BIO_set_flags(bio, retry_flags | BIO_FLAGS_SHOULD_RETRY);
  return static_cast<int>(count);
}

int write_socket(BIO* bio, const char* octets, int count) {
  return finish_io(bio, ::send(fd_of(bio), octets, static_cast<std::size_t>(count), MSG_NOSIGNAL),
                   BIO_FLAGS_WRITE);
}

int read_socket(BIO* bio, char* octets, int count) {
  return finish_io(bio, ::recv(fd_of(bio), octets, static_cast<std::size_t>(count), 0),
                   BIO_FLAGS_READ);
}

long control_socket(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO_METHOD* socket_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_TYPE_SOCKET, "socket without SIGPIPE");
    if (made != nullptr) {
      BIO_meth_set_write(made, write_socket);
      BIO_meth_set_read(made, read_socket);
      BIO_meth_set_ctrl(made, control_socket);
    }
    return made;
  }();
  return method;
}

bool is_address(const std::string& host) {
  in6_addr address{};
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

std::string fingerprint_of(const X509* certificate) {
  std::uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest, &size) != 1) return {};
  return hex_encode({reinterpret_cast<const char*>(digest), size});
}

// The names of a certificate, for an admin who compares.
std::string names_of(X509* certificate) {
  std::string names;
  auto* list = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (std::size_t i = 0; list != nullptr && i < sk_GENERAL_NAME_num(list) && i < 10; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(list, i);
    if (name->type != GEN_DNS) continue;
    const ASN1_STRING* text = name->d.dNSName;
    if (!names.empty()) names += ", ";
    names += ascii::printable({reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                               static_cast<std::size_t>(ASN1_STRING_length(text))});
  }
  GENERAL_NAMES_free(list);
  return names.empty() ? "no host name" : names;
}

std::string problem_text(X509_STORE_CTX* store, X509* leaf) {
  const int error = X509_STORE_CTX_get_error(store);
  const std::string print = leaf == nullptr ? std::string() : fingerprint_of(leaf);
  const std::string hint =
      fmt::format("; if it is the right server: --fingerprint {} or --ca-file", print);
  switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return fmt::format("the certificate is for another host ({})", names_of(leaf)) + hint;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return "the certificate comes from no known CA" + hint;
    default:
      return fmt::format("the certificate is not good ({})", X509_verify_cert_error_string(error)) +
             hint;
  }
}

int on_certificate(int good, X509_STORE_CTX* store) {
  if (good == 1) return 1;
  const auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* problem = static_cast<CertificateProblem*>(SSL_get_app_data(ssl));
  X509* leaf = X509_STORE_CTX_get0_cert(store);
  if (problem != nullptr && problem->text.empty()) problem->text = problem_text(store, leaf);
  return 0;
}

Result<void> load_authorities(SSL_CTX* context, const TlsTrust& trust) {
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  if (!trust.ca_file.empty()) {
    if (X509_STORE_load_locations(store, trust.ca_file.c_str(), nullptr) != 1) {
      return fail(ErrorCode::kInvalid, fmt::format("{}: no certificates can be read from it: {}",
                                                   trust.ca_file, net::take_tls_error()));
    }
    // What the admin names is trusted, also where it is the server's own certificate and no CA's.
    X509_VERIFY_PARAM_set_flags(X509_STORE_get0_param(store), X509_V_FLAG_PARTIAL_CHAIN);
    return {};
  }
  const bool has_file = ::access(kSystemFile, R_OK) == 0;
  if (X509_STORE_load_locations(store, has_file ? kSystemFile : nullptr, kSystemFolder) != 1) {
    return fail(ErrorCode::kTls,
                fmt::format("the system's CAs can't be read from {} (package ca-certificates): {}",
                            kSystemFolder, net::take_tls_error()));
  }
  ERR_clear_error();
  return {};
}

bool set_expected_host(SSL* ssl, const std::string& host) {
  X509_VERIFY_PARAM* param = SSL_get0_param(ssl);
  if (is_address(host)) return X509_VERIFY_PARAM_set1_ip_asc(param, host.c_str()) == 1;
  X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return X509_VERIFY_PARAM_set1_host(param, host.data(), host.size()) == 1;
}

tl::unexpected<Error> no_tls() {
  return fail(ErrorCode::kTls, "TLS can't be set up: " + net::take_tls_error());
}

}  // namespace

Result<bssl::UniquePtr<SSL>> make_client_ssl(int fd, const std::string& host, const TlsTrust& trust,
                                             CertificateProblem& problem) {
  ERR_clear_error();
  bssl::UniquePtr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1)
    return no_tls();
  const bool checks_chain = !trust.insecure && trust.fingerprint.empty();
  if (checks_chain) {
    if (auto loaded = load_authorities(context.get(), trust); !loaded)
      return tl::unexpected(std::move(loaded.error()));
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, on_certificate);
  } else {
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  }
  bssl::UniquePtr<SSL> ssl(SSL_new(context.get()));
  if (!ssl) return no_tls();
  if (checks_chain && !set_expected_host(ssl.get(), host)) return no_tls();
  if (!is_address(host) && SSL_set_tlsext_host_name(ssl.get(), host.c_str()) != 1) {
    return fail(ErrorCode::kInvalid, fmt::format("{}: no host name that TLS can ask for", host));
  }
  BIO* bio = BIO_new(socket_method());
  if (bio == nullptr) return no_tls();
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)));
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl.get(), bio, bio);
  SSL_set_app_data(ssl.get(), reinterpret_cast<char*>(&problem));
  SSL_set_connect_state(ssl.get());
  return ssl;
}

Result<void> check_fingerprint(const SSL* ssl, const TlsTrust& trust) {
  if (trust.fingerprint.empty()) return {};
  auto expected = normal_fingerprint(trust.fingerprint);
  if (!expected) return tl::unexpected(std::move(expected.error()));
  const bssl::UniquePtr<X509> certificate(SSL_get_peer_certificate(ssl));
  const std::string found = certificate ? fingerprint_of(certificate.get()) : std::string();
  if (found == *expected) return {};
  return fail(ErrorCode::kTls, fmt::format("the certificate has another fingerprint: {}", found));
}

Result<std::string> normal_fingerprint(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != ':') digits += ascii::to_lower(c);
  }
  if (digits.size() == 64 && hex_decode(digits)) return digits;
  return fail(
      ErrorCode::kInvalid,
      "--fingerprint is the certificate's SHA-256, 64 hexadecimal digits (openssl x509 -noout "
      "-fingerprint -sha256)");
}

}  // namespace twinpost::tools
