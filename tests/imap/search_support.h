// A store with one mailbox, and searches in it by their command text, without a session.
#pragma once

#include <doctest/doctest.h>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/inline_executor.h"
#include "imap/parser.h"
#include "imap/search_plan.h"
#include "imap/search_run.h"
#include "tests/store/support.h"

namespace twinpost::imap::test {

inline constexpr UnixTime kNow{std::chrono::seconds(1'700'000'000)};  // 14-Nov-2023 22:13:20 UTC

// A search command, kept with the reader that its texts are in.
class ParsedSearch {
 public:
  // `text` is what follows "SEARCH "; literals may be in it as they are sent, after LF-less CRLF.
  explicit ParsedSearch(std::string_view text) {
    reader_.settings().utf8 = true;
    std::string rest = "t SEARCH " + std::string(text) + "\r\n";
    std::string_view octets = rest;
    for (;;) {
      const auto end = octets.find("\r\n");
      REQUIRE(end != std::string_view::npos);
      const Step step = reader_.line(octets.substr(0, end));
      octets.remove_prefix(end + 2);
      if (step.kind == Step::Kind::kComplete) return;
      if (step.kind != Step::Kind::kLiteral) FAIL(text << ": " << reader_.refusal().text);
      reader_.literal(octets.substr(0, step.size));
      octets.remove_prefix(step.size);
    }
  }
  [[nodiscard]] const Search& search() const {
    return std::get<Search>(reader_.command().arguments);
  }

 private:
  CommandReader reader_;
};

class SearchWorld {
 public:
  SearchWorld()
      : store_(store::test::must(
            store::Store::open(store::test::options_for(folder_.path()), executor_))) {
    key_ =
        store::test::must(store_->write_now([](store::WriteTxn& txn) -> Result<store::MailboxKey> {
          const auto account = store::test::must(txn.ensure_account("ann"));
          return store::MailboxKey{account.id,
                                   store::test::must(txn.find_mailbox(account.id, "INBOX")).id};
        }));
  }

  store::Uid add(store::AppendRequest request) {
    const auto appended = store::test::must(
        store_->write_now([&](store::WriteTxn& txn) { return txn.append(key_, request); }));
    uids.append(appended.uid);
    return appended.uid;
  }
  store::Uid add(std::string_view octets) { return add(store::test::request_of(octets)); }

  // Gone from the store; the client is not told.
  void expunge(std::vector<store::Uid> gone) {
    store::test::must(store_->write_now([&](store::WriteTxn& txn) {
      return txn.expunge(key_, gone, store::Remover{"ann", "imap", "192.0.2.1"});
    }));
  }

  [[nodiscard]] SearchScope scope() const { return {&uids, &saved, recent_from}; }

  // What is found, as a set of UIDs; "BAD ..." or "NO ..." where it is refused.
  std::string search(std::string_view text, SearchSettings settings = {}) {
    const ParsedSearch parsed(text);
    return search(parsed.search(), {}, settings);
  }
  std::string search(const Search& search, SearchExtent extent, SearchSettings settings = {}) {
    auto plan = plan_search(search.key, search.charset, scope(), kNow);
    if (!plan) {
      const SearchRefusal& refusal = plan.error();
      return (refusal.is_bad ? "BAD " : "NO ") +
             (refusal.code.empty() ? "" : "[" + refusal.code + "] ") + refusal.text;
    }
    SearchRun run(std::move(*plan), scope(), key_, extent, *store_, settings);
    for (slices = 1;; ++slices) {
      const auto ended =
          store_->read_now([&](const store::ReadView& view) { return run.slice(view); });
      if (!ended) return "error " + std::string(to_string(ended.error().code));
      if (*ended) break;
      CHECK(run.examined() < uids.size());
      if (between) between();
    }
    unreadable = run.unreadable();
    return run.take_found().to_string();
  }

  store::Store& store() { return *store_; }
  [[nodiscard]] store::MailboxKey key() const { return key_; }
  InlineExecutor& executor() { return executor_; }

  UidList uids;
  NumberSet saved;
  store::Uid recent_from;
  std::uint64_t slices = 0;  // of the last search
  std::uint64_t unreadable = 0;
  std::function<void()> between;  // called between slices

 private:
  store::test::TempFolder folder_;
  InlineExecutor executor_;
  std::unique_ptr<store::Store> store_;
  store::MailboxKey key_;
};

}  // namespace twinpost::imap::test
