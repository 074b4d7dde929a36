#include "tools/twinpost/backup/depositor.h"

#include <cstdlib>
#include <utility>

namespace twinpost::tools::backup {

namespace {

constexpr int kMinutesOfADay = 24 * 60;

}  // namespace

Json Depositor::item_of(const MessageLine& message, std::size_t octets) const {
  Json item{{"mailbox", target_.mailbox},
            {"octets", octets},
            {"prefix_octets", message.prefix.size()},
            {"date", message.date.time.time_since_epoch().count()},
            {"save_date", message.save_date.time_since_epoch().count()},
            {"uidl", message.uidl}};
  if (message.flags != 0) item["flags"] = flag_names(message.flags);
  if (!message.keywords.empty()) item["keywords"] = message.keywords;
  // A zone that is no zone says nothing; the moment is the same without it.
  const int zone = message.date.zone_minutes;
  if (zone != 0 && std::abs(zone) < kMinutesOfADay) item["zone"] = zone;
  if (message.pop3_hidden) item["hidden"] = true;
  if (message.pop3_retrieved) item["retrieved"] = true;
  if (target_.keep_uids) item["uid"] = message.uid.value();
  if (target_.keep_ids) {
    item["email_id"] = hex_number(message.email_id.value());
    item["thread_id"] = hex_number(message.thread_id.value());
  }
  return item;
}

Result<void> Depositor::put(MessageLine message, const std::string& body) {
  Item item;
  item.octets = message.prefix + body;
  item.json = item_of(message, item.octets.size());
  item.message = std::move(message);
  const std::size_t request =
      item.json.dump(-1, ' ', false, Json::error_handler_t::replace).size() + 1;
  const bool full = items_.size() >= kMostItems ||
                    payload_octets_ + item.octets.size() > kMostPayload ||
                    request_octets_ + request > kMostRequest;
  if (full) {
    if (auto flushed = flush(); !flushed) return flushed;
  }
  payload_octets_ += item.octets.size();
  request_octets_ += request;
  items_.push_back(std::move(item));
  return {};
}

Result<void> Depositor::flush() {
  auto refused = deposit(std::exchange(items_, {}));
  payload_octets_ = request_octets_ = 0;
  if (!refused) return tl::unexpected(refused.error());
  if (refused->empty()) return {};
  // It was the account's mail before: better over its quota than lost.
  ignore_quota_ = true;
  auto again = deposit(*std::move(refused));
  if (!again) return tl::unexpected(again.error());
  for (const Item& item : *again) tell_({item.message, {}, false, "over quota"});
  return {};
}

Result<std::vector<Depositor::Item>> Depositor::deposit(std::vector<Item> items) {
  std::vector<Item> refused;
  if (items.empty()) return refused;
  Json request{{"do", "deposit"}, {"account", target_.account}, {"items", Json::array()}};
  if (ignore_quota_) request["ignore_quota"] = true;
  std::string payload;
  payload.reserve(payload_octets_);
  for (Item& item : items) {
    request["items"].push_back(std::move(item.json));
    payload += item.octets;
  }
  auto answer = access_.call(std::move(request), payload);
  if (!answer) return tl::unexpected(answer.error());
  const auto answers = answer->find("items");
  if (answers == answer->end() || !answers->is_array() || answers->size() != items.size()) {
    return fail(ErrorCode::kInternal, "the server's answer to a deposit is not as it should be");
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Json& one = (*answers)[i];
    const std::string code = one.value("code", std::string());
    if (code == to_string(ErrorCode::kOverQuota) && !ignore_quota_) {
      items[i].json = item_of(items[i].message, items[i].octets.size());
      refused.push_back(std::move(items[i]));
      continue;
    }
    if (code == to_string(ErrorCode::kDiskFull)) {
      return fail(ErrorCode::kDiskFull, one.value("error", std::string("the disk is full")) +
                                            ": make room, then run this again to go on");
    }
    const bool known = one.value("known", false) || code == to_string(ErrorCode::kExists);
    const auto uid = store::Uid(one.value("uid", std::uint32_t{0}));
    std::string error = known || uid.value() != 0 ? "" : one.value("error", std::string("refused"));
    tell_({items[i].message, uid, known, std::move(error)});
  }
  return refused;
}

}  // namespace twinpost::tools::backup
