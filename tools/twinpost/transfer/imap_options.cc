// The command line of an import by IMAP.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <fmt/format.h>
#include <optional>
#include <unistd.h>

#include "core/base/ascii.h"
#include "core/base/encoding.h"
#include "tools/twinpost/command_line.h"
#include "tools/twinpost/password_prompt.h"
#include "tools/twinpost/transfer/imap_password.h"
#include "tools/twinpost/transfer/imap_source.h"
#include "tools/twinpost/transfer/net_tls.h"

namespace twinpost::tools {

namespace {

constexpr std::size_t kLongestPassword = 4096;

struct Place {
  std::string host;
  std::uint16_t port = 0;
};

// HOST, HOST:PORT, an IPv6 address, or [ADDRESS]:PORT.
Result<Place> parse_place(std::string_view text, std::string_view option) {
  Place place;
  std::string_view port;
  const auto colon = text.rfind(':');
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos)
      return fail(ErrorCode::kInvalid, fmt::format("{}: the ']' is missing", option));
    place.host = text.substr(1, end - 1);
    port = text.substr(end + 1);
  } else if (colon != std::string_view::npos && text.find(':') == colon) {
    place.host = text.substr(0, colon);
    port = text.substr(colon);
  } else {
    place.host = text;
  }
  if (place.host.empty() || place.host.size() > 255 ||
      std::any_of(place.host.begin(), place.host.end(),
                  [](char c) { return ascii::is_control(c) || c == ' '; })) {
    return fail(ErrorCode::kInvalid,
                fmt::format("{}: no host in \"{}\"", option, ascii::printable(text)));
  }
  if (port.empty()) return place;
  const auto number = ascii::parse_number<std::uint16_t>(port.substr(1));
  if (port.front() != ':' || !number || *number == 0)
    return fail(ErrorCode::kInvalid,
                fmt::format("{}: no port in \"{}\"", option, ascii::printable(text)));
  place.port = *number;
  return place;
}

Result<TlsMode> parse_tls(std::string_view text, std::string_view option) {
  if (text == "implicit") return TlsMode::kImplicit;
  if (text == "starttls") return TlsMode::kStartTls;
  if (text == "none") return TlsMode::kNone;
  return fail(ErrorCode::kInvalid, fmt::format("{} is implicit, starttls or none", option));
}

Result<std::string> read_password_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return tl::unexpected(system_error(path, errno));
  std::string text(kLongestPassword + 3, '\0');
  std::size_t size = 0;
  for (;;) {
    const ssize_t count = ::read(fd, text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int error = errno;
      ::close(fd);
      wipe(text);
      return tl::unexpected(system_error(path, error));
    }
    size += static_cast<std::size_t>(count);
    if (count == 0 || size == text.size()) break;
  }
  ::close(fd);
  const auto line_end = std::string_view(text).substr(0, size).find_first_of("\r\n");
  std::string password = text.substr(0, std::min(line_end, size));
  wipe(text);
  return password;
}

Result<std::string> any_password(const ImapImportOptions& options) {
  if (!options.password_file.empty()) return read_password_file(options.password_file);
  if (const char* value = std::getenv("TWINPOST_IMPORT_PASSWORD"); value != nullptr)
    return std::string(value);
  return ask_password(fmt::format("Password of {} at {}", options.user, options.host));
}

}  // namespace

Result<std::string> import_password(const ImapImportOptions& options) {
  constexpr std::string_view kNever("\r\n\0", 3);
  if (options.user.empty())
    return fail(ErrorCode::kInvalid, "--user is missing: the old server's login name");
  if (options.user.find_first_of(kNever) != std::string::npos)
    return fail(ErrorCode::kInvalid, "--user has a line end or NUL in it");
  auto password = any_password(options);
  if (!password) return password;
  std::string_view problem;
  if (password->empty()) problem = "the password is empty";
  if (password->size() > kLongestPassword) problem = "the password is longer than 4096 octets";
  if (password->find_first_of(kNever) != std::string::npos)
    problem = "the password has a line end or NUL in it";
  if (problem.empty()) return password;
  wipe(*password);
  return fail(ErrorCode::kInvalid, options.password_file.empty()
                                       ? std::string(problem)
                                       : fmt::format("{}: {}", options.password_file, problem));
}

