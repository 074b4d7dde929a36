#include "tools/twinpost/transfer/imap_octets.h"

#include <algorithm>
#include <fmt/format.h>

namespace twinpost::tools {

namespace {

constexpr std::uint64_t kAheadOctets = 8 * 1024 * 1024;
constexpr std::size_t kAheadMessages = 50;
constexpr unsigned kBreaksOfOneMessage = 3;

}  // namespace

std::string with_crlf(std::string octets) {
  std::size_t bare = 0;
  for (std::size_t i = 0; i < octets.size(); ++i)
    bare += octets[i] == '\n' && (i == 0 || octets[i - 1] != '\r') ? 1 : 0;
  if (bare > 0) {
    std::string fixed;
    fixed.reserve(octets.size() + bare + 2);
    for (std::size_t i = 0; i < octets.size(); ++i) {
      if (octets[i] == '\n' && (i == 0 || octets[i - 1] != '\r')) fixed += '\r';
      fixed += octets[i];
    }
    octets = std::move(fixed);
  }
  if (!octets.empty() && !octets.ends_with("\r\n")) octets += "\r\n";
  return octets;
}

// Each UID once, however the caller has them; only as many as fit.
ImapOctets::Request ImapOctets::plan(const MailItem& item, std::span<const MailItem> next) const {
  Request request;
  request.uids.push_back(item.uid.value());
  request.announced = item.size;
  for (const MailItem& other : next) {
    if (request.uids.size() >= kAheadMessages || request.announced + other.size > kAheadOctets)
      break;
    if (other.size > largest_) continue;
    request.uids.push_back(other.uid.value());
    request.announced += other.size;
  }
  std::sort(request.uids.begin(), request.uids.end());
  request.uids.erase(std::unique(request.uids.begin(), request.uids.end()), request.uids.end());
  return request;
}

Result<ImapOctets::Outcome> ImapOctets::fetch(const MailFolder& folder, const Request& request) {
  Outcome outcome;
  const auto take = [&](ImapResponse response) -> Result<void> {
    if (response.name != "FETCH") return {};
    auto fetched = read_fetch(std::move(response));
    if (!fetched) return tl::unexpected(std::move(fetched.error()));
    if (!fetched->octets) return {};
    if (!fetched->uid)
      return fail(ErrorCode::kInvalid, "the server sent a message without its UID");
    const std::uint32_t uid = *fetched->uid;
    if (!std::binary_search(request.uids.begin(), request.uids.end(), uid)) return {};
    if (fetched->no_octets) {
      outcome.refusal = "the old server has no octets of it";
    } else {
      arrived_[uid] = with_crlf(*std::move(fetched->octets));
    }
    return {};
  };
  const auto done = session_.attempt([&](ImapClient& client) -> Result<void> {
    if (auto opened = session_.open(client, folder); !opened)
      return tl::unexpected(std::move(opened.error()));
    // Servers are known whose RFC822.SIZE is an estimate. Alone, a message may be as large as it
    // likes below the limit.
    client.set_literal_limit(
        request.uids.size() == 1 ? largest_ : request.announced * 2 + ImapClient::kLiteralLimit);
    const auto answer = client.run(
        ImapCommand(fmt::format("UID FETCH {} (UID BODY.PEEK[])", uid_set(request.uids))), take);
    client.set_literal_limit(ImapClient::kLiteralLimit);
    if (answer && !answer->is_status("OK"))
      outcome.refusal = "the old server refuses it: " + answer->text;
    // Whether to try again is the caller's affair: it may be one message's fault.
    if (!answer) outcome.broken = answer.error();
    return {};
  });
  if (!done) return tl::unexpected(done.error());
  if (outcome.broken) session_.drop(*outcome.broken);
  return outcome;
}

Result<std::string> ImapOctets::read_alone(const MailFolder& folder, const MailItem& item) {
  const std::uint32_t uid = item.uid.value();
  for (unsigned breaks = 1;; ++breaks) {
    const auto outcome = fetch(folder, Request{{uid}, item.size});
    if (!outcome) return tl::unexpected(outcome.error());
    if (auto found = arrived_.extract(uid)) return std::move(found.mapped());
    if (!outcome->broken) {
      return outcome->refusal.empty()
                 ? fail(ErrorCode::kNotFound, "it has gone from the old server meanwhile")
                 : fail(ErrorCode::kCorrupt, outcome->refusal);
    }
    const Error& error = *outcome->broken;
    if (error.code == ErrorCode::kTooLarge) return fail(ErrorCode::kCorrupt, error.message);
    if (!is_broken_connection(error)) return tl::unexpected(error);
    if (breaks >= kBreaksOfOneMessage) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("the connection broke {} times while it was read: {}", breaks,
                              error.message));
    }
  }
}

Result<std::string> ImapOctets::read(const MailFolder& folder, const MailItem& item,
                                     std::span<const MailItem> next) {
  if (item.size > largest_) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("its {} octets are more than the limit of {}", item.size, largest_));
  }
  if (folder_ != folder.native_name) arrived_.clear();
  folder_ = folder.native_name;
  const std::uint32_t uid = item.uid.value();
  if (auto found = arrived_.extract(uid)) return std::move(found.mapped());
  arrived_.clear();
  const Request request = plan(item, next);
  if (request.uids.size() > 1) {
    const auto outcome = fetch(folder, request);
    if (!outcome) return tl::unexpected(outcome.error());
    if (auto found = arrived_.extract(uid)) return std::move(found.mapped());
    const bool goes_on = !outcome->broken || outcome->broken->code == ErrorCode::kTooLarge ||
                         is_broken_connection(*outcome->broken);
    if (!goes_on) return tl::unexpected(*outcome->broken);
  }
  // One that spoils the batch is found by asking for each alone.
  return read_alone(folder, item);
}

}  // namespace twinpost::tools
