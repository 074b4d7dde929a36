// A store in the model's words.
#include <algorithm>

#include "tests/powercut/model.h"

namespace twinpost::powercut {

namespace {

using namespace twinpost::store;

class Description {
 public:
  Description(const ReadView& view, unsigned thread) : view_(view), thread_(thread) {}

  Result<std::vector<std::string>> run() {
    auto account = view_.account(account_of(thread_));
    if (!account) return tl::unexpected(account.error());
    auto listed = view_.mailboxes(account->id);
    if (!listed) return tl::unexpected(listed.error());
    for (const MailboxInfo& info : *listed) {
      if (auto done = mailbox({account->id, info.id}); !done) return tl::unexpected(done.error());
    }
    if (auto done = removed(account->id); !done) return tl::unexpected(done.error());
    if (auto done = shared(); !done) return tl::unexpected(done.error());
    std::sort(lines_.begin(), lines_.end());
    return std::move(lines_);
  }

 private:
  Result<void> mailbox(MailboxKey key) {
    auto info = view_.mailbox(key);
    if (!info) return tl::unexpected(info.error());
    lines_.push_back(
        mailbox_line(key.mailbox.value(), info->name, info->uid_next.value(), info->messages));
    return view_.for_each_message(key, {Uid(1), Uid(~0U)}, [&](const MessageRecord& record) {
      std::set<std::string> keywords;
      for (std::size_t i = 0; i < info->keywords.size(); ++i) {
        if (record.keywords.test(i)) keywords.insert(info->keywords[i]);
      }
      message(std::to_string(key.mailbox.value()), record, keywords);
      return true;
    });
  }

  Result<void> removed(AccountId account) {
    return view_.for_each_removed(account, UnixTime{}, [&](const RemovedMessage& row) {
      message(removed_place(row.id.mailbox.value(), row.how), row.message,
              {row.keywords.begin(), row.keywords.end()});
      return true;
    });
  }

  Result<void> shared() {
    auto account = view_.account(kSharedAccount);
    if (!account) return tl::unexpected(account.error());
    auto inbox = view_.find_mailbox(account->id, "INBOX");
    if (!inbox) return tl::unexpected(inbox.error());
    const MailboxKey key{account->id, inbox->id};
    return view_.for_each_message(key, {Uid(1), Uid(~0U)}, [&](const MessageRecord& record) {
      const auto number = whole_message(record);
      if (!number) {
        lines_.push_back("shared UID " + std::to_string(record.uid.value()) + " is not whole");
      } else if (thread_of(*number) == thread_) {
        lines_.push_back(shared_line(*number));
      }
      return true;
    });
  }

  void message(const std::string& where, const MessageRecord& record,
               const std::set<std::string>& keywords) {
    const auto number = whole_message(record);
    const std::uint32_t uid = record.uid.value();
    lines_.push_back(number ? message_line(where, uid, {*number, record.flags, keywords})
                            : where + " UID " + std::to_string(uid) + " is not whole: " + trouble_);
  }

  // Its number, where all its octets are as they were sent.
  std::optional<std::uint64_t> whole_message(const MessageRecord& record) {
    octets_.clear();
    auto read = view_.read_message(record, 0, record.size, octets_);
    trouble_ = read ? "other octets than were sent" : read.error().message;
    if (!read) return std::nullopt;
    const auto number = number_of(octets_);
    if (!number || octets_ != mail_of(*number)) return std::nullopt;
    return number;
  }

  const ReadView& view_;
  unsigned thread_;
  std::vector<std::string> lines_;
  std::string octets_;
  std::string trouble_;
};

}  // namespace

Result<std::vector<std::string>> describe(Store& store, unsigned thread) {
  return store.read_now([&](const ReadView& view) { return Description(view, thread).run(); });
}

}  // namespace twinpost::powercut
