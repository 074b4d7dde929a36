#include "tests/support/transcript_faults.h"

#include <utility>

namespace twinpost::testing {
namespace {

using store::BlobId;
using store::MailboxKey;
using store::ReadView;

// A view whose messages may fail to be read.
class FaultyView final : public ReadView {
 public:
  FaultyView(const ReadView& view, Faults::Plan plan) : view_(view), plan_(plan) {}

  Result<store::AccountInfo> account(std::string_view name) const override {
    return view_.account(name);
  }
  Result<store::AccountInfo> account(store::AccountId id) const override {
    return view_.account(id);
  }
  Result<std::vector<store::AccountInfo>> accounts() const override { return view_.accounts(); }
  Result<store::MailboxInfo> mailbox(MailboxKey key) const override { return view_.mailbox(key); }
  Result<store::MailboxInfo> find_mailbox(store::AccountId account,
                                          std::string_view name) const override {
    return view_.find_mailbox(account, name);
  }
  Result<std::vector<store::MailboxInfo>> mailboxes(store::AccountId account) const override {
    return view_.mailboxes(account);
  }
  Result<std::vector<std::string>> subscriptions(store::AccountId account) const override {
    return view_.subscriptions(account);
  }
  Result<store::MessageRecord> message(MailboxKey key, store::Uid uid) const override {
    return view_.message(key, uid);
  }
  Result<void> for_each_message(
      MailboxKey key, store::UidRange range,
      const std::function<bool(const store::MessageRecord&)>& visit) const override {
    return view_.for_each_message(key, range, visit);
  }
  Result<std::optional<store::MessageRecord>> removed_message(MailboxKey key, store::Uid uid,
                                                              UnixTime since) const override {
    return view_.removed_message(key, uid, since);
  }
  Result<void> for_each_removed(
      store::AccountId account, UnixTime from,
      const std::function<bool(const store::RemovedMessage&)>& visit) const override {
    return view_.for_each_removed(account, from, visit);
  }
  Result<bool> was_imported(store::AccountId account, const store::ImportKey& key) const override {
    return view_.was_imported(account, key);
  }
  Result<std::optional<std::string>> note(store::AccountId account,
                                          const store::NoteKey& key) const override {
    return view_.note(account, key);
  }
  Result<void> for_each_note(
      store::AccountId account, store::MailboxId mailbox, store::NoteKind kind,
      const std::function<bool(const std::string&, const std::string&)>& visit) const override {
    return view_.for_each_note(account, mailbox, kind, visit);
  }
  Result<std::vector<store::Uid>> uids(MailboxKey key) const override { return view_.uids(key); }
  Result<store::Changes> changes_since(MailboxKey key, store::ModSeq since,
                                       std::size_t most) const override {
    return view_.changes_since(key, since, most);
  }
  Result<store::BlobInfo> blob_info(BlobId blob) const override { return view_.blob_info(blob); }
  Result<void> read_message(const store::MessageRecord& record, std::uint64_t offset,
                            std::uint64_t length, std::string& out) const override {
    if (plan_.messages && offset + length > plan_.from) {
      return fail(*plan_.messages, "a fault that a test asked for");
    }
    const std::size_t before = out.size();
    auto result = view_.read_message(record, offset, length, out);
    if (plan_.flipped_octet && *plan_.flipped_octet >= offset &&
        *plan_.flipped_octet - offset < out.size() - before) {
      char& octet = out[before + (*plan_.flipped_octet - offset)];
      octet = static_cast<char>(octet ^ 1);
    }
    return result;
  }
  Result<store::Summary> summary(BlobId blob) const override { return view_.summary(blob); }

 private:
  const ReadView& view_;
  Faults::Plan plan_;
};

}  // namespace

Result<void> FaultyStore::run_read(const ReadFunction& function) {
  const Faults::Plan plan = faults_.get();
  if (plan.reads) return fail(*plan.reads, "a fault that a test asked for");
  return store_.read_now([&](const ReadView& view) { return function(FaultyView(view, plan)); });
}

Result<void> FaultyStore::run_write(const WriteFunction& function) {
  const Faults::Plan plan = faults_.get();
  if (plan.writes) return fail(*plan.writes, "a fault that a test asked for");
  return store_.write_now([&](store::WriteTxn& txn) { return function(txn); });
}

void FaultyStore::submit_read(ReadFunction function, std::function<void(Result<void>)> done) {
  auto result = std::make_shared<Result<void>>();
  executor_.run_on_worker(
      [this, result, function = std::move(function)] { *result = run_read(function); },
      [result, done = std::move(done)] { done(std::move(*result)); });
}

void FaultyStore::submit_write(WriteFunction function, std::function<void(Result<void>)> done) {
  auto result = std::make_shared<Result<void>>();
  executor_.run_on_worker(
      [this, result, function = std::move(function)] { *result = run_write(function); },
      [result, done = std::move(done)] { done(std::move(*result)); });
}

}  // namespace twinpost::testing
