// Messages of a backup on their way into one mailbox: gathered, and given to the server by its
// operation "deposit". One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tools/twinpost/backup/format.h"
#include "tools/twinpost/store_access.h"

namespace twinpost::tools::backup {

class Depositor {
 public:
  struct Outcome {
    const MessageLine& message;
    store::Uid uid;  // that it got
    bool known = false;
    std::string error;  // empty: it is there
  };
  struct Target {
    std::string account;
    std::string mailbox;
    bool keep_uids = false;
    bool keep_ids = false;  // EMAILID and THREADID
  };
  Depositor(StoreAccess& access, Target target, std::function<void(const Outcome&)> tell)
      : access_(access), target_(std::move(target)), tell_(std::move(tell)) {}

  // `body` without the prefix. An error is one that concerns more than this message.
  [[nodiscard]] Result<void> put(MessageLine message, const std::string& body);
  [[nodiscard]] Result<void> flush();
  [[nodiscard]] bool over_quota() const { return ignore_quota_; }

 private:
  static constexpr std::size_t kMostItems = 1000;
  static constexpr std::size_t kMostPayload = 4 * 1024 * 1024;
  static constexpr std::size_t kMostRequest = 512 * 1024;  // half of what a request can have

  struct Item {
    MessageLine message;
    Json json;
    std::string octets;
  };
  [[nodiscard]] Json item_of(const MessageLine& message, std::size_t octets) const;
  // Gives those that the quota alone refused.
  [[nodiscard]] Result<std::vector<Item>> deposit(std::vector<Item> items);

  StoreAccess& access_;
  Target target_;
  std::function<void(const Outcome&)> tell_;
  std::vector<Item> items_;
  std::size_t payload_octets_ = 0;
  std::size_t request_octets_ = 0;
  bool ignore_quota_ = false;
};

}  // namespace twinpost::tools::backup
