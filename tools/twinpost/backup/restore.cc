#include "tools/twinpost/backup/restore.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <optional>
#include <unordered_set>
#include <utility>

#include "core/base/ascii.h"
#include "store/names.h"
#include "store/special_use.h"
#include "tools/twinpost/backup/depositor.h"

namespace twinpost::tools::backup {

namespace {

constexpr std::size_t kMostFailures = 1000;
constexpr std::uint64_t kLastUid = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kMostModSeq = std::numeric_limits<std::int64_t>::max();

using Uidls = std::unordered_set<std::string>;

class Restore {
 public:
  Restore(Repository& repository, const Packs& packs, StoreAccess& access,
          const RestoreOptions& options, RestoreReport& report)
      : repository_(repository),
        packs_(packs),
        access_(access),
        options_(options),
        report_(report) {}

  Result<void> run();

 private:
  [[nodiscard]] Result<void> restore_account(const AccountPlace& place);
  [[nodiscard]] Result<void> ensure_account(const std::string& name);
  [[nodiscard]] Result<std::vector<ListedMailbox>> chosen(const AccountSection& section) const;
  [[nodiscard]] Result<void> restore_mailbox(const ListedMailbox& mailbox);
  [[nodiscard]] Result<void> make_anew(const MailboxLine& line, const Messages& messages,
                                       MailboxRestored& done);
  [[nodiscard]] Result<void> make_empty(const MailboxLine& line, const std::string& name);
  [[nodiscard]] Json identity_of(const MailboxLine& line, const std::string& name) const;
  [[nodiscard]] Result<void> advance(const MailboxLine& line, const std::string& name);
  [[nodiscard]] Result<void> put_messages(const Messages& messages, const Uidls& there,
                                          Depositor::Target target, MailboxRestored& done);
  [[nodiscard]] Result<void> finish_account(const AccountLine& account);

  // nullopt where there is no such mailbox, or account.
  [[nodiscard]] Result<std::optional<Uidls>> uidls_of(const std::string& mailbox);
  [[nodiscard]] Result<bool> never_had_a_message(const std::string& mailbox);
  [[nodiscard]] Result<Json> adopt(Json mailbox);
  [[nodiscard]] Result<Json> call(const char* what, Json request) {
    request["do"] = what;
    request["account"] = target_;
    return access_.call(std::move(request));
  }

  void failure(const std::string& text) {
    ++report_.failed;
    if (report_.failures.size() < kMostFailures) report_.failures.push_back(text);
  }
  [[nodiscard]] bool keeps_identity() const { return options_.below.empty(); }

