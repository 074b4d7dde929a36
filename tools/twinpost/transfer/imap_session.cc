#include "tools/twinpost/transfer/imap_session.h"

#include <algorithm>
#include <fmt/format.h>
#include <thread>

#include "core/base/ascii.h"
#include "core/base/encoding.h"

namespace twinpost::tools {

namespace {

constexpr std::chrono::milliseconds kLongestPause{60'000};

bool leaves_connection(const Error& error) {
  return error.code == ErrorCode::kNotFound || error.code == ErrorCode::kPermission ||
         error.code == ErrorCode::kCorrupt;
}

}  // namespace

ImapSession::~ImapSession() {
  if (client_) client_->logout();
  wipe(login_.password);
}

void ImapSession::drop() {
  client_.reset();
  is_opened_ = false;
}

void ImapSession::drop(const Error& why) {
  drop();
  if (reconnecting_.note) reconnecting_.note(why.message + "; connecting again");
}

Result<void> ImapSession::connect() {
  drop();
  auto client = ImapClient::open(login_);
  if (!client) return tl::unexpected(std::move(client.error()));
  client_ = *std::move(client);
  return {};
}

Result<void> ImapSession::attempt(const std::function<Result<void>(ImapClient&)>& work) {
  auto pause = reconnecting_.first_pause;
  for (unsigned failures = 0;;) {
    Result<void> done = client_ ? Result<void>{} : connect();
    if (!done && !is_broken_connection(done.error())) {
      // A login that is refused now is refused for every message: no more than one try.
      return fail(ErrorCode::kClosed, done.error().message);
    }
    if (done) done = work(*client_);
    if (done) return done;
    if (leaves_connection(done.error())) return done;
    drop();
    if (!is_broken_connection(done.error())) return done;
    if (++failures > reconnecting_.times) {
      return fail(done.error().code, fmt::format("{} (given up after {} new connections; what was "
                                                 "brought stays, run it again to go on)",
                                                 done.error().message, reconnecting_.times));
    }
    drop(done.error());
    // The first time at once: most breaks are a server's idle timeout.
    if (failures > 1) {
      std::this_thread::sleep_for(pause);
      pause = std::min(pause * 2, kLongestPause);
    }
  }
}

Result<ImapSession::Opened> ImapSession::open(ImapClient& client, const MailFolder& folder,
                                              bool again) {
  if (is_opened_ && opened_name_ == folder.native_name && !again) return opened_;
  is_opened_ = false;
  Opened opened;
  opened.opening = opened_.opening + 1;
  std::uint32_t validity = 0;
  const auto answer = client.run(ImapCommand("EXAMINE ").string(folder.native_name),
                                 [&](ImapResponse response) -> Result<void> {
                                   if (response.name == "EXISTS") opened.messages = response.number;
                                   const auto number =
                                       ascii::parse_number<std::uint32_t>(response.code_text);
                                   if (response.code == "UIDVALIDITY" && number) validity = *number;
                                   if (response.code == "UIDNEXT" && number)
                                     opened.uid_next = *number;
                                   return {};
                                 });
  if (!answer) return tl::unexpected(answer.error());
  if (!answer->is_status("OK")) {
    return fail(ErrorCode::kNotFound,
                fmt::format("folder \"{}\" can't be opened on the old server: {}", folder.name,
                            answer->text));
  }
  if (validity == 0) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format("folder \"{}\" has no UIDVALIDITY: the server can't name its messages reliably",
                    folder.name));
  }
  if (folder.uid_validity.value() != 0 && validity != folder.uid_validity.value()) {
    return fail(ErrorCode::kConflict,
                fmt::format("folder \"{}\" was made anew on the old server meanwhile (UIDVALIDITY "
                            "{} became {}): run "
                            "the import again",
                            folder.name, folder.uid_validity.value(), validity));
  }
  opened_ = opened;
  opened_name_ = folder.native_name;
  is_opened_ = true;
  return opened_;
}

Result<std::map<std::uint32_t, std::string>> ImapSession::headers(
    const MailFolder& folder, std::span<const std::uint32_t> uids) {
  std::map<std::uint32_t, std::string> headers;
  if (uids.empty()) return headers;
  const auto done = attempt([&](ImapClient& client) -> Result<void> {
    if (auto opened = open(client, folder); !opened)
      return tl::unexpected(std::move(opened.error()));
    client.set_literal_limit(uids.size() * 1024 * 1024 + ImapClient::kLiteralLimit);
    const auto answer =
        client.run(ImapCommand(fmt::format("UID FETCH {} (UID BODY.PEEK[HEADER])", uid_set(uids))),
                   [&](ImapResponse response) -> Result<void> {
                     if (response.name != "FETCH") return {};
                     auto fetched = read_fetch(std::move(response));
                     if (!fetched) return tl::unexpected(std::move(fetched.error()));
                     if (fetched->uid && fetched->header)
                       headers[*fetched->uid] = *std::move(fetched->header);
                     return {};
                   });
    client.set_literal_limit(ImapClient::kLiteralLimit);
    return answer ? Result<void>{} : tl::unexpected(answer.error());
  });
  if (!done) return tl::unexpected(done.error());
  return headers;
}

std::string uid_set(std::span<const std::uint32_t> uids) {
  std::string set;
  for (std::size_t i = 0; i < uids.size();) {
    std::size_t end = i + 1;
    while (end < uids.size() && uids[end] == uids[end - 1] + 1) ++end;
    if (!set.empty()) set += ',';
    set += std::to_string(uids[i]);
    if (end - i > 1) set += ":" + std::to_string(uids[end - 1]);
    i = end;
  }
  return set;
}

}  // namespace twinpost::tools
