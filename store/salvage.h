// Taking mail out of a damaged data file (`twinpost salvage`): works on the file's pages, without
// the engine, which would refuse it or die of it. Writes nothing. What is read is verified: a
// message whose octets do not match their checksum is never given as sound.
//
// Blocking; one thread. Memory: the index of records (salvage_index.h), and one body at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/body_codec.h"
#include "store/salvage_index.h"
#include "store/store.h"

namespace twinpost::store {

class Salvage {
 public:
  // Reads what there is. `coder` outlives it; without the keys, bodies that are encrypted are told
  // as kPermission. kNotFound, kIo, kPermission where the file can't be opened, kCorrupt where it
  // is empty, kShutdown.
  [[nodiscard]] static Result<std::unique_ptr<Salvage>> open(const std::string& data_file,
                                                             const BodyCoder& coder,
                                                             const Progress& progress);

  struct Mailbox {
    MailboxKey key;
    MailboxInfo info;  // counters are those of its row; a UIDVALIDITY of 0: it is lost
    bool lost_row = false;
    std::vector<Uid> uids;
  };
  struct Account {
    AccountId id;
    std::string name;
    std::vector<Mailbox> mailboxes;  // INBOX first, then by name
  };
  [[nodiscard]] const std::vector<Account>& accounts() const { return accounts_; }
  [[nodiscard]] std::optional<std::uint64_t> store_id() const;

  struct Message {
    MessageRecord record;
    Certainty certainty = Certainty::kSound;
  };
  [[nodiscard]] Result<Message> message(MailboxKey mailbox, Uid uid) const;
  // The UIDL that POP3 showed; empty where the store's id is lost and it was made of that.
  [[nodiscard]] std::string uidl(const MessageRecord& record) const;

  // The whole message, prefix first. kCorrupt where its octets can't be had as they were, or nothing
  // proves that they are (a record that was only guessed); kPermission where a key lacks.
  [[nodiscard]] Result<std::string> read(const Message& message) const;
  // What can be read of it, with a line in place of each part that can't.
  [[nodiscard]] std::string readable_part(const MessageRecord& record) const;

  // Bodies that are there and that neither a message nor a removal names.
  [[nodiscard]] std::vector<BlobId> unclaimed() const;
  struct Body {
    std::string octets;
    bool verified = false;
  };
  [[nodiscard]] Result<Body> read_body(BlobId blob) const;

  [[nodiscard]] const SalvageIndex& index() const { return *index_; }

 private:
  Salvage(engine::PageFile file, const BodyCoder& coder) : file_(std::move(file)), coder_(coder) {}

  using Places = std::vector<std::vector<engine::ValuePlace>>;  // by chunk, what may be it
  void arrange();
  [[nodiscard]] bool shows_removed(MailboxKey key) const;
  [[nodiscard]] std::string mailbox_name(MailboxKey key, const std::set<std::string>& taken) const;
  [[nodiscard]] Places places_of(std::uint64_t blob) const;
  [[nodiscard]] Result<std::string> stored_octets(const BlobRow& row, const Places& places) const;
  [[nodiscard]] Result<std::string> unrecorded_body(std::uint64_t blob, bool& verified) const;

  engine::PageFile file_;
  const BodyCoder& coder_;
  std::unique_ptr<SalvageIndex> index_;
  std::vector<Account> accounts_;
};

}  // namespace twinpost::store
