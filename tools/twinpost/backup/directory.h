// What a generation has and where: its index, and where that is damaged, what the lines of the
// manifest themselves say. Never fails: what can't be found is in problems(). One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tools/twinpost/backup/format.h"
#include "tools/twinpost/backup/manifest.h"

namespace twinpost::tools::backup {

// A mailbox of a generation, and where its message lines are in the manifest.
struct ListedMailbox {
  MailboxLine line;
  store::AccountId account;
  std::uint64_t offset = 0;
  std::uint64_t octets = 0;
};

struct AccountSection {
  AccountLine account;
  std::vector<ListedMailbox> mailboxes;

  // nullptr where there is none.
  [[nodiscard]] const ListedMailbox* find(std::string_view guid,
                                          store::UidValidity uid_validity) const;
};

struct AccountPlace {
  std::string name;
  std::uint64_t mailboxes = 0;
  std::uint64_t messages = 0;
  std::uint64_t size = 0;
  // Of its entries in the text, where the index is good.
  std::uint64_t offset = 0;
  std::uint64_t octets = 0;
};

class Directory {
 public:
  [[nodiscard]] static Directory read(ManifestReader& manifest, const GenerationInfo& info);

  [[nodiscard]] const std::vector<AccountPlace>& accounts() const { return accounts_; }  // by name
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }
  // `place` is one of accounts().
  [[nodiscard]] AccountSection section(ManifestReader& manifest, const AccountPlace& place) const;

 private:
  [[nodiscard]] bool read_index(ManifestReader& manifest, const GenerationInfo& info);
  void put_together(ManifestReader& manifest, const GenerationInfo& info);

  std::vector<AccountPlace> accounts_;
  std::map<std::string, AccountSection, std::less<>> found_;  // where the index is damaged
  std::vector<std::string> problems_;
};

}  // namespace twinpost::tools::backup
