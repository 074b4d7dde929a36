#include "core/net/tls_context.h"

#include <algorithm>
#include <fmt/format.h>
#include <openssl/err.h>

#include "core/base/ascii.h"
#include "core/base/clock.h"
#include "core/base/log.h"

namespace twinpost::net {

namespace {

// TLS 1.2 with forward secrecy only (RFC 9325 section 4.1 does away with static RSA); AES-CBC stays
// at the end of the list for mail programs that are older than AES-GCM. The suites of TLS 1.3 are
// not in this list's reach.
constexpr const char* kTls12Ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!3DES:!aPSK";

constexpr std::string_view kSessionContext = "twinpost";

int context_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

int alpn_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

const TlsContext& context_of(const SSL* ssl) {
  return *static_cast<const TlsContext*>(
      SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_index()));
}

std::string_view alpn_name(Alpn alpn) {
  switch (alpn) {
    case Alpn::kNone: return {};
    case Alpn::kImap: return "imap";
    case Alpn::kPop3: return "pop3";
  }
  return {};
}

int choose_certificate(SSL* ssl, int*, void*) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  SSL_CTX* chosen = context_of(ssl).find(name);
  if (chosen == nullptr) return SSL_TLSEXT_ERR_NOACK;
  if (chosen != SSL_get_SSL_CTX(ssl)) SSL_set_SSL_CTX(ssl, chosen);
  return SSL_TLSEXT_ERR_OK;
}

// RFC 7301 section 3.2 would have us refuse a client that offers only unknown names; mail programs
// exist that offer names of HTTP, and they get their mail.
int choose_alpn(SSL* ssl, const std::uint8_t** out, std::uint8_t* out_size, const std::uint8_t* in,
                unsigned in_size, void*) {
  const auto* alpn = static_cast<const Alpn*>(SSL_get_ex_data(ssl, alpn_index()));
  const std::string_view accepted = alpn == nullptr ? std::string_view{} : alpn_name(*alpn);
  const std::string_view offered(reinterpret_cast<const char*>(in), in_size);
  for (std::size_t at = 0; !accepted.empty() && at < offered.size();) {
    const auto size = static_cast<std::size_t>(static_cast<unsigned char>(offered[at]));
    if (at + 1 + size > offered.size()) break;
    if (offered.substr(at + 1, size) == accepted) {
      *out = in + at + 1;
      *out_size = static_cast<std::uint8_t>(size);
      return SSL_TLSEXT_ERR_OK;
    }
    at += 1 + size;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

int prepare_ticket(SSL* ssl, std::uint8_t* key_name, std::uint8_t* iv, EVP_CIPHER_CTX* cipher,
                   HMAC_CTX* hmac, int sealing) {
  return context_of(ssl).tickets()->prepare(key_name, iv, cipher, hmac, sealing != 0, steady_now());
}

// Everything that is the same for every certificate: SSL_set_SSL_CTX() takes ALPN and tickets over,
// too.
bool apply_policy(SSL_CTX* context) {
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  // Tickets are all the state there is of a session: nothing is kept here for a client that may
  // come back.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_tlsext_servername_callback(context, choose_certificate);
  SSL_CTX_set_alpn_select_cb(context, choose_alpn, nullptr);
  SSL_CTX_set_tlsext_ticket_key_cb(context, prepare_ticket);
  SSL_CTX_set_session_id_context(context,
                                 reinterpret_cast<const std::uint8_t*>(kSessionContext.data()),
                                 kSessionContext.size());
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_strict_cipher_list(context, kTls12Ciphers) == 1;
}

bool use(SSL_CTX* context, const Certificate& certificate) {
  if (SSL_CTX_use_certificate(context, certificate.chain.front().get()) != 1) return false;
  for (std::size_t i = 1; i < certificate.chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, certificate.chain[i].get()) != 1) return false;
  }
  return SSL_CTX_use_PrivateKey(context, certificate.key.get()) == 1;
}

void warn_of_dates(const CertificateFiles& files, const Certificate& certificate) {
  const std::int64_t now = unix_now().time_since_epoch().count();
  if (certificate.not_after < now) {
    log::warning(
        "certificate_expired",
        {{"file", files.certificate},
         {"ended", format_rfc3339(UnixTime(std::chrono::seconds(certificate.not_after)))}});
  }
  if (certificate.not_before > now) {
    log::warning(
        "certificate_not_yet_valid",
        {{"file", files.certificate},
         {"begins", format_rfc3339(UnixTime(std::chrono::seconds(certificate.not_before)))}});
  }
}

}  // namespace

Result<void> TlsContext::add(const CertificateFiles& files) {
  const auto certificate = load_certificate(files);
  if (!certificate) return tl::unexpected(certificate.error());
  bssl::UniquePtr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()));
  if (!context || !apply_policy(context.get()) ||
      SSL_CTX_set_ex_data(context.get(), context_index(), this) != 1) {
    return fail(ErrorCode::kTls, "TLS can't be set up: " + take_tls_error());
  }
  ERR_clear_error();
  if (!use(context.get(), *certificate)) {
    return fail(ErrorCode::kInvalid,
                fmt::format("certificate {}: {}", files.certificate, take_tls_error()));
  }
  warn_of_dates(files, *certificate);
  for (const std::string& name : certificate->names) add_name(name, context.get());
  first_expiry_ = std::min(first_expiry_, certificate->not_after);
  contexts_.push_back(std::move(context));
  return {};
}

// Of two certificates with one name the later wins: the main one comes first, those for SNI were
// chosen for it.
void TlsContext::add_name(const std::string& name, SSL_CTX* context) {
  if (name.starts_with("*.")) {
    wildcards_[name.substr(1)] = context;
  } else {
    names_[name] = context;
  }
}

bssl::UniquePtr<SSL> TlsContext::make_ssl(Alpn alpn) const {
  static constexpr Alpn kKnown[] = {Alpn::kNone, Alpn::kImap, Alpn::kPop3};
  bssl::UniquePtr<SSL> ssl(SSL_new(contexts_.front().get()));
  if (!ssl) return nullptr;
  const auto* known = std::find(std::begin(kKnown), std::end(kKnown), alpn);
  SSL_set_ex_data(ssl.get(), alpn_index(), const_cast<Alpn*>(known));
  SSL_set_shed_handshake_config(ssl.get(), 1);
  SSL_set_accept_state(ssl.get());
  return ssl;
}

SSL_CTX* TlsContext::find(std::string_view server_name) const {
  std::string name = ascii::lower(server_name);
  if (name.ends_with('.')) name.pop_back();
  if (const auto exact = names_.find(name); exact != names_.end()) return exact->second;
  // RFC 6125 section 6.4.3: the "*" stands for exactly one label.
  const std::size_t dot = name.find('.');
  if (dot == std::string::npos || dot == 0) return nullptr;
  const auto wildcard = wildcards_.find(std::string_view(name).substr(dot));
  return wildcard == wildcards_.end() ? nullptr : wildcard->second;
}

Result<TlsContextPtr> load_tls_context(const TlsSettings& settings, TlsContextPtr previous) {
  auto context =
      std::make_shared<TlsContext>(previous ? previous->tickets() : std::make_shared<TicketKeys>());
  if (auto added = context->add(settings.main); !added) return tl::unexpected(added.error());
  for (const CertificateFiles& files : settings.sni) {
    if (auto added = context->add(files); !added) return tl::unexpected(added.error());
  }
  return TlsContextPtr(std::move(context));
}

std::int64_t seconds_until_expiry(const TlsContext& context) {
  return context.first_expiry() - unix_now().time_since_epoch().count();
}

}  // namespace twinpost::net
