#include "tests/support/transcript_options.h"

#include <algorithm>
#include <map>
#include <optional>
#include <variant>

#include "core/base/ascii.h"
#include "tests/support/transcript_text.h"

namespace twinpost::testing {
namespace {

using config::Limits;
using Milliseconds = std::chrono::milliseconds;

const std::map<std::string_view, std::uint64_t Limits::*> kCounts = {
    {"connections", &Limits::connections},
    {"connections_per_account", &Limits::connections_per_account},
    {"message_size", &Limits::message_size},
    {"command_line", &Limits::command_line},
    {"recipients", &Limits::recipients},
    {"messages_per_command", &Limits::messages_per_command},
    {"bad_commands", &Limits::bad_commands},
    {"lmtp_loops", &Limits::lmtp_loops},
};

const std::map<std::string_view, Milliseconds Limits::*> kTimes = {
    {"login_time", &Limits::login_time},         {"idle_time_pop3", &Limits::idle_time_pop3},
    {"idle_time_imap", &Limits::idle_time_imap}, {"idle_time_lmtp", &Limits::idle_time_lmtp},
    {"write_time", &Limits::write_time},         {"login_delay_pop3", &Limits::login_delay_pop3},
};

const std::map<std::string_view, config::PlaintextLogin> kPlaintextLogin = {
    {"never", config::PlaintextLogin::kNever},
    {"loopback", config::PlaintextLogin::kLoopback},
    {"always", config::PlaintextLogin::kAlways},
};

const std::map<std::string_view, config::Pop3Action> kActions = {
    {"nothing", config::Pop3Action::kNothing}, {"hide", config::Pop3Action::kHide},
    {"remove", config::Pop3Action::kRemove},   {"archive", config::Pop3Action::kArchive},
    {"trash", config::Pop3Action::kTrash},
};

template <class T>
bool assign(const std::map<std::string_view, T>& values, std::string_view value, T& target) {
  const auto found = values.find(value);
  if (found == values.end()) return false;
  target = found->second;
  return true;
}

bool assign_count(std::string_view value, std::uint64_t& target) {
  const auto number = ascii::parse_number<std::uint64_t>(value);
  if (number) target = *number;
  return number.has_value();
}

bool assign_switch(std::string_view value, bool& target) {
  target = value == "on" || value == "yes";
  return target || value == "off" || value == "no";
}

// Those that are read as the accounts file is; "_" stands for a blank.
bool is_pop3_option(std::string_view key) {
  return key == "keep_days" || key == "mark_seen" || key == "show" || key == "maildrop" ||
         key == "uidl" || key == "disabled_text";
}

bool set_pop3_option(config::Account& account, std::string_view key, std::string_view value) {
  const bool is_bare = key == "keep_days" || key == "mark_seen";
  const std::string quote = is_bare ? "" : "\"";
  std::string text(value);
  std::replace(text.begin(), text.end(), '_', ' ');
  const auto parsed = config::parse_accounts_config(
      R"({"accounts": {"x": {"password": "{PLAIN}x", "protocols": {"pop3": {")" + std::string(key) +
          "\": " + quote + text + quote + "}}}}}",
      "option");
  if (!parsed) return false;
  const config::Pop3Options& options = (*parsed)->accounts.begin()->second.pop3;
  if (key == "keep_days") account.pop3.keep_days = options.keep_days;
  if (key == "mark_seen") account.pop3.mark_seen = options.mark_seen;
  if (key == "show") account.pop3.show = options.show;
  if (key == "maildrop") account.pop3.maildrop = options.maildrop;
  if (key == "uidl") account.pop3.uidl = options.uidl;
  if (key == "disabled_text") account.pop3.disabled_text = options.disabled_text;
  return true;
}

}  // namespace

bool set_config(config::ServerConfig& server, std::string_view key, std::string_view value) {
  if (key == "plaintext_login") return assign(kPlaintextLogin, value, server.plaintext_login);
  if (key == "removed.mailbox") {
    server.removed.mailbox = value == "none" ? "" : value;
    return true;
  }
  if (const auto count = kCounts.find(key); count != kCounts.end()) {
    return assign_count(value, server.limits.*count->second);
  }
  if (const auto time = kTimes.find(key); time != kTimes.end()) {
    const auto duration = parse_duration(value);
    if (duration) server.limits.*time->second = *duration;
    return duration.has_value();
  }
  return false;
}

bool set_option(config::Account& account, std::string_view key, std::string_view value) {
  if (key == "password") {
    account.password = "{PLAIN}" + std::string(value);
    return true;
  }
  if (key == "alias") {
    account.aliases.emplace_back(value);
    return true;
  }
  if (key == "on_delete") return assign(kActions, value, account.pop3.on_delete);
  if (key == "after_retrieve") return assign(kActions, value, account.pop3.after_retrieve);
  if (is_pop3_option(key)) return set_pop3_option(account, key, value);
  if (key == "sessions") {
    account.pop3.many_sessions = value == "many";
    return value == "many" || value == "one";
  }
  if (key == "pop3") return assign_switch(value, account.pop3.enabled);
  if (key == "imap") return assign_switch(value, account.imap.enabled);
  if (key == "enabled") return assign_switch(value, account.enabled);
  if (key == "quota") return assign_count(value, account.quota);
  if (key == "quota_messages") return assign_count(value, account.quota_messages);
  if (key == "quota_mailboxes") return assign_count(value, account.quota_mailboxes);
  return false;
}

}  // namespace twinpost::testing