CLI::Option* add_imap_options(CLI::App& command, ImapCommandLine& line) {
  ImapImportOptions& options = line.options;
  CLI::Option* imap =
      command.add_option("--imap", line.place, "a running IMAP server: HOST or HOST:PORT")
          ->group("From an IMAP server");
  const auto add = [&](const char* name, auto& value, const char* text) {
    return command.add_option(name, value, text)->group("From an IMAP server")->needs(imap);
  };
  const auto add_flag = [&](const char* name, bool& value, const char* text) {
    command.add_flag(name, value, text)->group("From an IMAP server")->needs(imap);
  };
  add("--user", options.user, "the login name there");
  add("--password-file", options.password_file,
      "its password (else TWINPOST_IMPORT_PASSWORD, else it is asked for)");
  add("--tls", line.tls, "implicit (port 993), starttls (143) or none")->capture_default_str();
  add("--ca-file", options.trust.ca_file,
      "certificates to trust in place of the system's CAs (PEM)");
  add("--fingerprint", options.trust.fingerprint,
      "trust exactly the certificate with this SHA-256");
  add_flag("--insecure", options.trust.insecure, "take any certificate, log in without TLS");
  add("--pop3", line.pop3,
      "where its POP3 is, for the UIDLs: HOST, HOST:PORT or none (default: the same host)");
  add("--pop3-tls", line.pop3_tls,
      "implicit (port 995), starttls (110) or none (default: as --tls)");
  // For every kind of source, so it needs no --imap.
  repeatable(command.add_option("--folder", options.folders,
                                "only these ('*' and '%' are wildcards); may be repeated"));
  add_flag("--all-namespaces", options.other_namespaces, "other users' and shared folders too");
  add_flag("--skip-gmail-all,!--no-skip-gmail-all", options.skip_gmail_all,
           "of Gmail's \"All Mail\" only what is in no other folder (the default)");
  add("--timeout", line.timeout_seconds, "seconds to wait for the server each time")
      ->check(whole_number(1, 3600))
      ->capture_default_str();
  return imap;
}

Result<ImapImportOptions> finish_imap_options(const ImapCommandLine& line) {
  ImapImportOptions options = line.options;
  const auto place = parse_place(line.place, "--imap");
  if (!place) return tl::unexpected(place.error());
  options.host = place->host;
  options.port = place->port;
  const auto tls = parse_tls(line.tls, "--tls");
  if (!tls) return tl::unexpected(tls.error());
  options.tls = *tls;
  const auto pop3_tls = parse_tls(line.pop3_tls.empty() ? line.tls : line.pop3_tls, "--pop3-tls");
  if (!pop3_tls) return tl::unexpected(pop3_tls.error());
  options.pop3_tls = *pop3_tls;
  options.pop3 = line.pop3 != "none";
  if (options.pop3 && !line.pop3.empty()) {
    const auto pop3 = parse_place(line.pop3, "--pop3");
    if (!pop3) return tl::unexpected(pop3.error());
    options.pop3_host = pop3->host;
    options.pop3_port = pop3->port;
  }
  if (!options.trust.fingerprint.empty()) {
    auto print = normal_fingerprint(options.trust.fingerprint);
    if (!print) return tl::unexpected(std::move(print.error()));
    options.trust.fingerprint = *std::move(print);
  }
  if (options.trust.insecure &&
      (!options.trust.fingerprint.empty() || !options.trust.ca_file.empty()))
    return fail(ErrorCode::kInvalid,
                "--insecure checks nothing: leave out --fingerprint and --ca-file, or it");
  options.timeouts.idle = std::chrono::seconds(line.timeout_seconds);
  options.timeouts.connect = std::min(options.timeouts.connect, options.timeouts.idle);
  return options;
}

}  // namespace twinpost::tools
