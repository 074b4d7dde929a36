#include "lmtp/session.h"

#include <fmt/format.h>
#include <utility>

#include "core/base/log.h"

namespace twinpost::lmtp {

namespace {

// A command line where the configuration sets no limit.
constexpr std::size_t kLongestCommandLine = 1024 * 1024;

const Reply kNeedLhlo{503, "5.5.1", "Say LHLO first"};
const Reply kNeedMail{503, "5.5.1", "Say MAIL first"};

}  // namespace

Duration bounded(Duration configured) {
  constexpr Duration kForever = std::chrono::hours(24);
  return configured.count() == 0 ? kForever : configured;
}

Session::Session(Context& context, net::Connection& connection)
    : context_(context), connection_(connection), input_(connection) {}

const config::Limits& Session::limits() {
  config_ = context_.services.config();
  return config_->limits;
}

void Session::reply(const Reply& reply) { connection_.queue(to_wire(reply)); }

void Session::accept(const Reply& reply) {
  bad_commands_ = 0;
  this->reply(reply);
}

void Session::refuse(const Reply& reply) {
  this->reply(reply);
  const std::uint64_t most = limits().bad_commands;
  if (++bad_commands_ < most || most == 0) return;
  log::warning("too-many-bad-commands",
               {{"protocol", "lmtp"}, {"address", connection_.peer().address}});
  this->reply(
      {421, "4.7.0", fmt::format("{} Too many bad commands, closing", context_.services.hostname)});
  is_ending_ = true;
}

void Session::end_on(const Error& error) {
  is_ending_ = true;
  if (transaction_.is_open) {
    log::info("delivery-aborted", {{"from", transaction_.envelope.sender},
                                   {"reason", to_string(error.code)},
                                   {"protocol", "lmtp"},
                                   {"address", connection_.peer().address}});
  }
  if (error.code == ErrorCode::kShutdown) {
    reply({421, "4.3.2", fmt::format("{} Service is shutting down", context_.services.hostname)});
  } else if (error.code == ErrorCode::kTimeout) {
    reply({421, "4.4.2", fmt::format("{} Idle for too long, closing", context_.services.hostname)});
  }
}

Task<void> Session::run() {
  reply({220, "", fmt::format("{} LMTP Twinpost ready", context_.services.hostname)});
  while (!is_ending_) {
    co_await next_command();
    // A client that pipelines without end must take its replies in between.
    if (connection_.unsent() > net::kLowWater) {
      const auto drained = co_await connection_.drained(bounded(limits().write_time));
      if (!drained) end_on(drained.error());
    }
  }
  co_await reset_transaction();
}

Task<void> Session::next_command() {
  const auto& limit = limits();
  const std::size_t longest = limit.command_line == 0 ? kLongestCommandLine : limit.command_line;
  const auto line = co_await input_.read_line(longest, bounded(limit.idle_time_lmtp));
  if (!line) {
    if (line.error().code == ErrorCode::kTooLarge) {
      refuse({500, "5.5.2", "Line too long"});
    } else {
      end_on(line.error());
    }
    co_return;
  }
  auto command = parse_command(*line);
  if (!command) {
    refuse(command.error().reply);
    is_ending_ = is_ending_ || command.error().must_close;
    co_return;
  }
  co_await execute(std::move(*command));
}

Task<void> Session::execute(Command command) {
  switch (command.verb) {
    case Verb::kLhlo:
      co_await reset_transaction();
      lhlo();
      break;
    case Verb::kMail: mail(std::move(command)); break;
    case Verb::kRcpt: co_await rcpt(std::move(command)); break;
    case Verb::kData: co_await data(); break;
    case Verb::kBdat: co_await bdat(std::move(command)); break;
    case Verb::kRset:
      co_await reset_transaction();
      accept({250, "2.0.0", "Ok"});
      break;
    case Verb::kNoop: accept({250, "2.0.0", "Ok"}); break;
    // RFC 5321 section 7.3: who asks learns nothing that RCPT would not tell.
    case Verb::kVrfy: accept({252, "2.0.0", "Not verified here; RCPT will tell"}); break;
    case Verb::kHelp:
      accept(
          {214, "2.0.0", "LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP STARTTLS QUIT (RFC 2033)"});
      break;
    case Verb::kQuit:
      accept({221, "2.0.0", fmt::format("{} Bye", context_.services.hostname)});
      is_ending_ = true;
      break;
    case Verb::kStartTls: co_await start_tls(); break;
  }
}

void Session::lhlo() {
  has_lhlo_ = true;
  bad_commands_ = 0;
  const bool offers_tls = !connection_.is_tls() && context_.tls && context_.tls() != nullptr;
  const std::uint64_t largest = limits().message_size;
  // RFC 1870 section 4: SIZE without a number promises nothing about the largest message.
  connection_.queue(
      fmt::format("250-{}\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-"
                  "SMTPUTF8\r\n250-CHUNKING\r\n{}250 {}\r\n",
                  context_.services.hostname, offers_tls ? "250-STARTTLS\r\n" : "",
                  largest == 0 ? "SIZE" : fmt::format("SIZE {}", largest)));
}

void Session::mail(Command command) {
  if (!has_lhlo_) return refuse(kNeedLhlo);
  if (transaction_.is_open) return refuse({503, "5.5.1", "A transaction is open already"});
  const std::uint64_t largest = limits().message_size;
  if (largest != 0 && command.declared_octets > largest) {
    log_refusal("", command.path.text, connection_.peer().address, too_large_reply());
    return reply(too_large_reply());
  }
  transaction_.is_open = true;
  transaction_.declared_octets = command.declared_octets;
  transaction_.smtputf8 = command.smtputf8;
  transaction_.envelope.sender = std::move(command.path.text);
  transaction_.envelope.client_address = connection_.peer().address;
  accept({250, "2.1.0", "Sender ok"});
}

Task<void> Session::rcpt(Command command) {
  auto& envelope = transaction_.envelope;
  const std::string& address = command.path.text;
  if (!transaction_.is_open) {
    refuse(has_lhlo_ ? kNeedMail : kNeedLhlo);
    co_return;
  }
  if (transaction_.has_chunks) {
    refuse({503, "5.5.1", "RCPT comes before the message"});
    co_return;
  }
  std::optional<Reply> refusal;
  std::optional<auth::Delivery> target;
  const std::uint64_t most = limits().recipients;
  if (most != 0 && envelope.recipients.size() >= most) {
    refusal = Reply{452, "4.5.3", "Too many recipients"};
  } else if (command.path.is_international && !transaction_.smtputf8) {
    refusal = Reply{553, "5.6.7", "An address outside ASCII needs SMTPUTF8"};
  } else {
    target = context_.services.directory.find_recipient(address);
    auto account = target ? context_.services.directory.account(target->account) : std::nullopt;
    if (!account) {
      refusal = Reply{550, "5.1.1", fmt::format("{} is not known here", shown(address))};
    } else {
      refusal =
          co_await refusal_by_quota(context_, std::move(*account), transaction_.declared_octets);
    }
  }
  if (refusal) {
    log_refusal(address, envelope.sender, envelope.client_address, *refusal);
    reply(*refusal);
    co_return;
  }
  Recipient recipient;
  recipient.address = address;
  recipient.account = target->account;
  envelope.recipients.push_back(std::move(recipient));
  accept({250, "2.1.5", "Recipient ok"});
}

Task<void> Session::start_tls() {
  const net::TlsContextPtr tls = context_.tls ? context_.tls() : nullptr;
  if (connection_.is_tls()) {
    refuse({503, "5.5.1", "TLS is active already"});
    co_return;
  }
  if (tls == nullptr) {
    refuse({502, "5.5.1", "STARTTLS is not offered here"});
    co_return;
  }
  // RFC 3207 section 4.2: nothing from before the handshake counts after it.
  co_await reset_transaction();
  has_lhlo_ = false;
  input_.clear();
  accept({220, "2.0.0", "Ready to start TLS"});
  const auto started =
      co_await connection_.start_tls(tls, net::Alpn::kNone, bounded(limits().login_time));
  if (started) co_return;
  log::info("tls-failed", {{"protocol", "lmtp"},
                           {"address", connection_.peer().address},
                           {"reason", started.error().message}});
  is_ending_ = true;
}

}  // namespace twinpost::lmtp
