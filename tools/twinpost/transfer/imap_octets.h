// Messages' octets, fetched ahead. Blocking; one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "tools/twinpost/transfer/imap_session.h"
#include "tools/twinpost/transfer/mail.h"

namespace twinpost::tools {

// As store/prepare.h has it: every line ends in CRLF, the last one too, a bare CR stays, an empty
// message stays empty.
[[nodiscard]] std::string with_crlf(std::string octets);

class ImapOctets {
 public:
  ImapOctets(ImapSession& session, std::uint64_t largest) : session_(session), largest_(largest) {}

  // As MailSource::read().
  [[nodiscard]] Result<std::string> read(const MailFolder& folder, const MailItem& item,
                                         std::span<const MailItem> next);

 private:
  struct Request {
    std::vector<std::uint32_t> uids;  // ascending
    std::uint64_t announced = 0;      // octets, as the listing said
  };
  [[nodiscard]] Request plan(const MailItem& item, std::span<const MailItem> next) const;
  // How a request went; what came is in arrived_.
  struct Outcome {
    std::string refusal;          // of the server, by message or for all
    std::optional<Error> broken;  // the connection is gone
  };
  // An error: the folder can't be opened any more.
  [[nodiscard]] Result<Outcome> fetch(const MailFolder& folder, const Request& request);
  [[nodiscard]] Result<std::string> read_alone(const MailFolder& folder, const MailItem& item);

  ImapSession& session_;
  std::uint64_t largest_;
  std::string folder_;  // whose arrived_ are
  std::map<std::uint32_t, std::string> arrived_;
};

}  // namespace twinpost::tools