  Repository& repository_;
  const Packs& packs_;
  StoreAccess& access_;
  const RestoreOptions& options_;
  RestoreReport& report_;
  bool same_store_ = false;
  std::string source_;          // the account that is restored
  std::string target_;          // the one that it goes to
  std::uint64_t messages_ = 0;  // of all that will be looked at
  std::uint64_t looked_at_ = 0;
};

Result<void> Restore::run() {
  auto ping = access_.call(Json{{"do", "ping"}});
  if (!ping) return tl::unexpected(ping.error());
  same_store_ = ping->value("store_id", std::string()) == hex_number(repository_.info().store_id);
  auto contents = repository_.directory(options_.generation);
  if (!contents) return tl::unexpected(contents.error());
  for (const std::string& text : (*contents)->problems()) failure(text);
  std::vector<AccountPlace> wanted;
  for (const AccountPlace& place : (*contents)->accounts()) {
    if (options_.account.empty() || place.name == ascii::lower(options_.account)) {
      wanted.push_back(place);
      messages_ += place.messages;
    }
  }
  if (wanted.empty() && !options_.account.empty()) {
    return fail(ErrorCode::kNotFound,
                fmt::format("generation {} has no account {}", to_string(options_.generation),
                            ascii::printable(options_.account)));
  }
  for (const AccountPlace& place : wanted) {
    auto done = restore_account(place);
    if (done) continue;
    // What is wrong with the backup concerns this account; anything else would meet the next one
    // too.
    if (done.error().code != ErrorCode::kCorrupt) return done;
    failure(done.error().message);
  }
  return {};
}

Result<void> Restore::ensure_account(const std::string& name) {
  auto made = call("account", Json::object());
  if (made) return {};
  if (made.error().code != ErrorCode::kNotFound) return tl::unexpected(made.error());
  report_.unlisted.push_back(name);
  made = call("account", Json{{"unlisted", true}});
  if (!made) return tl::unexpected(made.error());
  return {};
}

Result<std::vector<ListedMailbox>> Restore::chosen(const AccountSection& section) const {
  if (options_.mailboxes.empty()) return section.mailboxes;
  std::vector<ListedMailbox> mailboxes;
  for (const std::string& name : options_.mailboxes) {
    const std::string canonical = store::canonical_name(name);
    const auto found =
        std::find_if(section.mailboxes.begin(), section.mailboxes.end(),
                     [&](const ListedMailbox& mailbox) { return mailbox.line.name == canonical; });
    if (found == section.mailboxes.end()) {
      return fail(ErrorCode::kNotFound,
                  fmt::format("generation {} has no mailbox {} of {}",
                              to_string(options_.generation), ascii::printable(name), source_));
    }
    mailboxes.push_back(*found);
  }
  return mailboxes;
}

Result<void> Restore::restore_account(const AccountPlace& place) {
  source_ = place.name;
  target_ = options_.as.empty() ? place.name : ascii::lower(options_.as);
  auto section = repository_.section(options_.generation, place.name);
  if (!section) return tl::unexpected(section.error());
  const AccountLine account = (*section)->account;
  auto mailboxes = chosen(**section);
  if (!mailboxes) return tl::unexpected(mailboxes.error());
  if (!options_.mailboxes.empty()) {
    messages_ = 0;
    for (const ListedMailbox& mailbox : *mailboxes) messages_ += mailbox.line.messages;
  }
  if (!options_.dry_run) {
    if (auto made = ensure_account(target_); !made) return made;
    if (!options_.below.empty()) {
      if (auto made = adopt(Json{{"name", options_.below}}); !made) {
        return tl::unexpected(made.error());
      }
    }
  }
  for (const ListedMailbox& mailbox : *mailboxes) {
    if (auto done = restore_mailbox(mailbox); !done) return done;
  }
  const bool whole = options_.mailboxes.empty() && options_.below.empty() && !options_.dry_run;
  return whole ? finish_account(account) : Result<void>{};
}

// The mailboxes that every account gets were made once, and some of them perhaps removed: not
// again.
Result<void> Restore::finish_account(const AccountLine& account) {
  if (!account.provisioned) return {};
  auto done = call("provisioned", Json::object());
  if (!done) return tl::unexpected(done.error());
  return {};
}

Result<std::optional<Uidls>> Restore::uidls_of(const std::string& mailbox) {
  auto answer = call("uidls", Json{{"mailbox", mailbox}});
  if (!answer && answer.error().code == ErrorCode::kNotFound) return std::nullopt;
  if (!answer) return tl::unexpected(answer.error());
  Uidls uidls;
  for (Json& uidl : (*answer)["uidls"]) uidls.insert(uidl.get<std::string>());
  return uidls;
}

Result<Json> Restore::adopt(Json mailbox) {
  auto answer = call("adopt", Json{{"mailboxes", Json::array({std::move(mailbox)})}});
  if (!answer) return answer;
  return answer->at("mailboxes").at(0);
}

Result<bool> Restore::never_had_a_message(const std::string& mailbox) {
  auto answer = adopt(Json{{"name", mailbox}});
  if (!answer) return tl::unexpected(answer.error());
  return answer->at("messages") == 0 && answer->at("uid_next") == 1;
}

Result<void> Restore::restore_mailbox(const ListedMailbox& mailbox) {
  const MailboxLine& line = mailbox.line;
  MailboxRestored done;
  done.account = target_;
  done.name = options_.below.empty() ? line.name : options_.below + "/" + line.name;
  done.messages = line.messages;
  const Listed listed = repository_.messages(options_.generation, source_, line);
  for (const std::string& text : listed.problems) failure(text);
  // A problem counts as one failed message where it is about none, or more of them.
  if (listed.lost > listed.problems.size()) report_.failed += listed.lost - listed.problems.size();
  done.failed = listed.lost;
  const Messages& messages = listed.messages;
  auto there = uidls_of(done.name);
  if (!there) return tl::unexpected(there.error());
  bool anew = !*there;
  if (*there && !options_.dry_run) {
    auto never = never_had_a_message(done.name);
    if (!never && never.error().code == ErrorCode::kInvalid) {
      // The server's own, which shows removed messages: nothing comes into it.
      failure(never.error().message);
      done.failed = line.messages;
      report_.mailboxes.push_back(done);
      return {};
    }
    if (!never) return tl::unexpected(never.error());
    if ((*there)->empty()) anew = *never;
  }
  done.made = anew;
  Result<void> result;
  if (anew && messages.empty() && !options_.dry_run) {
    result = make_empty(line, done.name);
  } else if (anew && !options_.dry_run) {
    result = make_anew(line, messages, done);
  } else {
    result = put_messages(messages, *there ? **there : Uidls{},
                          {target_, done.name, false, same_store_ && source_ == target_}, done);
  }
  report_.restored += done.restored;
  report_.already_there += done.already_there;
  report_.mailboxes.push_back(std::move(done));
  return result;
}

Json Restore::identity_of(const MailboxLine& line, const std::string& name) const {
  Json identity{{"name", name}};
  if (keeps_identity()) {
    identity["uid_validity"] = line.uid_validity.value();
    identity["guid"] = line.guid;
    identity["highest_modseq"] = std::min(line.highest_modseq.value() + kModSeqGap, kMostModSeq);
  }
  if (line.special_use != store::SpecialUse::kNone) {
    identity["special_use"] = store::to_string(line.special_use);
  }
  return identity;
}

Result<void> Restore::advance(const MailboxLine& line, const std::string& name) {
  if (!keeps_identity()) return {};
  const std::uint64_t uid_next = std::uint64_t{line.uid_next.value()} + kUidGap;
  auto advanced =
      call("advance", Json{{"mailbox", name}, {"uid_next", std::min(uid_next, kLastUid)}});
  if (!advanced) return tl::unexpected(advanced.error());
  return {};
}

// A mailbox that has no messages in the backup, and none here.
Result<void> Restore::make_empty(const MailboxLine& line, const std::string& name) {
  auto here = adopt(Json{{"name", name}});
  if (!here) return tl::unexpected(here.error());
  // The very mailbox (a store gives no UIDVALIDITY twice): nobody was told of a UID in it, neither
  // then nor since.
  const bool same = same_store_ && here->at("uid_validity") == line.uid_validity.value();
  Json identity = same ? Json{{"name", name}} : identity_of(line, name);
  if (line.subscribed) identity["subscribed"] = true;
  if (auto adopted = adopt(std::move(identity)); !adopted) return tl::unexpected(adopted.error());
  return same ? Result<void>{} : advance(line, name);
}

Result<void> Restore::make_anew(const MailboxLine& line, const Messages& messages,
                                MailboxRestored& done) {
  // No parent, so that nothing is left behind; of the generation, because another one's UIDs would
  // be mixed up with it.
  const std::string temporary =
      fmt::format("Restoring {} {}", line.guid, to_string(options_.generation));
  auto adopted = adopt(identity_of(line, temporary));
  if (!adopted) return tl::unexpected(adopted.error());
  auto there = uidls_of(temporary);
  if (!there) return tl::unexpected(there.error());
  auto put = put_messages(messages, *there ? **there : Uidls{},
                          {target_, temporary, true, same_store_ && source_ == target_}, done);
  if (!put) return put;
  if (auto advanced = advance(line, temporary); !advanced) return advanced;
  if (const auto slash = done.name.rfind(store::kHierarchySeparator); slash != std::string::npos) {
    // With those above it, so that every client shows the way there.
    auto above = adopt(Json{{"name", done.name.substr(0, slash)}});
    if (!above) return tl::unexpected(above.error());
  }
  auto installed = call("install", Json{{"mailbox", temporary}, {"name", done.name}});
  if (!installed) return tl::unexpected(installed.error());
  if (!line.subscribed) return {};
  auto subscribed = adopt(Json{{"name", done.name}, {"subscribed", true}});
  if (!subscribed) return tl::unexpected(subscribed.error());
  return {};
}

Result<void> Restore::put_messages(const Messages& messages, const Uidls& there,
                                   Depositor::Target target, MailboxRestored& done) {
  const std::string where = ascii::printable(done.account + "/" + done.name);
  const bool keep_uids = target.keep_uids;
  const auto failed = [&](store::Uid uid, const std::string& why) {
    ++done.failed;
    failure(fmt::format("{} UID {}: {}", where, uid.value(), why));
  };
  Depositor depositor(access_, std::move(target), [&](const Depositor::Outcome& outcome) {
    if (!outcome.error.empty()) return failed(outcome.message.uid, outcome.error);
    if (outcome.known) {
      ++done.already_there;
      return;
    }
    ++done.restored;
    report_.octets += outcome.message.size;
    if (keep_uids && outcome.uid != outcome.message.uid) ++done.renumbered;
  });
  for (const auto& [uid, line] : messages) {
    if (options_.progress && !options_.progress("messages", looked_at_, messages_)) {
      return fail(ErrorCode::kShutdown, "stopped");
    }
    ++looked_at_;
    auto message = decode_message(line);
    if (!message) {
      failed(uid, message.error().message);
      continue;
    }
    if (there.contains(message->uidl)) {
      ++done.already_there;
      continue;
    }
    auto body = packs_.read(message->body);
    if (!body) {
      failed(uid, body.error().message);
      continue;
    }
    if (options_.dry_run) {
      ++done.restored;
      continue;
    }
    if (auto put = depositor.put(*std::move(message), *body); !put) return put;
  }
  auto flushed = depositor.flush();
  if (depositor.over_quota() && std::find(report_.over_quota.begin(), report_.over_quota.end(),
                                          done.account) == report_.over_quota.end()) {
    report_.over_quota.push_back(done.account);
  }
  return flushed;
}

}  // namespace

Result<void> restore(Repository& repository, const Packs& packs, StoreAccess& access,
                     const RestoreOptions& options, RestoreReport& report) {
  return Restore(repository, packs, access, options, report).run();
}

}  // namespace twinpost::tools::backup
