// The store as a sink: operations of the admin protocol (core/server/commands/commands.h), in batches.
#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <map>
#include <set>
#include <unordered_set>

#include "core/base/ascii.h"
#include "core/base/encoding.h"
#include "store/names.h"
#include "store/special_use.h"
#include "tools/twinpost/transfer/maildir_names.h"
#include "tools/twinpost/transfer/maildir_uidl.h"
#include "tools/twinpost/transfer/store_ends.h"

namespace twinpost::tools {

namespace {

constexpr std::size_t kBatchMessages = 200;
constexpr std::uint64_t kBatchOctets = 4ULL * 1024 * 1024;
// Of the request's line, well below server::kAdminLine.
constexpr std::size_t kBatchText = 512 * 1024;
constexpr std::size_t kMailboxesPerCall = 500;
constexpr std::size_t kKeysPerCall = 5'000;

// A mailbox of the store that a folder goes to.
struct Target {
  std::string mailbox;
  bool same_identity = false;
  std::uint64_t messages = 0;  // that it had before
  std::optional<Error> error;  // it can't be made
  bool advanced = false;       // past what the source has given away
  bool uidls_known = false;
  std::unordered_set<std::string> uidls;
  std::set<std::string> keywords;
  // For the notes.
  std::uint64_t empty = 0;
  std::uint64_t lost_uidls = 0;
  std::uint64_t same_uidls = 0;
  std::uint64_t lost_keywords = 0;
};

std::string hex_of(const store::ImportKey& key) {
  return hex_encode(std::string_view(reinterpret_cast<const char*>(key.data()), key.size()));
}

Json flags_json(store::FlagBits flags) {
  struct Named {
    store::Flag flag;
    const char* name;
  };
  static constexpr std::array kNames = {
      Named{store::Flag::kSeen, "\\Seen"}, Named{store::Flag::kAnswered, "\\Answered"},
      Named{store::Flag::kFlagged, "\\Flagged"}, Named{store::Flag::kDeleted, "\\Deleted"},
      Named{store::Flag::kDraft, "\\Draft"}};
  Json names = Json::array();
  for (const Named& named : kNames) {
    if ((flags & store::bit(named.flag)) != 0) names.push_back(named.name);
  }
  return names;
}

class StoreSink final : public MailSink {
 public:
  StoreSink(StoreAccess& access, std::string account, StoreSinkOptions options)
      : access_(access), account_(std::move(account)), options_(std::move(options)) {}

  [[nodiscard]] std::string description() const override { return "account " + account_; }
  [[nodiscard]] Result<void> begin(const std::vector<MailFolder>& folders) override;
  [[nodiscard]] Result<std::vector<bool>> wants(const MailFolder& folder,
                                                std::span<const MailItem> items) override;
  [[nodiscard]] Result<void> put(const MailFolder& folder, const MailItem& item,
                                 std::string octets) override;
  [[nodiscard]] Result<void> finish_folder(const MailFolder& folder) override;
  [[nodiscard]] Result<void> finish() override { return flush(); }
  [[nodiscard]] std::vector<Refused> take_refused() override { return std::exchange(refused_, {}); }
  [[nodiscard]] std::vector<std::string> take_notes() override { return std::exchange(notes_, {}); }
  [[nodiscard]] std::uint64_t stored() const override { return stored_; }

 private:
  struct Waiting {
    std::string folder;
    MailItem item;
    Json json;
    std::string octets;
  };

  [[nodiscard]] std::string name_of(const MailFolder& folder) const {
    return options_.below.empty() ? folder.name : options_.below + "/" + folder.name;
  }
  [[nodiscard]] Json identity_json(const MailFolder& folder) const;
  [[nodiscard]] Result<void> adopt(std::span<const MailFolder> folders);
  [[nodiscard]] Result<void> advance(const MailFolder& folder, Target& target);
  [[nodiscard]] Result<Json> item_json(const MailFolder& folder, Target& target,
                                       const MailItem& item, std::size_t octets);
  [[nodiscard]] Result<std::string> usable_uidl(Target& target, const std::string& uidl);
  [[nodiscard]] Json usable_keywords(Target& target, const MailItem& item) const;
  [[nodiscard]] Result<void> flush();
  [[nodiscard]] Result<Json> deposit(std::span<const Waiting> items);
  [[nodiscard]] Result<void> settle(const Waiting& waiting, const Json& answer);
  [[nodiscard]] Result<void> try_plainer(Waiting plainer, const Json& answer);
  [[nodiscard]] Result<void> refuse(const Waiting& waiting, const Json& answer);
  void tell(const Target& target);

