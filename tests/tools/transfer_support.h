// What the tests of imports and exports share: files laid out by hand, an account's mail as one value, and ends that break.
#pragma once

#include <algorithm>
#include <chrono>
#include <compare>
#include <cstdint>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <vector>

#include "core/config/config.h"
#include "tests/store/support.h"
#include "tools/twinpost/store_access.h"
#include "tools/twinpost/transfer/mail.h"
#include "tools/twinpost/transfer/store_ends.h"
#include "tools/twinpost/transfer/transfer.h"

namespace twinpost::tools::test {

using store::test::code_of;
using store::test::must;
using store::test::TempFolder;

inline void write_file(const std::string& path, std::string_view text,
                       std::int64_t mtime = 1'600'000'000) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
  const timespec times[2] = {{mtime, 0}, {mtime, 0}};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void make_maildir_folders(const std::string& path) {
  for (const char* part : {"cur", "new", "tmp"}) {
    std::filesystem::create_directories(path + "/" + part);
  }
}

inline std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// A store with an account that operations reach as the tool's commands do.
struct World : store::test::Fixture {
  explicit World(const std::string& account_settings = "") {
    config = must(config::parse_server_config(
        R"({"version": 1, "data": ")" + options.folder + "\"}", "twinpost.json"));
    accounts = must(config::parse_accounts_config(
        R"({"version": 1, "accounts": {"ann@example.org": {"password": "{PLAIN}x")" +
            account_settings + "}}}",
        "accounts.json"));
    access = make_local_access(*store, config, accounts);
  }
  std::unique_ptr<MailSink> sink(StoreSinkOptions sink_options = {}) {
    return make_store_sink(*access, "ann@example.org", std::move(sink_options));
  }
  std::unique_ptr<MailSource> source() {
    return must(make_store_source(*store, "ann@example.org"));
  }

  config::ServerConfigPtr config;
  config::AccountsConfigPtr accounts;
  std::unique_ptr<StoreAccess> access;
};

inline Result<TransferReport> run(MailSource& source, MailSink& sink) {
  ProgressBar bar(true);
  return transfer(source, sink, {}, bar);
}

// What must come through an export and an import.
struct Message {
  std::uint32_t uid = 0;
  int flags = 0;
  std::set<std::string> keywords;
  std::int64_t time = 0;
  std::string uidl;
  std::string octets;
  friend auto operator<=>(const Message&, const Message&) = default;
};
struct Mailbox {
  std::uint32_t uid_validity = 0;
  bool subscribed = false;
  std::vector<Message> messages;
  friend bool operator==(const Mailbox&, const Mailbox&) = default;
};
using Account = std::map<std::string, Mailbox>;

inline Account everything_in(MailSource& source) {
  Account account;
  for (const MailFolder& folder : must(source.folders())) {
    Mailbox& mailbox = account[folder.name];
    mailbox.uid_validity = folder.uid_validity.value();
    mailbox.subscribed = folder.subscribed;
    for (const MailItem& item : must(source.items(folder))) {
      mailbox.messages.push_back({item.uid.value(),
                                  item.flags,
                                  {item.keywords.begin(), item.keywords.end()},
                                  item.date.time.time_since_epoch().count(),
                                  item.uidl,
                                  must(source.read(folder, item, {}))});
    }
  }
  return account;
}

// What is not the same in both, a line each; empty where all is.
inline std::string differences(const Account& wanted, const Account& found) {
  std::string text;
  for (const auto& [name, mailbox] : found) {
    if (!wanted.contains(name)) text += "too much: " + name + "\n";
  }
  for (const auto& [name, mailbox] : wanted) {
    const auto other = found.find(name);
    if (other == found.end()) {
      text += "missing: " + name + "\n";
    } else if (mailbox.messages.size() != other->second.messages.size()) {
      text += name + ": " + std::to_string(other->second.messages.size()) +
              " messages instead of " + std::to_string(mailbox.messages.size()) + "\n";
    } else if (mailbox != other->second) {
      text += name + ": UIDVALIDITY " + std::to_string(other->second.uid_validity) +
              " instead of " + std::to_string(mailbox.uid_validity) +
              (mailbox.subscribed != other->second.subscribed ? ", subscription" : "") + "\n";
    }
    for (std::size_t i = 0;
         other != found.end() && i < mailbox.messages.size() && i < other->second.messages.size();
         ++i) {
      const Message& left = mailbox.messages[i];
      const Message& right = other->second.messages[i];
      if (left == right) continue;
      text += name + " " + std::to_string(left.uid) + "/" + std::to_string(right.uid) +
              (left.flags != right.flags ? " flags" : "") +
              (left.keywords != right.keywords ? " keywords" : "") +
              (left.time != right.time ? " time" : "") + " " + left.uidl + "/" + right.uidl +
              (left.octets != right.octets ? " octets" : "") + "\n";
    }
  }
  return text;
}

// How often each message is there, whatever its UID.
inline std::map<std::string, int> counts_of(const Account& account) {
  std::map<std::string, int> counts;
  for (const auto& [name, mailbox] : account) {
    for (const Message& message : mailbox.messages) ++counts[name + "\n" + message.octets];
  }
  return counts;
}

// Hands everything on to another end until so many calls of read() or put() are over; then each fails as a connection
// does that broke.
class BreakingSource final : public MailSource {
 public:
  BreakingSource(MailSource& real, int calls) : real_(real), calls_(calls) {}
  [[nodiscard]] std::string description() const override { return real_.description(); }
  [[nodiscard]] Result<std::vector<MailFolder>> folders() override { return real_.folders(); }
  [[nodiscard]] Result<std::vector<MailItem>> items(const MailFolder& folder) override {
    return real_.items(folder);
  }
  [[nodiscard]] Result<std::string> read(const MailFolder& folder, const MailItem& item,
                                         std::span<const MailItem> next) override {
    if (calls_-- <= 0) return fail(ErrorCode::kClosed, "broken");
    return real_.read(folder, item, next);
  }

 private:
  MailSource& real_;
  int calls_;
};

class BreakingAccess final : public StoreAccess {
 public:
  BreakingAccess(StoreAccess& real, int calls) : real_(real), calls_(calls) {}
  [[nodiscard]] Result<Json> call(Json request, std::string_view payload,
                                  const store::Progress& progress) override {
    if (calls_-- <= 0) return fail(ErrorCode::kClosed, "broken");
    return real_.call(std::move(request), payload, progress);
  }
  [[nodiscard]] bool is_online() const override { return real_.is_online(); }

 private:
  StoreAccess& real_;
  int calls_;
};

}  // namespace twinpost::tools::test
