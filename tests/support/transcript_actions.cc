#include "tests/support/transcript_actions.h"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "core/base/ascii.h"
#include "store/prepare.h"
#include "tests/support/transcript_options.h"
#include "tests/support/transcript_text.h"

namespace twinpost::testing {
namespace {

using Words = std::vector<std::string>;

[[noreturn]] void raise_failure(const std::string& what) { throw std::runtime_error(what); }

template <class T>
T need(Result<T> result) {
  if (!result) raise_failure(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

std::uint64_t number_of(const std::string& word) {
  const auto number = ascii::parse_number<std::uint64_t>(word);
  if (!number) raise_failure("not a number: " + word);
  return *number;
}

std::vector<store::Uid> uids_of(const Words& words, std::size_t from) {
  std::vector<store::Uid> uids;
  for (std::size_t i = from; i < words.size(); ++i) {
    uids.emplace_back(static_cast<std::uint32_t>(number_of(words[i])));
  }
  return uids;
}

store::MailboxKey find(const store::ReadView& view, const std::string& account,
                       const std::string& mailbox) {
  const auto owner = need(view.account(account));
  return {owner.id, need(view.find_mailbox(owner.id, mailbox)).id};
}

store::SpecialUse special_use_of(const std::string& word) {
  if (word == "trash") return store::SpecialUse::kTrash;
  if (word == "archive") return store::SpecialUse::kArchive;
  if (word == "none") return store::SpecialUse::kNone;
  raise_failure("unknown special use " + word);
}

void do_deliver(World& world, const Words& words) {
  const std::uint64_t octets = number_of(words.at(2));
  deliver(world, words.at(1), "", make_message(octets, octets));
}

void do_expunge(World& world, const Words& words) {
  const auto uids = uids_of(words, 3);
  const auto expunged = need(world.store().write_now([&](store::WriteTxn& txn) {
    const store::Remover remover{words.at(1), "imap", "192.0.2.7"};
    return txn.expunge(find(txn, words.at(1), words.at(2)), uids, remover);
  }));
  if (expunged.removed.size() != uids.size()) raise_failure("not all of them were there");
}

void do_copy_or_move(World& world, const Words& words) {
  const auto uids = uids_of({words.at(3)}, 0);
  need(world.store().write_now([&](store::WriteTxn& txn) -> Result<store::Copied> {
    const store::MailboxKey from = find(txn, words.at(1), words.at(2));
    if (!txn.find_mailbox(from.account, words.at(4))) {
      need(txn.create_mailbox(from.account, words.at(4), store::SpecialUse::kNone));
    }
    const store::MailboxKey to = find(txn, words.at(1), words.at(4));
    const store::Remover remover{words.at(1), "imap", "192.0.2.7"};
    return words.at(0) == "move" ? txn.move(from, uids, to, remover) : txn.copy(from, uids, to, {});
  }));
}

void do_delete_flag(World& world, const Words& words) {
  const auto uids = uids_of(words, 3);
  need(world.store().write_now([&](store::WriteTxn& txn) {
    store::FlagChange change;
    change.flags = store::bit(store::Flag::kDeleted);
    return txn.change_flags(find(txn, words.at(1), words.at(2)), uids, change);
  }));
}

void do_mailbox(World& world, const Words& words) {
  need(world.store().write_now([&](store::WriteTxn& txn) {
    const auto owner = need(txn.ensure_account(words.at(1)));
    return txn.create_mailbox(owner.id, words.at(2), special_use_of(words.at(3)));
  }));
}

void do_option(World& world, const Words& words) {
  config::AccountsConfig accounts = world.settings().accounts;
  if (!set_option(accounts.accounts.at(words.at(1)), words.at(2), words.at(3))) {
    raise_failure("unknown option");
  }
  world.replace_accounts(std::move(accounts));
}

void do_config(World& world, const Words& words) {
  config::ServerConfig server = world.settings().server;
  if (!set_config(server, words.at(1), words.at(2))) raise_failure("unknown key");
  world.replace_config(std::move(server));
}

void do_forget(World& world, const Words& words) {
  config::AccountsConfig accounts = world.settings().accounts;
  accounts.accounts.erase(words.at(1));
  world.replace_accounts(std::move(accounts));
}

void do_end(World& world, const Words& words) {
  const std::map<std::string, auth::EndReason> reasons = {
      {"shutdown", auth::EndReason::kShutdown},
      {"protocol-disabled", auth::EndReason::kProtocolDisabled},
      {"account-disabled", auth::EndReason::kAccountDisabled},
      {"kicked", auth::EndReason::kKicked},
  };
  if (world.end_sessions(words.at(1), reasons.at(words.at(2))) == 0) raise_failure("no session");
}

void do_interrupt(World& world, const Words&) { world.interrupt_connections(); }

void do_fail(World& world, const Words& words) {
  if (!world.settings().faults) raise_failure("the setup has no line `faults`");
  const std::map<std::string, ErrorCode> codes = {{"io", ErrorCode::kIo},
                                                  {"corrupt", ErrorCode::kCorrupt},
                                                  {"disk-full", ErrorCode::kDiskFull}};
  Faults::Plan plan;
  const std::string& what = words.at(1);
  if (what == "flip") {
    plan.flipped_octet = number_of(words.at(2));
  } else if (what == "reads") {
    plan.reads = codes.at(words.at(2));
  } else if (what == "writes") {
    plan.writes = codes.at(words.at(2));
  } else if (what == "messages") {
    plan.messages = codes.at(words.at(2));
    if (words.size() > 4 && words[3] == "past") plan.from = number_of(words[4]);
  } else if (what != "nothing") {
    raise_failure("unknown fault " + what);
  }
  world.faults().set(plan);
}

using Action = void (*)(World&, const Words&);
const std::map<std::string, Action> kActions = {
    {"deliver", do_deliver},   {"expunge", do_expunge},     {"copy", do_copy_or_move},
    {"move", do_copy_or_move}, {"mailbox", do_mailbox},     {"delete-flag", do_delete_flag},
    {"option", do_option},     {"config", do_config},       {"forget", do_forget},
    {"end", do_end},           {"interrupt", do_interrupt}, {"fail", do_fail},
};

std::string text_of(const std::vector<store::Uid>& uids) {
  std::string text;
  for (const store::Uid uid : uids) text += " " + std::to_string(uid.value());
  return text.empty() ? " none" : text;
}

std::vector<store::MessageRecord> messages_in(const store::ReadView& view, store::MailboxKey key) {
  std::vector<store::MessageRecord> records;
  const store::UidRange all{store::Uid{1}, store::Uid{~std::uint32_t{0}}};
  need(view.for_each_message(key, all, [&](const store::MessageRecord& record) {
    records.push_back(record);
    return true;
  }));
  return records;
}

Result<void> expect_in(const store::ReadView& view, const Words& words) {
  const store::MailboxKey key = find(view, words.at(0), words.at(1));
  if (words.at(2) == "special") {
    const bool same = need(view.mailbox(key)).special_use == special_use_of(words.at(3));
    if (!same) return fail(ErrorCode::kInvalid, "it has another special use");
    return {};
  }
  const bool hidden_only = words.at(2) == "hidden";
  if (!hidden_only && words.at(2) != "uids") return fail(ErrorCode::kInvalid, "unknown EXPECT");
  std::vector<store::Uid> found;
  for (const store::MessageRecord& record : messages_in(view, key)) {
    if (!hidden_only || record.pop3_hidden) found.push_back(record.uid);
  }
  if (found != uids_of(words, 3)) return fail(ErrorCode::kInvalid, "there are" + text_of(found));
  return {};
}

}  // namespace

void deliver(World& world, const std::string& account, std::string prefix, std::string_view body,
             std::string imported_uidl) {
  store::Spool spool(world.store().spool_folder(), 0);
  need(spool.append(body));
  need(spool.finish());
  store::AppendRequest request;
  request.message = need(store::prepare_message(std::move(spool), world.store().coder()));
  request.prefix = std::move(prefix);
  request.imported_uidl = std::move(imported_uidl);
  request.internal_date.time = unix_now();
  need(world.store().write_now([&](store::WriteTxn& txn) -> Result<store::Appended> {
    const auto owner = need(txn.ensure_account(account));
    return txn.append({owner.id, need(txn.find_mailbox(owner.id, "INBOX")).id}, request);
  }));
}

void do_action(World& world, const Words& words) {
  const auto action = kActions.find(words.at(0));
  if (action == kActions.end()) raise_failure("unknown action " + words.at(0));
  action->second(world, words);
}

void expect_state(World& world, const Words& words) {
  need(world.store().read_now([&](const store::ReadView& view) -> Result<void> {
    if (words.at(1) == "missing") {
      if (view.account(words.at(0))) return fail(ErrorCode::kInvalid, "the account is there");
      return {};
    }
    if (words.at(1) == "no") {
      const auto owner = need(view.account(words.at(0)));
      if (view.find_mailbox(owner.id, words.at(2))) return fail(ErrorCode::kInvalid, "it is there");
      return {};
    }
    return expect_in(view, words);
  }));
}

}  // namespace twinpost::testing