  StoreAccess& access_;
  std::string account_;
  StoreSinkOptions options_;
  std::map<std::string, Target> targets_;  // by the folder's name
  std::vector<Waiting> waiting_;
  std::uint64_t waiting_octets_ = 0;
  std::size_t waiting_text_ = 0;
  std::vector<Refused> refused_;
  std::vector<std::string> notes_;
  std::uint64_t stored_ = 0;
};

Result<void> StoreSink::begin(const std::vector<MailFolder>& folders) {
  auto account = access_.call({{"do", "account"}, {"account", account_}});
  if (!account) return tl::unexpected(account.error());
  std::vector<MailFolder> real;
  for (const MailFolder& folder : folders) {
    if (folder.selectable) real.push_back(folder);
  }
  for (std::size_t at = 0; at < real.size(); at += kMailboxesPerCall) {
    const auto some = std::span<const MailFolder>(real).subspan(
        at, std::min(kMailboxesPerCall, real.size() - at));
    if (adopt(some)) continue;
    // One of them can't be: each by itself, so that it alone is left out.
    for (std::size_t i = 0; i < some.size(); ++i) {
      auto one = adopt(some.subspan(i, 1));
      if (one) continue;
      const ErrorCode code = one.error().code;
      if (code != ErrorCode::kInvalid && code != ErrorCode::kLimit) return one;
      targets_[some[i].name].error = Error{ErrorCode::kInvalid, one.error().message};
    }
  }
  return {};
}

Json StoreSink::identity_json(const MailFolder& folder) const {
  Json mailbox{{"name", name_of(folder)}, {"subscribed", folder.subscribed}};
  if (options_.keep_identity) {
    mailbox["uid_validity"] = folder.uid_validity.value();
    mailbox["highest_modseq"] = folder.highest_modseq.value();
    if (!folder.mailbox_guid.empty()) mailbox["guid"] = folder.mailbox_guid;
  }
  if (folder.special_use != store::SpecialUse::kNone && options_.below.empty()) {
    mailbox["special_use"] = store::to_string(folder.special_use);
  }
  return mailbox;
}

Result<void> StoreSink::adopt(std::span<const MailFolder> folders) {
  Json mailboxes = Json::array();
  for (const MailFolder& folder : folders) mailboxes.push_back(identity_json(folder));
  auto answer =
      access_.call({{"do", "adopt"}, {"account", account_}, {"mailboxes", std::move(mailboxes)}});
  if (!answer) return tl::unexpected(answer.error());
  const Json& adopted = answer->at("mailboxes");
  for (std::size_t i = 0; i < folders.size(); ++i) {
    Target& target = targets_[folders[i].name];
    target.mailbox = adopted.at(i).at("name").get<std::string>();
    target.same_identity = options_.keep_identity && adopted.at(i).at("same_identity").get<bool>();
    target.messages = adopted.at(i).at("messages").get<std::uint64_t>();
  }
  return {};
}

Result<std::vector<bool>> StoreSink::wants(const MailFolder& folder,
                                           std::span<const MailItem> items) {
  const auto target = targets_.find(folder.name);
  if (target == targets_.end()) {
    return fail(ErrorCode::kInternal, folder.name + ": was not announced");
  }
  if (target->second.error) return tl::unexpected(*target->second.error);
  std::vector<bool> wanted(items.size(), true);
  for (std::size_t at = 0; at < items.size(); at += kKeysPerCall) {
    Json keys = Json::array();
    std::vector<std::size_t> places;
    for (std::size_t i = at; i < std::min(items.size(), at + kKeysPerCall); ++i) {
      if (!items[i].key) continue;
      keys.push_back(hex_of(*items[i].key));
      places.push_back(i);
    }
    if (places.empty()) continue;
    auto answer = access_.call({{"do", "known"}, {"account", account_}, {"keys", std::move(keys)}});
    if (!answer) return tl::unexpected(answer.error());
    const Json& known = answer->at("known");
    for (std::size_t i = 0; i < places.size(); ++i) wanted[places[i]] = !known.at(i).get<bool>();
  }
  return wanted;
}

// What comes without a UID must not get one that the source has given away.
Result<void> StoreSink::advance(const MailFolder& folder, Target& target) {
  if (std::exchange(target.advanced, true) || !target.same_identity ||
      folder.uid_next.value() == 0) {
    return {};
  }
  if (auto flushed = flush(); !flushed) return flushed;
  auto answer = access_.call({{"do", "advance"},
                              {"account", account_},
                              {"mailbox", target.mailbox},
                              {"uid_next", folder.uid_next.value()}});
  if (!answer) return tl::unexpected(answer.error());
  return {};
}

Result<std::string> StoreSink::usable_uidl(Target& target, const std::string& uidl) {
  if (uidl.empty()) return std::string();
  if (!is_usable_uidl(uidl)) {
    ++target.lost_uidls;
    return std::string();
  }
  if (!std::exchange(target.uidls_known, true) && target.messages > 0) {
    auto answer =
        access_.call({{"do", "uidls"}, {"account", account_}, {"mailbox", target.mailbox}});
    if (!answer) return tl::unexpected(answer.error());
    for (const Json& there : answer->at("uidls")) target.uidls.insert(there.get<std::string>());
  }
  if (target.uidls.insert(uidl).second) return uidl;
  ++target.same_uidls;
  return std::string();
}

Json StoreSink::usable_keywords(Target& target, const MailItem& item) const {
  Json usable = Json::array();
  for (const std::string& keyword : item.keywords) {
    const bool has_room =
        target.keywords.contains(keyword) || target.keywords.size() < store::kMaxKeywords;
    if (!is_keyword(keyword) || !has_room) {
      ++target.lost_keywords;
      continue;
    }
    target.keywords.insert(keyword);
    usable.push_back(keyword);
  }
  return usable;
}

Result<Json> StoreSink::item_json(const MailFolder& folder, Target& target, const MailItem& item,
                                  std::size_t octets) {
  auto uidl = usable_uidl(target, item.uidl);
  if (!uidl) return tl::unexpected(uidl.error());
  Json json{{"mailbox", target.mailbox},
            {"octets", octets},
            {"date", item.date.time.time_since_epoch().count()},
            {"zone", item.date.zone_minutes}};
  if (item.flags != 0) json["flags"] = flags_json(item.flags);
  if (Json keywords = usable_keywords(target, item); !keywords.empty()) {
    json["keywords"] = std::move(keywords);
  }
  if (!uidl->empty()) json["uidl"] = *std::move(uidl);
  if (item.prefix_octets > 0) json["prefix_octets"] = item.prefix_octets;
  if (target.same_identity && item.uid.value() != 0) json["uid"] = item.uid.value();
  if (item.save_date) json["save_date"] = item.save_date->time_since_epoch().count();
  if (item.pop3_hidden) json["hidden"] = true;
  if (item.pop3_retrieved) json["retrieved"] = true;
  if (item.email_id.value() != 0) json["email_id"] = fmt::format("{:016x}", item.email_id.value());
  if (item.thread_id.value() != 0) {
    json["thread_id"] = fmt::format("{:016x}", item.thread_id.value());
  }
  if (item.key) json["key"] = hex_of(*item.key);
  if (item.uid.value() == 0) {
    if (auto advanced = advance(folder, target); !advanced) {
      return tl::unexpected(advanced.error());
    }
  }
  return json;
}

Result<void> StoreSink::put(const MailFolder& folder, const MailItem& item, std::string octets) {
  Target& target = targets_[folder.name];
  if (octets.empty()) {
    ++target.empty;
    return {};
  }
  auto json = item_json(folder, target, item, octets.size());
  if (!json) return tl::unexpected(json.error());
  const std::size_t text = json->dump(-1, ' ', false, Json::error_handler_t::replace).size();
  const bool fits = waiting_.size() < kBatchMessages &&
                    waiting_octets_ + octets.size() <= kBatchOctets &&
                    waiting_text_ + text <= kBatchText;
  if (!fits) {
    if (auto flushed = flush(); !flushed) return flushed;
  }
  waiting_octets_ += octets.size();
  waiting_text_ += text;
  waiting_.push_back({folder.name, item, *std::move(json), std::move(octets)});
  return {};
}

Result<Json> StoreSink::deposit(std::span<const Waiting> items) {
  Json request{{"do", "deposit"}, {"account", account_}, {"ignore_quota", options_.ignore_quota}};
  Json list = Json::array();
  std::string payload;
  for (const Waiting& waiting : items) {
    list.push_back(waiting.json);
    payload += waiting.octets;
  }
  request["items"] = std::move(list);
  auto answer = access_.call(std::move(request), payload);
  if (!answer) return answer;
  if (!answer->contains("items") || answer->at("items").size() != items.size()) {
    return fail(ErrorCode::kInternal, "the server's answer does not fit what was given to it");
  }
  return answer->at("items");
}

Result<void> StoreSink::flush() {
  if (waiting_.empty()) return {};
  const std::vector<Waiting> items = std::exchange(waiting_, {});
  waiting_octets_ = 0;
  waiting_text_ = 0;
  auto answers = deposit(items);
  if (!answers) return tl::unexpected(answers.error());
  // Of all of them first, what was stored; then what to do about the others.
  for (const Json& answer : *answers) stored_ += answer.contains("uid") ? 1 : 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (auto settled = settle(items[i], answers->at(i)); !settled) return settled;
  }
  return {};
}

Result<void> StoreSink::settle(const Waiting& waiting, const Json& answer) {
  if (answer.contains("uid") || answer.contains("known")) return {};
  const std::string code = answer.value("code", std::string());
  const bool same_uidl = code == to_string(ErrorCode::kExists) && waiting.json.contains("uidl");
  const bool keywords = code == to_string(ErrorCode::kLimit) && waiting.json.contains("keywords");
  if (!same_uidl && !keywords) return refuse(waiting, answer);
  // The message is worth more than what is in the way.
  Waiting plainer = waiting;
  Target& target = targets_[waiting.folder];
  plainer.json.erase(same_uidl ? "uidl" : "keywords");
  ++(same_uidl ? target.same_uidls : target.lost_keywords);
  return try_plainer(std::move(plainer), answer);
}

Result<void> StoreSink::try_plainer(Waiting plainer, const Json& answer) {
  auto again = deposit(std::span<const Waiting>(&plainer, 1));
  if (!again) return tl::unexpected(again.error());
  const Json& second = again->at(0);
  if (second.contains("uid")) ++stored_;
  if (second.contains("uid") || second.contains("known")) return {};
  return refuse(plainer, answer);
}

Result<void> StoreSink::refuse(const Waiting& waiting, const Json& answer) {
  const std::string code = answer.value("code", std::string());
  const std::string why = answer.value("error", std::string("refused"));
  if (code == to_string(ErrorCode::kOverQuota)) {
    return fail(ErrorCode::kOverQuota,
                fmt::format("{} is over its quota ({}): raise the quota in accounts.json or give "
                            "--ignore-quota, then run this again; it goes on from here",
                            account_, why));
  }
  if (code == to_string(ErrorCode::kDiskFull)) return fail(ErrorCode::kDiskFull, why);
  if (code == to_string(ErrorCode::kShutdown)) return fail(ErrorCode::kShutdown, why);
  if (code == to_string(ErrorCode::kIo)) return fail(ErrorCode::kIo, why);
  refused_.push_back({waiting.folder, waiting.item, Error{ErrorCode::kInvalid, why}});
  return {};
}

void StoreSink::tell(const Target& target) {
  const auto note = [&](std::uint64_t count, std::string_view what) {
    if (count > 0) notes_.push_back(fmt::format("{}: {} {}", target.mailbox, count, what));
  };
  note(target.empty, "messages are empty files: passed over");
  note(target.lost_uidls, "UIDLs that POP3 can't show are left out: those messages get new ones");
  note(target.same_uidls, "messages have a UIDL that another message here has: they get new ones");
  note(target.lost_keywords,
       "keywords are left out (no names that IMAP can show, or more than the "
       "128 of a mailbox)");
}

Result<void> StoreSink::finish_folder(const MailFolder& folder) {
  if (auto flushed = flush(); !flushed) return flushed;
  const auto target = targets_.find(folder.name);
  if (target == targets_.end() || target->second.error) return {};
  if (auto advanced = advance(folder, target->second); !advanced) return advanced;
  tell(target->second);
  return {};
}

}  // namespace

std::unique_ptr<MailSink> make_store_sink(StoreAccess& access, std::string account,
                                          StoreSinkOptions options) {
  return std::make_unique<StoreSink>(access, ascii::lower(account), std::move(options));
}

}  // namespace twinpost::tools
