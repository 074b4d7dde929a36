// Reading an admin request: its members, checked, with errors that name them. Internal to
// core/server/commands.
//
//   Members members(job.request);
//   const std::string account = members.text("account");
//   const bool unlisted = members.flag("unlisted");
//   if (auto good = members.finish(); !good) return tl::unexpected(good.error());
//
// What is wrong first is kept and given by finish(); until then the getters give empty values. A
// member that nobody asked for is an error too: an option that this version does not know must not
// be passed over in silence.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/server/admin.h"

namespace twinpost::server {

class Members {
 public:
  // `value` must outlive this. `place` is what stands before the members' names in errors:
  // "items[3]".
  explicit Members(const Json& value, std::string place = {});

  [[nodiscard]] std::string text(const char* name);
  [[nodiscard]] std::optional<std::string> optional_text(const char* name);
  [[nodiscard]] bool flag(const char* name);  // false where it is missing
  [[nodiscard]] std::uint64_t number(const char* name, std::uint64_t least, std::uint64_t most);
  [[nodiscard]] std::optional<std::uint64_t> optional_number(const char* name, std::uint64_t least,
                                                             std::uint64_t most);
  [[nodiscard]] std::optional<std::int64_t> optional_signed(const char* name, std::int64_t least,
                                                            std::int64_t most);
  [[nodiscard]] std::vector<std::string> texts(const char* name);  // empty where it is missing
  // A list, whose elements the caller reads; nullptr where there is none, which is an error.
  [[nodiscard]] const Json* list(const char* name, std::size_t most);
  // Hexadecimal text of exactly `octets` octets.
  [[nodiscard]] std::optional<std::string> optional_hex(const char* name, std::size_t octets);

  // To be kept where it is the first.
  void fault(std::string_view name, std::string_view what, ErrorCode code = ErrorCode::kInvalid);
  void fault(std::string_view name, const Error& error) { fault(name, error.message, error.code); }
  [[nodiscard]] Result<void> finish();

 private:
  [[nodiscard]] const Json* find(const char* name);

  const Json& value_;
  std::string place_;
  std::vector<std::string_view> asked_;
  std::optional<Error> error_;
};

// The account that the member `account` names, in lower case.
[[nodiscard]] std::string account_member(Members& members);
// The name of a mailbox that is to be looked up.
[[nodiscard]] std::string mailbox_member(Members& members, const char* name = "mailbox");

// What a mailbox that is made here may be called: what every protocol can show (store/names.h,
// imap/mailbox_name.h).
[[nodiscard]] Result<void> check_new_name(std::string_view name);

// kNotFound says what to do.
[[nodiscard]] Result<store::AccountInfo> find_account(const store::ReadView& view,
                                                      const std::string& name);
[[nodiscard]] Result<store::MailboxInfo> find_mailbox(const store::ReadView& view,
                                                      const store::AccountInfo& account,
                                                      const std::string& name);

// The account's quota; none for an account that accounts.json does not have.
[[nodiscard]] store::Limits limits_of(const AdminJob& job, const std::string& account);

// False where the work shall end.
[[nodiscard]] bool tell(const AdminJob& job, std::string_view phase, std::uint64_t done,
                        std::uint64_t total);
[[nodiscard]] tl::unexpected<Error> ended();

}  // namespace twinpost::server
