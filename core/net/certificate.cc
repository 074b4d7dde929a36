#include "core/net/certificate.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "core/base/ascii.h"

namespace twinpost::net {

namespace {

constexpr std::size_t kMaxPemSize = 1024 * 1024;  // a chain is a few KiB

Result<std::string> read_file(std::string_view kind, const std::string& path) {
  const std::string context = fmt::format("{} {}", kind, path);
  // Not blocking: a path that names a FIFO must not hang the server.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return tl::unexpected(system_error(context, errno));
  struct stat status {};
  if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
    close(fd);
    return tl::unexpected(system_error(context, EISDIR));
  }
  std::string text;
  std::array<char, 16 * 1024> piece;
  ssize_t count = 0;
  while ((count = read(fd, piece.data(), piece.size())) > 0 && text.size() <= kMaxPemSize) {
    text.append(piece.data(), static_cast<std::size_t>(count));
  }
  const int read_error = count < 0 ? errno : 0;
  close(fd);
  if (read_error != 0) return tl::unexpected(system_error(context, read_error));
  if (text.size() > kMaxPemSize) {
    return fail(ErrorCode::kTooLarge, context + ": larger than 1 MiB, this is no PEM file");
  }
  return text;
}

bssl::UniquePtr<BIO> bio_of(const std::string& text) {
  return bssl::UniquePtr<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

bool ended_at_last_block() {
  const std::uint32_t error = ERR_peek_last_error();
  return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

Result<std::vector<bssl::UniquePtr<X509>>> parse_chain(const std::string& path,
                                                       const std::string& text) {
  ERR_clear_error();
  const auto bio = bio_of(text);
  std::vector<bssl::UniquePtr<X509>> chain;
  for (;;) {
    bssl::UniquePtr<X509> next(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!next) break;
    chain.push_back(std::move(next));
  }
  const bool whole = ended_at_last_block();
  const std::string reason = take_tls_error();
  if (whole && chain.empty()) {
    return fail(ErrorCode::kInvalid, fmt::format("certificate {}: no PEM certificate in it", path));
  }
  if (!whole) {
    return fail(ErrorCode::kInvalid, fmt::format("certificate {}: {}", path, reason));
  }
  return chain;
}

// PEM asks this for a passphrase; a server started by the system has nobody to ask.
int refuse_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return 0;
}

Result<bssl::UniquePtr<EVP_PKEY>> parse_key(const std::string& path, const std::string& text) {
  ERR_clear_error();
  bool encrypted = false;
  bssl::UniquePtr<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(bio_of(text).get(), nullptr, refuse_passphrase, &encrypted));
  if (key) return key;
  const bool none = ended_at_last_block();
  const std::string reason = take_tls_error();
  if (encrypted) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("key {}: it is encrypted with a passphrase; store it without", path));
  }
  if (none) return fail(ErrorCode::kInvalid, fmt::format("key {}: no PEM private key in it", path));
  return fail(ErrorCode::kInvalid, fmt::format("key {}: {}", path, reason));
}

std::optional<std::string> usable_name(const unsigned char* data, int length) {
  if (length <= 0 || length > 255) return std::nullopt;
  const std::string_view name(reinterpret_cast<const char*>(data),
                              static_cast<std::size_t>(length));
  if (name.find('\0') != std::string_view::npos) return std::nullopt;
  return ascii::lower(name);
}

// RFC 6125 section 6.4.4: the common name counts only where there is no dNSName.
std::vector<std::string> names_of(X509* leaf) {
  std::vector<std::string> names;
  const bssl::UniquePtr<GENERAL_NAMES> alternatives(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr)));
  for (std::size_t i = 0; alternatives && i < sk_GENERAL_NAME_num(alternatives.get()); ++i) {
    const GENERAL_NAME* entry = sk_GENERAL_NAME_value(alternatives.get(), i);
    if (entry->type != GEN_DNS) continue;
    if (auto name = usable_name(ASN1_STRING_get0_data(entry->d.dNSName),
                                ASN1_STRING_length(entry->d.dNSName))) {
      names.push_back(std::move(*name));
    }
  }
  if (!names.empty()) return names;
  X509_NAME* subject = X509_get_subject_name(leaf);
  const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0) return names;
  const ASN1_STRING* common = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index));
  if (auto name = usable_name(ASN1_STRING_get0_data(common), ASN1_STRING_length(common))) {
    names.push_back(std::move(*name));
  }
  return names;
}

std::optional<std::int64_t> unix_time(const ASN1_TIME* time) {
  const bssl::UniquePtr<ASN1_TIME> epoch(ASN1_TIME_set(nullptr, 0));
  int days = 0;
  int seconds = 0;
  if (!epoch || ASN1_TIME_diff(&days, &seconds, epoch.get(), time) != 1) return std::nullopt;
  return std::int64_t{days} * 86'400 + seconds;
}

Result<void> check_key_fits(const CertificateFiles& files, const Certificate& certificate) {
  ERR_clear_error();
  const auto fits = [&](const bssl::UniquePtr<X509>& x509) {
    const bool result = X509_check_private_key(x509.get(), certificate.key.get()) == 1;
    ERR_clear_error();
    return result;
  };
  if (fits(certificate.chain.front())) return {};
  if (std::any_of(certificate.chain.begin() + 1, certificate.chain.end(), fits)) {
    return fail(ErrorCode::kInvalid,
                fmt::format("certificate {}: the server's own certificate must come first, before "
                            "those of its issuers",
                            files.certificate));
  }
  return fail(ErrorCode::kInvalid,
              fmt::format("key {}: does not fit the certificate {}", files.key, files.certificate));
}

}  // namespace

std::string take_tls_error() {
  const std::uint32_t error = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  std::string text = ascii::lower(reason == nullptr ? "unknown error" : reason);
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

Result<Certificate> load_certificate(const CertificateFiles& files) {
  const auto certificate_text = read_file("certificate", files.certificate);
  if (!certificate_text) return tl::unexpected(certificate_text.error());
  auto chain = parse_chain(files.certificate, *certificate_text);
  if (!chain) return tl::unexpected(chain.error());

  auto key_text = read_file("key", files.key);
  if (!key_text) return tl::unexpected(key_text.error());
  auto key = parse_key(files.key, *key_text);
  OPENSSL_cleanse(key_text->data(), key_text->size());
  if (!key) return tl::unexpected(key.error());

  Certificate certificate;
  certificate.chain = std::move(*chain);
  certificate.key = std::move(*key);
  if (auto fits = check_key_fits(files, certificate); !fits) return tl::unexpected(fits.error());

  X509* leaf = certificate.chain.front().get();
  certificate.names = names_of(leaf);
  const auto not_before = unix_time(X509_get0_notBefore(leaf));
  const auto not_after = unix_time(X509_get0_notAfter(leaf));
  if (!not_before || !not_after) {
    return fail(ErrorCode::kInvalid,
                fmt::format("certificate {}: its dates can't be read", files.certificate));
  }
  certificate.not_before = *not_before;
  certificate.not_after = *not_after;
  return certificate;
}

}  // namespace twinpost::net
