// A login at the old server that outlives its connections: broken ones are made again, mailboxes
// opened again by EXAMINE. Blocking; one thread.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "tools/twinpost/transfer/imap_client.h"
#include "tools/twinpost/transfer/mail.h"

namespace twinpost::tools {

struct Reconnecting {
  unsigned times = 5;  // in a row
  std::chrono::milliseconds first_pause{1000};
  std::function<void(std::string_view)> note;
};

class ImapSession {
 public:
  ImapSession(MailLogin login, Reconnecting reconnecting)
      : login_(std::move(login)), reconnecting_(std::move(reconnecting)) {}
  ~ImapSession();
  ImapSession(const ImapSession&) = delete;
  ImapSession& operator=(const ImapSession&) = delete;

  // One attempt.
  [[nodiscard]] Result<void> connect();
  // Runs `work` with a connection, again on a new one where it broke. Errors of answers that leave
  // the connection usable are kNotFound, kPermission and kCorrupt; after any other there is a new
  // connection.
  [[nodiscard]] Result<void> attempt(const std::function<Result<void>(ImapClient&)>& work);

  // Within attempt(): opens the folder for reading where it is not. kConflict where its UIDVALIDITY
  // is not the folder's any more, kNotFound where the server refuses. `again`: also where it is
  // open.
  struct Opened {
    std::uint32_t messages = 0;
    std::uint32_t uid_next = 0;  // 0: not told
    std::uint64_t opening =
        0;  // counts them: another one means that sequence numbers may be others
    friend bool operator==(const Opened&, const Opened&) = default;
  };
  [[nodiscard]] Result<Opened> open(ImapClient& client, const MailFolder& folder,
                                    bool again = false);

  // Of these UIDs, by UID; those that are not there are left out.
  [[nodiscard]] Result<std::map<std::uint32_t, std::string>> headers(
      const MailFolder& folder, std::span<const std::uint32_t> uids);

  // The connection is good for nothing any more; the next attempt() makes another one.
  void drop();
  void drop(const Error& why);  // and says so
  [[nodiscard]] bool is_connected() const { return client_ != nullptr; }
  [[nodiscard]] const MailLogin& login() const { return login_; }

 private:
  MailLogin login_;
  Reconnecting reconnecting_;
  std::unique_ptr<ImapClient> client_;
  std::string opened_name_;
  bool is_opened_ = false;
  Opened opened_;
};

// "3,7:9" of ascending UIDs.
[[nodiscard]] std::string uid_set(std::span<const std::uint32_t> uids);

}  // namespace twinpost::tools
