// Fills a mailbox with small messages, for the benches: faster than any protocol could, in a store
// that no daemon has open.
//
//   fill_mailbox FOLDER ACCOUNT COUNT [--mailbox NAME]
//
// A few bodies are shared by all messages; two of three messages are \Seen, one of ten has a
// keyword.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "core/base/inline_executor.h"
#include "store/prepare.h"
#include "store/store.h"

namespace twinpost {
namespace {

constexpr unsigned kBodies = 16;
constexpr std::uint64_t kTogether = 20'000;  // messages of one transaction

Result<store::AppendRequest> request_of(unsigned number, const store::Store& store) {
  const std::string text =
      "From: Sam <sam@example.net>\r\nTo: ann@example.org\r\nSubject: number " +
      std::to_string(number) + "\r\nDate: Mon, 5 Jan 2026 10:00:00 +0000\r\n" +
      "Message-ID: <fill." + std::to_string(number) + "@example.net>\r\n\r\nHello.\r\n";
  store::Spool spool(store.spool_folder(), 0);
  if (auto appended = spool.append(text); !appended) return tl::unexpected(appended.error());
  if (auto finished = spool.finish(); !finished) return tl::unexpected(finished.error());
  auto message = store::prepare_message(std::move(spool), store.coder());
  if (!message) return tl::unexpected(message.error());
  store::AppendRequest request;
  request.message = std::move(*message);
  request.internal_date.time = unix_now();
  return request;
}

Result<store::MailboxKey> find_or_make(store::WriteTxn& txn, const std::string& account,
                                       const std::string& name) {
  auto owner = txn.ensure_account(account);
  if (!owner) return tl::unexpected(owner.error());
  auto mailbox = txn.find_mailbox(owner->id, name);
  if (!mailbox) mailbox = txn.create_mailbox(owner->id, name, store::SpecialUse::kNone);
  if (!mailbox) return tl::unexpected(mailbox.error());
  return store::MailboxKey{owner->id, mailbox->id};
}

Result<void> fill(const std::string& folder, const std::string& account, const std::string& name,
                  std::uint64_t count) {
  InlineExecutor executor;
  store::StoreOptions options;
  options.folder = folder;
  options.reserve_bytes = 0;
  auto store = store::Store::open(options, executor);
  if (!store) return tl::unexpected(store.error());
  std::vector<store::AppendRequest> requests;
  for (unsigned i = 0; i < kBodies; ++i) {
    auto request = request_of(i, **store);
    if (!request) return tl::unexpected(request.error());
    requests.push_back(std::move(*request));
  }
  auto key =
      (*store)->write_now([&](store::WriteTxn& txn) { return find_or_make(txn, account, name); });
  if (!key) return tl::unexpected(key.error());
  for (std::uint64_t done = 0; done < count; done += kTogether) {
    const std::uint64_t end = std::min(count, done + kTogether);
    auto appended = (*store)->write_now([&](store::WriteTxn& txn) -> Result<int> {
      for (std::uint64_t i = done; i < end; ++i) {
        store::AppendRequest& request = requests[i % kBodies];
        request.flags = i % 3 == 0 ? store::FlagBits{0} : store::bit(store::Flag::kSeen);
        request.keywords.clear();
        if (i % 10 == 0) request.keywords.emplace_back("$Forwarded");
        if (auto one = txn.append(*key, request); !one) return tl::unexpected(one.error());
      }
      return 0;
    });
    if (!appended) return tl::unexpected(appended.error());
  }
  return {};
}

}  // namespace
}  // namespace twinpost

int main(int argc, char** argv) {
  CLI::App app("Fills a mailbox with small messages, in a store that no daemon has open.");
  std::string folder;
  std::string account;
  std::string mailbox = "INBOX";
  std::uint64_t count = 0;
  app.add_option("folder", folder, "the store's folder")->required();
  app.add_option("account", account)->required();
  app.add_option("count", count, "how many messages")->required();
  app.add_option("--mailbox", mailbox);
  CLI11_PARSE(app, argc, argv);
  if (const auto filled = twinpost::fill(folder, account, mailbox, count); !filled) {
    std::fprintf(stderr, "fill_mailbox: %s\n", filled.error().message.c_str());
    return 1;
  }
  return 0;
}
