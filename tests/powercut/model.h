// What one account should hold after a row of operations, and the operations themselves.
//
// The load program applies an operation to the store and to its model; the replay applies those
// that its image must have to a model and compares. Everything that an operation does follows
// from the state before it: UIDs and the numbers of mailboxes are given in turn, and an account
// has one writer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace twinpost::powercut {

// The octets of message `number`, the same at all times; made once. Any thread.
[[nodiscard]] const std::string& mail_of(std::uint64_t number);
// The number that a message's first line gives; nullopt where it gives none.
[[nodiscard]] std::optional<std::uint64_t> number_of(std::string_view mail);

// All threads write to its INBOX too; each answers for the messages whose numbers are its own.
inline constexpr const char* kSharedAccount = "all@example.org";
[[nodiscard]] std::string account_of(unsigned thread);
[[nodiscard]] unsigned thread_of(std::uint64_t number);
[[nodiscard]] std::uint64_t first_number(unsigned thread);

struct Operation {
  enum class Kind : std::uint8_t {
    kAppend,         // mailbox, number, flags, keyword
    kFlags,          // mailbox, uids, change, flags, keyword
    kExpunge,        // mailbox, uids
    kMove,           // mailbox, uids, target
    kCopy,           // mailbox, uids, target
    kUndelete,       // mailbox, uids (as they were there), target
    kForget,         // mailbox, uids (as they were there)
    kCreate,         // name
    kDelete,         // mailbox
    kRename,         // mailbox, name
    kSharedAppend,   // number
    kSharedExpunge,  // number
  };
  Kind kind = Kind::kAppend;
  std::uint32_t mailbox = 0;
  std::uint32_t target = 0;
  std::uint64_t number = 0;
  store::FlagOperation change = store::FlagOperation::kAdd;
  store::FlagBits flags = 0;
  std::string keyword;  // empty: none
  std::string name;
  std::vector<std::uint32_t> uids;

  [[nodiscard]] std::string line() const;
  [[nodiscard]] static Operation parse(const std::string& line);
};

class Model {
 public:
  struct Message {
    std::uint64_t number = 0;
    store::FlagBits flags = 0;
    std::set<std::string> keywords;
  };
  struct Mailbox {
    std::string name;
    std::uint32_t uid_next = 1;
    std::map<std::uint32_t, Message> messages;
  };

  Model();
  void apply(const Operation& operation);
  // One that can be done now, and does something. `next_number` is the thread's next new message.
  [[nodiscard]] Operation choose(std::mt19937_64& random, std::uint64_t& next_number) const;

  // All of it in words, a line a thing, to be compared with describe().
  [[nodiscard]] std::vector<std::string> lines() const;
  [[nodiscard]] const std::map<std::uint32_t, Mailbox>& mailboxes() const { return mailboxes_; }

 private:
  struct Removed {
    Message message;
    store::Removal how = store::Removal::kExpunged;
  };
  [[nodiscard]] std::vector<std::uint32_t> some(std::mt19937_64& random,
                                                const Mailbox& mailbox) const;
  [[nodiscard]] Operation on_messages(std::mt19937_64& random, std::uint32_t mailbox) const;
  [[nodiscard]] std::optional<Operation> on_removed(std::mt19937_64& random) const;
  [[nodiscard]] Operation on_mailboxes(std::mt19937_64& random) const;
  void take_out(std::uint32_t mailbox, std::uint32_t uid, store::Removal how);

  std::map<std::uint32_t, Mailbox> mailboxes_;
  std::uint32_t next_mailbox_ = 2;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Removed> removed_;  // by mailbox and UID
  std::set<std::uint64_t> shared_;
};

// The words of both.
[[nodiscard]] std::string message_line(const std::string& where, std::uint32_t uid,
                                       const Model::Message& message);
[[nodiscard]] std::string mailbox_line(std::uint32_t id, const std::string& name,
                                       std::uint32_t uid_next, std::size_t messages);
[[nodiscard]] std::string removed_place(std::uint32_t mailbox, store::Removal how);
[[nodiscard]] std::string shared_line(std::uint64_t number);

// The same of a store: what `thread` answers for. Every message's octets are read and compared
// with mail_of(); one that differs is a line that no model has.
[[nodiscard]] Result<std::vector<std::string>> describe(store::Store& store, unsigned thread);

}  // namespace twinpost::powercut
