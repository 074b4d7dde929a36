// The client's side of TLS for NetConnection: contexts, the check of certificates and what to say
// when it fails.
#pragma once

#include <openssl/ssl.h>
#include <string>

#include "core/base/error.h"
#include "tools/twinpost/transfer/net_connection.h"

namespace twinpost::tools {

// What the check of the other side's certificate found wrong; empty where nothing.
struct CertificateProblem {
  std::string text;
};

// A client SSL on `fd` (which does not block) in which nothing has happened yet. It asks for the
// host by SNI, takes TLS 1.2 and later, and checks the certificate as `trust` says, during the
// handshake; what is wrong then is in `problem`, which outlives it.
[[nodiscard]] Result<bssl::UniquePtr<SSL>> make_client_ssl(int fd, const std::string& host,
                                                           const TlsTrust& trust,
                                                           CertificateProblem& problem);

// After the handshake: kTls where a fingerprint is asked for and the certificate has another.
[[nodiscard]] Result<void> check_fingerprint(const SSL* ssl, const TlsTrust& trust);

// The 64 lower-case hexadecimal digits, or kInvalid.
[[nodiscard]] Result<std::string> normal_fingerprint(std::string_view text);

}  // namespace twinpost::tools
