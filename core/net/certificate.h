// One certificate chain with its key, read from PEM files and checked. Blocking file I/O.
#pragma once

#include <cstdint>
#include <openssl/base.h>
#include <openssl/x509.h>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/net/tls.h"

namespace twinpost::net {

struct Certificate {
  std::vector<bssl::UniquePtr<X509>> chain;  // the leaf first
  bssl::UniquePtr<EVP_PKEY> key;
  std::vector<std::string> names;  // lower case, "*.example.org" included
  std::int64_t not_before = 0;     // Unix time
  std::int64_t not_after = 0;
};

// The error names the file that is at fault.
[[nodiscard]] Result<Certificate> load_certificate(const CertificateFiles& files);

// BoringSSL's newest error of this thread in lower-case words ("http request"), then forgets them
// all.
[[nodiscard]] std::string take_tls_error();

}  // namespace twinpost::net
