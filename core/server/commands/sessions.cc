#include "core/server/commands/sessions.h"

#include <limits>
#include <string>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/log.h"
#include "core/server/commands/request.h"

namespace twinpost::server {

namespace {

constexpr std::size_t kMostSessions = 500;  // some 200 KiB of an answer's line
constexpr std::uint64_t kAny = std::numeric_limits<std::uint64_t>::max();

Json row_of(const auth::Sessions::Entry& entry) {
  const auth::SessionStatus status = entry.status ? entry.status() : auth::SessionStatus{};
  return Json{{"id", entry.id},
              {"account", entry.account},
              {"protocol", auth::to_string(entry.protocol)},
              {"address", entry.address},
              {"since", entry.since.time_since_epoch().count()},
              {"tls", status.tls},
              {"octets_in", status.octets_in},
              {"octets_out", status.octets_out},
              {"state", status.state},
              {"mailbox", status.mailbox},
              {"client", status.client}};
}

Result<Json> who(const auth::Sessions& sessions, const Json& request) {
  Members members(request);
  const auto account = members.optional_text("account");
  const std::uint64_t after = members.optional_number("after", 0, kAny).value_or(0);
  if (auto good = members.finish(); !good) return tl::unexpected(good.error());
  Json list = Json::array();
  bool more = false;
  sessions.for_each([&](const auth::Sessions::Entry& entry) {
    if (entry.id <= after || (account && entry.account != ascii::lower(*account))) return;
    if (list.size() < kMostSessions) {
      list.push_back(row_of(entry));
    } else {
      more = true;
    }
  });
  return Json{{"sessions", std::move(list)}, {"more", more}};
}

Result<Json> kick(auth::Sessions& sessions, const Json& request) {
  Members members(request);
  const auto account = members.optional_text("account");
  const auto id = members.optional_number("id", 1, kAny);
  const auto address = members.optional_text("address");
  const auto protocol = members.optional_text("protocol");
  if (auto good = members.finish(); !good) return tl::unexpected(good.error());
  if (!account && !id && !address && !protocol) {
    return fail(ErrorCode::kInvalid, "account, id, address or protocol: one is needed at least");
  }
  const auto fits = [&](const auth::Sessions::Entry& entry) {
    return (!account || entry.account == ascii::lower(*account)) && (!id || entry.id == *id) &&
           (!address || entry.address == *address) &&
           (!protocol || auth::to_string(entry.protocol) == *protocol);
  };
  const std::size_t kicked = sessions.end_where(fits, auth::EndReason::kKicked);
  log::info("kicked", {{"account", account.value_or("")},
                       {"address", address.value_or("")},
                       {"protocol", protocol.value_or("")},
                       {"count", kicked}});
  return Json{{"kicked", kicked}};
}

}  // namespace

std::optional<Json> answer_about_sessions(auth::Sessions& sessions, const Json& request) {
  const auto name = request.find("do");
  if (name == request.end() || !name->is_string()) return std::nullopt;
  Result<Json> answer = tl::unexpected(Error{});
  if (*name == "who") {
    answer = who(sessions, request);
  } else if (*name == "kick") {
    answer = kick(sessions, request);
  } else {
    return std::nullopt;
  }
  if (!answer) return admin_error(answer.error());
  (*answer)["ok"] = true;
  return *std::move(answer);
}

}  // namespace twinpost::server
