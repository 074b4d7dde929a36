#include "core/server/commands/request.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/encoding.h"
#include "imap/mailbox_name.h"
#include "store/names.h"

namespace twinpost::server {

namespace {

constexpr std::size_t kMostTexts = 1'000'000;  // in a list; the line's length bounds it before

}  // namespace

Members::Members(const Json& value, std::string place) : value_(value), place_(std::move(place)) {
  if (!value_.is_object()) {
    error_ = Error{ErrorCode::kInvalid,
                   fmt::format("{}: must be an object", place_.empty() ? "the request" : place_)};
  }
}

void Members::fault(std::string_view name, std::string_view what, ErrorCode code) {
  if (error_) return;
  error_ = Error{code, fmt::format("{}{}{}: {}", place_, place_.empty() ? "" : ".", name, what)};
}

const Json* Members::find(const char* name) {
  asked_.emplace_back(name);
  if (!value_.is_object()) return nullptr;
  const auto found = value_.find(name);
  return found == value_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::string> Members::optional_text(const char* name) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) {
    fault(name, "must be a text");
    return std::nullopt;
  }
  return value->get<std::string>();
}

std::string Members::text(const char* name) {
  auto value = optional_text(name);
  if (!value) {
    fault(name, "is missing");
    return {};
  }
  return *std::move(value);
}

bool Members::flag(const char* name) {
  const Json* value = find(name);
  if (value == nullptr) return false;
  if (!value->is_boolean()) {
    fault(name, "must be true or false");
    return false;
  }
  return value->get<bool>();
}

std::optional<std::uint64_t> Members::optional_number(const char* name, std::uint64_t least,
                                                      std::uint64_t most) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  // What a program puts in as a signed integer is no less a number.
  const bool natural = value->is_number_unsigned() ||
                       (value->is_number_integer() && value->get<std::int64_t>() >= 0);
  const std::uint64_t number = natural ? value->get<std::uint64_t>() : 0;
  if (!natural || number < least || number > most) {
    fault(name, fmt::format("must be a whole number from {} to {}", least, most));
    return std::nullopt;
  }
  return number;
}

std::uint64_t Members::number(const char* name, std::uint64_t least, std::uint64_t most) {
  const auto value = optional_number(name, least, most);
  if (!value) fault(name, "is missing");
  return value.value_or(least);
}

std::optional<std::int64_t> Members::optional_signed(const char* name, std::int64_t least,
                                                     std::int64_t most) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  bool fits = value->is_number_integer();
  std::int64_t number = 0;
  if (fits && value->is_number_unsigned()) {
    fits = value->get<std::uint64_t>() <=
           static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  }
  if (fits) number = value->get<std::int64_t>();
  if (!fits || number < least || number > most) {
    fault(name, fmt::format("must be a whole number from {} to {}", least, most));
    return std::nullopt;
  }
  return number;
}

const Json* Members::list(const char* name, std::size_t most) {
  const Json* value = find(name);
  if (value == nullptr) {
    fault(name, "is missing");
    return nullptr;
  }
  if (!value->is_array()) {
    fault(name, "must be a list");
    return nullptr;
  }
  if (value->size() > most) {
    fault(name, fmt::format("can have {} elements, not {}", most, value->size()),
          ErrorCode::kLimit);
    return nullptr;
  }
  return value;
}

std::vector<std::string> Members::texts(const char* name) {
  std::vector<std::string> found;
  if (!value_.is_object() || !value_.contains(name)) {
    asked_.emplace_back(name);
    return found;
  }
  const Json* values = list(name, kMostTexts);
  if (values == nullptr) return found;
  found.reserve(values->size());
  for (const Json& value : *values) {
    if (!value.is_string()) {
      fault(fmt::format("{}[{}]", name, found.size()), "must be a text");
      return {};
    }
    found.push_back(value.get<std::string>());
  }
  return found;
}

std::optional<std::string> Members::optional_hex(const char* name, std::size_t octets) {
  const auto value = optional_text(name);
  if (!value) return std::nullopt;
  auto decoded = hex_decode(*value);
  if (!decoded || decoded->size() != octets) {
    fault(name, fmt::format("must be {} hexadecimal digits", 2 * octets));
    return std::nullopt;
  }
  return decoded;
}

Result<void> Members::finish() {
  if (!error_) {
    for (const auto& [name, value] : value_.items()) {
      // Of every request: which one it is, and what comes behind it.
      const bool of_all = place_.empty() && (name == "do" || name == "octets");
      if (of_all || std::find(asked_.begin(), asked_.end(), name) != asked_.end()) continue;
      fault(ascii::printable(name, 60), "is not known to this version");
      break;
    }
  }
  if (error_) return tl::unexpected(*error_);
  return {};
}

std::string account_member(Members& members) { return ascii::lower(members.text("account")); }

std::string mailbox_member(Members& members, const char* name) {
  std::string mailbox = members.text(name);
  if (const auto good = store::check_name(mailbox); !good) members.fault(name, good.error());
  return store::canonical_name(mailbox);
}

Result<void> check_new_name(std::string_view name) {
  if (auto good = store::check_name(name); !good) return good;
  if (std::any_of(name.begin(), name.end(), ascii::is_control)) {
    return fail(ErrorCode::kInvalid, "a mailbox name can't have control characters");
  }
  std::size_t levels = 1;
  std::size_t octets = 0;
  for (const char c : name) {
    octets = c == store::kHierarchySeparator ? 0 : octets + 1;
    if (c == store::kHierarchySeparator) ++levels;
    if (octets > imap::kMaxPartOctets) {
      return fail(ErrorCode::kLimit, fmt::format("a level of a mailbox name can have {} octets",
                                                 imap::kMaxPartOctets));
    }
  }
  if (levels > imap::kMaxDepth) {
    return fail(ErrorCode::kLimit,
                fmt::format("a mailbox name can have {} levels, not {}", imap::kMaxDepth, levels));
  }
  return {};
}

Result<store::AccountInfo> find_account(const store::ReadView& view, const std::string& name) {
  auto account = view.account(name);
  if (account || account.error().code != ErrorCode::kNotFound) return account;
  return fail(ErrorCode::kNotFound,
              fmt::format("the store has no account named {}: no mail has come for it and nobody "
                          "has logged in",
                          ascii::printable(name)));
}

Result<store::MailboxInfo> find_mailbox(const store::ReadView& view,
                                        const store::AccountInfo& account,
                                        const std::string& name) {
  auto mailbox = view.find_mailbox(account.id, name);
  if (mailbox || mailbox.error().code != ErrorCode::kNotFound) return mailbox;
  return fail(ErrorCode::kNotFound,
              fmt::format("{} has no mailbox named {}", account.name, ascii::printable(name)));
}

store::Limits limits_of(const AdminJob& job, const std::string& account) {
  store::Limits limits;
  limits.warn_at = job.config->quota.warn_at;
  const auto found = job.accounts->accounts.find(account);
  if (found == job.accounts->accounts.end()) return limits;
  limits.quota_bytes = found->second.quota;
  limits.quota_messages = found->second.quota_messages;
  return limits;
}

bool tell(const AdminJob& job, std::string_view phase, std::uint64_t done, std::uint64_t total) {
  return job.progress(phase, done, total);
}

tl::unexpected<Error> ended() {
  return fail(ErrorCode::kShutdown,
              "ended before it was done: the client has gone, or the server "
              "stops");
}

}  // namespace twinpost::server
