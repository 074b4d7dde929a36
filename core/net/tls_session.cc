#include "core/net/tls_session.h"

#include <algorithm>
#include <array>
#include <new>
#include <openssl/bio.h>
#include <openssl/err.h>

namespace twinpost::net {

namespace {
constexpr std::size_t kMaxRecord = SSL3_RT_MAX_PLAIN_LENGTH;
// Header, explicit nonce, tag, and the content type of TLS 1.3: enough for every suite that we
// offer.
constexpr std::size_t kRecordOverhead = 96;
}  // namespace

// The BIO between BoringSSL and the session's in_ and out_.
struct WireBio {
  static int read(BIO* bio, char* buffer, int size) {
    BIO_clear_retry_flags(bio);
    std::string_view& in = static_cast<TlsSession*>(BIO_get_data(bio))->in_;
    if (in.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const std::size_t count = std::min(in.size(), static_cast<std::size_t>(size));
    std::copy_n(in.data(), count, buffer);
    in.remove_prefix(count);
    return static_cast<int>(count);
  }

  static int write(BIO* bio, const char* data, int size) {
    std::string* out = static_cast<TlsSession*>(BIO_get_data(bio))->out_;
    if (out == nullptr) return -1;
    out->append(data, static_cast<std::size_t>(size));
    return size;
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static const BIO_METHOD* method() {
    static const BIO_METHOD* const made = [] {
      BIO_METHOD* fresh = BIO_meth_new(0, nullptr);
      if (fresh == nullptr) throw std::bad_alloc();
      BIO_meth_set_read(fresh, read);
      BIO_meth_set_write(fresh, write);
      BIO_meth_set_ctrl(fresh, control);
      return fresh;
    }();
    return made;
  }
};

TlsSession::TlsSession(TlsContextPtr context, Alpn alpn)
    : context_(std::move(context)), ssl_(context_->make_ssl(alpn)) {
  BIO* bio = BIO_new(WireBio::method());
  if (!ssl_ || bio == nullptr) throw std::bad_alloc();
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);  // one reference serves both directions
}

TlsSession::~TlsSession() = default;

TlsSession::Progress TlsSession::failed() {
  error_ = take_tls_error();
  return Progress::kFailed;
}

TlsSession::Progress TlsSession::receive(std::string_view wire, std::string& plain,
                                         std::string& out) {
  in_ = wire;
  out_ = &out;
  ERR_clear_error();
  Progress progress = established_ ? Progress::kGoesOn : handshake();
  if (progress == Progress::kGoesOn && established_) progress = open(plain);
  in_ = {};
  out_ = nullptr;
  return progress;
}

TlsSession::Progress TlsSession::handshake() {
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    established_ = true;
    return Progress::kGoesOn;
  }
  if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ) return Progress::kGoesOn;
  return failed();
}

TlsSession::Progress TlsSession::open(std::string& plain) {
  std::array<char, kMaxRecord> record;
  for (;;) {
    const int result = SSL_read(ssl_.get(), record.data(), static_cast<int>(record.size()));
    if (result > 0) {
      plain.append(record.data(), static_cast<std::size_t>(result));
      continue;
    }
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ: return Progress::kGoesOn;
      case SSL_ERROR_ZERO_RETURN: return Progress::kEnded;
      default: return failed();
    }
  }
}

bool TlsSession::seal(std::string_view plain, std::string& out) {
  out.reserve(out.size() + plain.size() + (plain.size() / kMaxRecord + 1) * kRecordOverhead);
  out_ = &out;
  ERR_clear_error();
  bool good = true;
  while (good && !plain.empty()) {
    const std::size_t count = std::min(plain.size(), kMaxRecord);
    good = SSL_write(ssl_.get(), plain.data(), static_cast<int>(count)) == static_cast<int>(count);
    plain.remove_prefix(count);
  }
  out_ = nullptr;
  if (!good) error_ = take_tls_error();
  return good;
}

void TlsSession::close_notify(std::string& out) {
  out_ = &out;
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
  out_ = nullptr;
}

TlsInfo TlsSession::info() const {
  TlsInfo info;
  info.version = SSL_get_version(ssl_.get());
  info.cipher = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl_.get()));
  const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
  if (name != nullptr) info.server_name = name;
  info.resumed = SSL_session_reused(ssl_.get()) == 1;
  return info;
}

}  // namespace twinpost::net
