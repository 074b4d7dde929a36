#include "core/server/quota_warning.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <fmt/format.h>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/encoding.h"
#include "core/base/exception_text.h"
#include "core/base/log.h"
#include "core/mail/date.h"
#include "store/prepare.h"

namespace twinpost::server {

namespace {

constexpr std::chrono::hours kBetweenMessages{24};
constexpr std::chrono::hours kBetweenForgetting{1};

std::string_view resource_of(const store::QuotaPassed& passed) {
  return passed.of_messages ? "messages" : "storage";
}

// What the machine calls itself need not be a domain.
std::string domain_of(std::string_view account, std::string_view hostname) {
  const std::size_t at = account.rfind('@');
  if (at != std::string_view::npos) return std::string(account.substr(at + 1));
  const bool is_domain =
      !hostname.empty() && std::all_of(hostname.begin(), hostname.end(), [](char c) {
        return ascii::is_alnum(c) || c == '-' || c == '.' || c == '_';
      });
  return is_domain ? std::string(hostname) : "localhost";
}

std::string mebibytes(std::uint64_t octets, int digits) {
  constexpr double kMebi = 1024.0 * 1024.0;
  return fmt::format("{:.{}f}", static_cast<double>(octets) / kMebi, digits);
}

std::string use_of(const store::QuotaPassed& passed) {
  if (passed.of_messages) {
    return fmt::format("It holds {} messages, and may hold {}.", passed.used, passed.limit);
  }
  constexpr std::uint64_t kSmall = 10 * 1024 * 1024;
  const int digits = passed.limit < kSmall ? 3 : 1;
  return fmt::format("{} MiB of {} MiB are used.", mebibytes(passed.used, digits),
                     mebibytes(passed.limit, digits));
}

std::string fullness(const store::QuotaPassed& passed) {
  if (passed.limit == 0 || passed.used >= passed.limit) return "full";
  const double share = static_cast<double>(passed.used) / static_cast<double>(passed.limit);
  // Rounded down, but never below what was passed: 95 % is not said to be 94 %.
  const auto percent = std::max(static_cast<std::uint64_t>(share * 100), passed.percent);
  return fmt::format("{} % full", percent);
}

}  // namespace

// RFC 5322; RFC 3834 section 5 for Auto-Submitted, so that nothing answers it.
std::string quota_message(const store::QuotaPassed& passed, std::string_view hostname, UnixTime now,
                          std::uint64_t unique) {
  const std::string domain = domain_of(passed.name, hostname);
  const bool is_address = passed.name.find('@') != std::string::npos;
  const std::string address = is_address ? passed.name : passed.name + '@' + domain;
  std::string out;
  out += fmt::format("Date: {}\r\n", mail::format_date(now.time_since_epoch().count(), 0));
  out += fmt::format("From: \"Mail system\" <postmaster@{}>\r\n", domain);
  out += fmt::format("To: <{}>\r\n", address);
  out += fmt::format("Subject: Your mailbox is {}\r\n", fullness(passed));
  out += fmt::format("Message-ID: <quota.{}.{:016x}@{}>\r\n", now.time_since_epoch().count(),
                     unique, domain);
  out +=
      "Auto-Submitted: auto-generated\r\n"
      "MIME-Version: 1.0\r\n"
      "Content-Type: text/plain; charset=utf-8\r\n"
      "Content-Transfer-Encoding: 8bit\r\n"
      "\r\n";
  out += fmt::format("The mailbox of {} is {}.\r\n{}\r\n\r\n", passed.name, fullness(passed),
                     use_of(passed));
  out +=
      "Once it is full, no new mail can come in: it goes back to those who sent it.\r\n"
      "To make room, delete messages that you do not need any more, large ones\r\n"
      "first, and empty the trash. Messages in every folder count, Sent and Trash too.\r\n"
      "\r\n"
      "This message was written by the mail system. Nobody reads answers to it.\r\n";
  return out;
}

QuotaWarnings::QuotaWarnings(store::Store& store, Executor& executor,
                             std::function<config::ServerConfigPtr()> config, std::string hostname,
                             std::function<UnixTime()> now)
    : store_(store),
      executor_(executor),
      config_(std::move(config)),
      hostname_(std::move(hostname)),
      now_(std::move(now)) {
  store_.on_quota_passed([this](const store::QuotaPassed& passed) { on_passed(passed); });
}

QuotaWarnings::~QuotaWarnings() { store_.on_quota_passed(nullptr); }

void QuotaWarnings::stop(std::function<void()> done) {
  stopping_ = true;
  if (on_their_way_ == 0) {
    done();
  } else {
    done_ = std::move(done);
  }
}

void QuotaWarnings::on_passed(const store::QuotaPassed& passed) {
  log::warning("quota", {{"account", passed.name},
                         {"resource", resource_of(passed)},
                         {"percent", passed.percent},
                         {"used", passed.used},
                         {"limit", passed.limit}});
  if (stopping_ || !config_()->quota.warn_by_mail) return;
  if (is_due({passed.name, passed.of_messages, passed.percent})) send(passed);
}

// And remembers that it is sent now.
bool QuotaWarnings::is_due(const Threshold& threshold) {
  const UnixTime now = now_();
  if (now - forgotten_ >= kBetweenForgetting) {
    std::erase_if(sent_, [now](const auto& one) { return now - one.second >= kBetweenMessages; });
    forgotten_ = now;
  }
  const auto [last, is_new] = sent_.try_emplace(threshold, now);
  if (is_new) return true;
  if (now - last->second < kBetweenMessages) return false;
  last->second = now;
  return true;
}

void QuotaWarnings::send(const store::QuotaPassed& passed) {
  ++on_their_way_;
  spawn(deliver(passed), [this](const std::exception_ptr& exception) {
    if (exception) {
      log::error("quota-warning-failed", {{"reason", exception_text(exception)}});
    }
    --on_their_way_;
    if (on_their_way_ == 0 && done_) std::exchange(done_, nullptr)();
  });
}

Task<void> QuotaWarnings::deliver(store::QuotaPassed passed) {
  const auto stored = co_await store_message(passed);
  if (stored) {
    log::info("quota-warning", {{"account", passed.name},
                                {"resource", resource_of(passed)},
                                {"percent", passed.percent},
                                {"uid", stored->uid.value()}});
    co_return;
  }
  sent_.erase({passed.name, passed.of_messages, passed.percent});
  log::error("quota-warning-failed",
             {{"account", passed.name}, {"reason", stored.error().message}});
}

Task<Result<store::Appended>> QuotaWarnings::store_message(store::QuotaPassed passed) {
  const UnixTime now = now_();
  const auto prepare = [this, &passed, now]() -> Result<store::PreparedMessagePtr> {
    store::Spool spool(store_.spool_folder(), 0);
    const std::string text = quota_message(passed, hostname_, now, random_u64());
    if (auto kept = spool.append(text); !kept) return tl::unexpected(kept.error());
    if (auto finished = spool.finish(); !finished) return tl::unexpected(finished.error());
    return store::prepare_message(std::move(spool), store_.coder());
  };
  auto message = co_await on_worker(executor_, prepare);
  if (!message) co_return tl::unexpected(message.error());
  store::AppendRequest request;
  request.message = *std::move(message);
  request.prefix = "Return-Path: <>\r\n";
  request.internal_date = store::InternalDate{now, 0};
  const auto append = [&passed, &request](store::WriteTxn& txn) -> Result<store::Appended> {
    const auto inbox = txn.find_mailbox(passed.account, "INBOX");
    if (!inbox) return tl::unexpected(inbox.error());
    return txn.append(store::MailboxKey{passed.account, inbox->id}, request);
  };
  auto stored = co_await store_.write(append);
  co_return stored;
}

}  // namespace twinpost::server
