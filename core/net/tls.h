// TLS contexts: certificates, versions, ALPN, session tickets. The only header that a frontend sees
// of TLS.
//
// TLS 1.2 and 1.3 (RFC 8314 section 4.1), certificates chosen by SNI (RFC 6066 section 3), session
// tickets whose keys outlive a reload, ALPN "imap" or "pop3" where the client offers it (RFC 7301;
// a client that offers only unknown names is let in without ALPN). A TlsContext never changes: a
// reload makes another one and running sessions keep the one they began with.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace twinpost::net {

struct CertificateFiles {
  std::string certificate;  // PEM, the leaf first, then the chain
  std::string key;          // PEM
};

struct TlsSettings {
  CertificateFiles main;
  // Chosen by the names in each certificate: subjectAltName with wildcards, the CN where there is none.
  // Of two certificates with the same name the one that stands later here wins, and over `main`.
  std::vector<CertificateFiles> sni;
};

class TlsContext;  // one server identity; opaque outside core/net
using TlsContextPtr = std::shared_ptr<const TlsContext>;

// Reads and checks the files: each key must fit its certificate. The error names the file and what
// is wrong with it. `previous`, where there is one, lends its ticket keys. Does file I/O: call it
// at start, or on a worker.
[[nodiscard]] Result<TlsContextPtr> load_tls_context(const TlsSettings& settings,
                                                     TlsContextPtr previous);

// Seconds until the first of the certificates ends; negative when one has ended.
[[nodiscard]] std::int64_t seconds_until_expiry(const TlsContext& context);

}  // namespace twinpost::net
