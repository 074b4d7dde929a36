// Undo of removals.
#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <span>
#include <utility>

#include "core/base/ascii.h"
#include "core/server/commands/commands.h"
#include "core/server/commands/request.h"
#include "core/server/store_options.h"

namespace twinpost::server {

namespace {

constexpr std::size_t kIdsPerWrite = 200;

using Ids = std::vector<store::RemovedId>;

// Each once, in the order of the request.
Ids read_ids(Members& members) {
  Ids ids;
  const std::vector<std::string> texts = members.texts("ids");
  if (texts.empty()) members.fault("ids", "is missing, or empty");
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto id = store::parse_removed_id(texts[i]);
    if (!id) {
      members.fault(fmt::format("ids[{}]", i), "is no id as \"twinpost removed list\" shows them");
      return {};
    }
    ids.push_back(*id);
  }
  Ids sorted = ids;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    members.fault("ids", "names a message twice");
  }
  return ids;
}

struct Wanted {
  std::string account;
  std::string to;  // empty: where it was
  store::Limits limits;
};

// What came back, with the names of the mailboxes.
struct Done {
  store::Undeleted undeleted;
  std::map<store::MailboxKey, std::string> names;
};

Result<Done> undelete_some(store::Store& store, const Wanted& wanted,
                           std::span<const store::RemovedId> ids) {
  return store.write_now([&](store::WriteTxn& txn) -> Result<Done> {
    const auto account = find_account(txn, wanted.account);
    if (!account) return tl::unexpected(account.error());
    std::optional<store::MailboxId> to;
    if (!wanted.to.empty()) {
      const auto mailbox = find_mailbox(txn, *account, wanted.to);
      if (!mailbox) return tl::unexpected(mailbox.error());
      to = mailbox->id;
    }
    auto undeleted = txn.undelete(account->id, ids, to, wanted.limits);
    if (!undeleted) return tl::unexpected(undeleted.error());
    Done done;
    for (const auto& message : undeleted->messages) {
      std::string& name = done.names[message.mailbox];
      if (!name.empty()) continue;
      const auto mailbox = txn.mailbox(message.mailbox);
      if (!mailbox) return tl::unexpected(mailbox.error());
      name = mailbox->name;
    }
    done.undeleted = *std::move(undeleted);
    return done;
  });
}

class Answer {
 public:
  void add(const Done& done) {
    for (const auto& message : done.undeleted.messages) {
      messages_.push_back(Json{{"id", store::to_string(message.id)},
                               {"mailbox", done.names.at(message.mailbox)},
                               {"uid", message.uid.value()}});
    }
    for (const auto& id : done.undeleted.missing) missing_.push_back(store::to_string(id));
    for (const auto& id : done.undeleted.present) present_.push_back(store::to_string(id));
  }
  void add_missing(const store::RemovedId& id) { missing_.push_back(store::to_string(id)); }
  [[nodiscard]] std::size_t back() const { return messages_.size(); }
  [[nodiscard]] Json take() {
    return Json{{"messages", std::move(messages_)},
                {"missing", std::move(missing_)},
                {"present", std::move(present_)}};
  }

 private:
  Json messages_ = Json::array();
  Json missing_ = Json::array();
  Json present_ = Json::array();
};

// All of these, or, where they can't come back together (the quota), one after the other as far as
// it goes.
Result<void> undelete_chunk(const AdminJob& job, const Wanted& wanted,
                            std::span<const store::RemovedId> ids, Answer& answer) {
  const auto together = undelete_some(job.store, wanted, ids);
  if (together) {
    answer.add(*together);
    return {};
  }
  if (together.error().code != ErrorCode::kOverQuota || ids.size() == 1) {
    return tl::unexpected(together.error());
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto one = undelete_some(job.store, wanted, ids.subspan(i, 1));
    if (!one) return tl::unexpected(one.error());
    answer.add(*one);
  }
  return {};
}

// Takes out those whose retention is over: that they can still be read is for sessions that were not
// told yet.
void leave_out_expired(const config::Limits& limits, Ids& ids, Answer& answer) {
  const UnixTime since = removals_kept_since(limits);
  std::erase_if(ids, [&](const store::RemovedId& id) {
    if (id.time >= since) return false;
    answer.add_missing(id);
    return true;
  });
}

}  // namespace

Result<Json> admin_undelete(AdminJob& job) {
  Members members(job.request);
  Wanted wanted;
  wanted.account = account_member(members);
  wanted.limits = limits_of(job, wanted.account);
  if (job.request.contains("to")) wanted.to = mailbox_member(members, "to");
  Ids ids = read_ids(members);
  if (auto good = members.finish(); !good) return tl::unexpected(good.error());
  Answer answer;
  leave_out_expired(job.config->limits, ids, answer);
  for (std::size_t done = 0; done < ids.size(); done += kIdsPerWrite) {
    Result<void> step;
    if (!tell(job, "messages", done, ids.size())) {
      step = ended();
    } else {
      const auto some = std::span<const store::RemovedId>(ids).subspan(
          done, std::min(kIdsPerWrite, ids.size() - done));
      step = undelete_chunk(job, wanted, some, answer);
    }
    if (step) continue;
    if (answer.back() == 0) return tl::unexpected(step.error());
    return fail(step.error().code, fmt::format("{} ({} messages came back before that)",
                                               step.error().message, answer.back()));
  }
  return answer.take();
}

Result<Json> admin_forget(AdminJob& job) {
  Members members(job.request);
  const std::string account = account_member(members);
  const Ids ids = read_ids(members);
  if (auto good = members.finish(); !good) return tl::unexpected(good.error());
  std::uint64_t forgotten = 0;
  for (std::size_t done = 0; done < ids.size(); done += kIdsPerWrite) {
    if (!tell(job, "messages", done, ids.size())) return ended();
    const auto some = std::span<const store::RemovedId>(ids).subspan(
        done, std::min(kIdsPerWrite, ids.size() - done));
    const auto step = job.store.write_now([&](store::WriteTxn& txn) -> Result<std::uint64_t> {
      const auto found = find_account(txn, account);
      if (!found) return tl::unexpected(found.error());
      return txn.forget_removed(found->id, some);
    });
    if (!step) return tl::unexpected(step.error());
    forgotten += *step;
  }
  return Json{{"forgotten", forgotten}};
}

}  // namespace twinpost::server
