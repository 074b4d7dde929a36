// Accounts and mailboxes that an import or a restore fills.
#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/encoding.h"
#include "core/server/commands/commands.h"
#include "core/server/commands/request.h"
#include "store/names.h"
#include "store/special_use.h"

namespace twinpost::server {

namespace {

constexpr std::size_t kMailboxesPerWrite = 100;
constexpr std::size_t kKeysPerRead = 2'000;
constexpr std::uint32_t kLastUid = ~std::uint32_t{0};
constexpr std::size_t kMostRecordsPerRead = 10'000;
constexpr std::uint64_t kMostModSeq = ~std::uint64_t{0} >> 1;  // RFC 7162: 63 bits
constexpr std::size_t kMostKeys = 1'000'000;

// RFC 8474 section 4: the form of an object id.
bool is_object_id(std::string_view text) {
  return !text.empty() && text.size() <= 255 && std::all_of(text.begin(), text.end(), [](char c) {
    return ascii::is_alnum(c) || c == '_' || c == '-';
  });
}

struct Wanted {
  store::MailboxIdentity identity;
  bool subscribed = false;
};

Result<Wanted> read_wanted(const Json& element, std::size_t index) {
  Members members(element, fmt::format("mailboxes[{}]", index));
  Wanted wanted;
  store::MailboxIdentity& identity = wanted.identity;
  identity.name = store::canonical_name(members.text("name"));
  if (const auto good = check_new_name(identity.name); !good) members.fault("name", good.error());
  const auto number = [&](const char* name, std::uint64_t most) {
    return members.optional_number(name, 0, most).value_or(0);
  };
  identity.uid_validity =
      store::UidValidity(static_cast<std::uint32_t>(number("uid_validity", kLastUid)));
  identity.uid_next = store::Uid(static_cast<std::uint32_t>(number("uid_next", kLastUid)));
  identity.highest_modseq = store::ModSeq(number("highest_modseq", kMostModSeq));
  identity.mailbox_guid = members.optional_text("guid").value_or("");
  if (!identity.mailbox_guid.empty() && !is_object_id(identity.mailbox_guid)) {
    members.fault("guid", "must be 1 to 255 letters, digits, \"-\" or \"_\"");
  }
  if (const auto use = members.optional_text("special_use"); use && !use->empty()) {
    const auto known = store::parse_special_use(*use);
    if (!known) members.fault("special_use", "is none of RFC 6154's, as \"\\Sent\" is");
    identity.special_use = known.value_or(store::SpecialUse::kNone);
  }
  wanted.subscribed = members.flag("subscribed");
  if (auto good = members.finish(); !good) return tl::unexpected(good.error());
  return wanted;
}

Result<void> make_parents(store::WriteTxn& txn, store::AccountId account, const std::string& name) {
  for (auto slash = name.find(store::kHierarchySeparator); slash != std::string::npos;
       slash = name.find(store::kHierarchySeparator, slash + 1)) {
    const std::string parent = name.substr(0, slash);
    const auto found = txn.find_mailbox(account, parent);
    if (found) continue;
    if (found.error().code != ErrorCode::kNotFound) return tl::unexpected(found.error());
    const auto made = txn.create_mailbox(account, parent, store::SpecialUse::kNone);
    if (!made) return tl::unexpected(made.error());
  }
  return {};
}

Result<store::MailboxInfo> adopt_one(store::WriteTxn& txn, store::AccountId account,
                                     const Wanted& wanted) {
  if (auto made = make_parents(txn, account, wanted.identity.name); !made) {
    return tl::unexpected(made.error());
  }
  auto adopted = txn.adopt_mailbox(account, wanted.identity);
  if (!adopted) return adopted;
  if (wanted.subscribed) {
    auto done = txn.set_subscribed(account, wanted.identity.name, true);
    if (!done) return tl::unexpected(done.error());
  }
  return adopted;
}

using Infos = std::vector<store::MailboxInfo>;

Result<Infos> adopt_some(store::Store& store, const std::string& account,
                         std::span<const Wanted> wanted) {
  return store.write_now([&](store::WriteTxn& txn) -> Result<Infos> {
    const auto found = find_account(txn, account);
    if (!found) return tl::unexpected(found.error());
    Infos infos;
    for (const Wanted& one : wanted) {
      auto info = adopt_one(txn, found->id, one);
      if (!info) {
        return fail(info.error().code,
                    fmt::format("mailbox {}: {}", ascii::printable(one.identity.name),
                                info.error().message));
      }
      infos.push_back(*std::move(info));
    }
    return infos;
  });
}

// What the mailbox of the request is, in a write function.
Result<store::MailboxKey> find_key(const store::ReadView& view, const std::string& account,
                                   const std::string& mailbox) {
  const auto found = find_account(view, account);
  if (!found) return tl::unexpected(found.error());
  const auto info = find_mailbox(view, *found, mailbox);
  if (!info) return tl::unexpected(info.error());
  return store::MailboxKey{found->id, info->id};
}

Result<Json> nothing_more(Result<void> done) {
  if (!done) return tl::unexpected(std::move(done.error()));
  return Json::object();
}

}  // namespace

Result<Json> admin_account(AdminJob& job) {
  Members members(job.request);
  const std::string account = account_member(members);
  const bool unlisted = members.flag("unlisted");
  if (auto good = members.finish(); !good) return tl::unexpected(good.error());
  const auto& listed = job.accounts->accounts;
  if (account.empty() || (!unlisted && listed.find(account) == listed.end())) {
    return fail(ErrorCode::kNotFound,
                fmt::format("{} is not in {}: add it there first (twinpost account add)",
                            ascii::printable(account), job.config->accounts));
  }
  using Made = std::pair<store::AccountInfo, bool>;
  const auto made = job.store.write_now([&](store::WriteTxn& txn) -> Result<Made> {
    const auto before = txn.account(account);
    if (before) return Made{*before, false};
    if (before.error().code != ErrorCode::kNotFound) return tl::unexpected(before.error());
    auto info = txn.ensure_account(account);
    if (!info) return tl::unexpected(info.error());
    return Made{*std::move(info), true};
  });
  if (!made) return tl::unexpected(made.error());
  return Json{{"id", made->first.id.value()}, {"created", made->second}};
}

Result<Json> admin_adopt(AdminJob& job) {
  Members members(job.request);
  const std::string account = account_member(members);
  const Json* const list = members.list("mailboxes", store::kMostMailboxes);
  if (auto good = members.finish(); !good) return tl::unexpected(good.error());
  std::vector<Wanted> wanted;
  for (const Json& element : *list) {
    auto one = read_wanted(element, wanted.size());
    if (!one) return tl::unexpected(one.error());
    wanted.push_back(*std::move(one));
  }
  Json answers = Json::array();
  for (std::size_t done = 0; done < wanted.size(); done += kMailboxesPerWrite) {
    if (!tell(job, "mailboxes", done, wanted.size())) return ended();
    const auto some = std::span<const Wanted>(wanted).subspan(
        done, std::min(kMailboxesPerWrite, wanted.size() - done));
    const auto infos = adopt_some(job.store, account, some);
    if (!infos) return tl::unexpected(infos.error());
    for (std::size_t i = 0; i < some.size(); ++i) {
      const store::MailboxInfo& info = (*infos)[i];
      const store::UidValidity asked = some[i].identity.uid_validity;
      answers.push_back(Json{{"name", info.name},
                             {"uid_validity", info.uid_validity.value()},
                             {"uid_next", info.uid_next.value()},
                             {"messages", info.messages},
                             {"same_identity", asked.value() != 0 && info.uid_validity == asked}});
    }
  }
  return Json{{"mailboxes", std::move(answers)}};
}

Result<Json> admin_known(AdminJob& job) {
  Members members(job.request);
  const std::string account = account_member(members);
  const Json* const list = members.list("keys", kMostKeys);
  if (auto good = members.finish(); !good) return tl::unexpected(good.error());
  std::vector<store::ImportKey> keys;
  for (const Json& element : *list) {
    const auto octets =
        element.is_string() ? hex_decode(element.get_ref<const std::string&>()) : std::nullopt;
    if (!octets || octets->size() != sizeof(store::ImportKey)) {
      return fail(ErrorCode::kInvalid, fmt::format("keys[{}]: must be {} hexadecimal digits",
                                                   keys.size(), 2 * sizeof(store::ImportKey)));
    }
    std::copy(octets->begin(), octets->end(), keys.emplace_back().begin());
  }
  Json known = Json::array();
  for (std::size_t done = 0; done < keys.size(); done += kKeysPerRead) {
    if (!tell(job, "keys", done, keys.size())) return ended();
    const auto some = std::span<const store::ImportKey>(keys).subspan(
        done, std::min(kKeysPerRead, keys.size() - done));
    const auto found =
        job.store.read_now([&](const store::ReadView& view) -> Result<std::vector<bool>> {
          const auto owner = find_account(view, account);
          if (!owner) return tl::unexpected(owner.error());
          std::vector<bool> results;
          for (const store::ImportKey& key : some) {
            const auto was = view.was_imported(owner->id, key);
            if (!was) return tl::unexpected(was.error());
            results.push_back(*was);
          }
          return results;
        });
    if (!found) return tl::unexpected(found.error());
    for (const bool is_known : *found) known.push_back(is_known);
  }
  return Json{{"known", std::move(known)}};
}

Result<Json> admin_uidls(AdminJob& job) {
  Members members(job.request);
  const std::string account = account_member(members);
  const std::string mailbox = mailbox_member(members);
  if (auto good = members.finish(); !good) return tl::unexpected(good.error());
  const std::uint64_t store_id = job.store.store_id();
  Json uidls = Json::array();
  store::Uid next{1};
  for (bool more = true; more;) {
    if (!tell(job, "messages", uidls.size(), 0)) return ended();
    std::vector<std::string> some;
    std::uint32_t last = 0;
    const auto walked = job.store.read_now([&](const store::ReadView& view) -> Result<void> {
      some.clear();
      last = 0;
      const auto key = find_key(view, account, mailbox);
      if (!key) return tl::unexpected(key.error());
      return view.for_each_message(*key, {next, store::Uid(kLastUid)},
                                   [&](const store::MessageRecord& record) {
                                     some.push_back(store::uidl_of(record, store_id));
                                     last = record.uid.value();
                                     return some.size() < kMostRecordsPerRead;
                                   });
    });
    if (!walked) return tl::unexpected(walked.error());
    for (std::string& uidl : some) uidls.push_back(std::move(uidl));
    more = some.size() == kMostRecordsPerRead && last != kLastUid;
    next = store::Uid(last + 1);
  }
  return Json{{"uidls", std::move(uidls)}};
}

Result<Json> admin_advance(AdminJob& job) {
  Members members(job.request);
  const std::string account = account_member(members);
  const std::string mailbox = mailbox_member(members);
  const auto uid_next =
      store::Uid(static_cast<std::uint32_t>(members.number("uid_next", 1, kLastUid)));
  if (auto good = members.finish(); !good) return tl::unexpected(good.error());
  return nothing_more(job.store.write_now([&](store::WriteTxn& txn) -> Result<void> {
    const auto key = find_key(txn, account, mailbox);
    if (!key) return tl::unexpected(key.error());
    return txn.advance_uid_next(*key, uid_next);
  }));
}

Result<Json> admin_install(AdminJob& job) {
  Members members(job.request);
  const std::string account = account_member(members);
  const std::string mailbox = mailbox_member(members);
  const std::string name = store::canonical_name(members.text("name"));
  if (const auto checked = check_new_name(name); !checked) members.fault("name", checked.error());
  if (auto good = members.finish(); !good) return tl::unexpected(good.error());
  const store::Remover remover{account, "admin", "unix"};
  return nothing_more(job.store.write_now([&](store::WriteTxn& txn) -> Result<void> {
    const auto key = find_key(txn, account, mailbox);
    if (!key) return tl::unexpected(key.error());
    return txn.install_mailbox(*key, name, remover);
  }));
}

Result<Json> admin_provisioned(AdminJob& job) {
  Members members(job.request);
  const std::string account = account_member(members);
  if (auto good = members.finish(); !good) return tl::unexpected(good.error());
  return nothing_more(job.store.write_now([&](store::WriteTxn& txn) -> Result<void> {
    const auto found = find_account(txn, account);
    if (!found) return tl::unexpected(found.error());
    return txn.set_provisioned(found->id);
  }));
}

}  // namespace twinpost::server
