// The maildrop: the fixed view of an account's inbox, or of another mailbox that the account's options name, that one
// POP3 session works on.
//
// Taken at login and unchanged until the session ends (RFC 1939 section 4): message numbers, sizes
// and UIDLs stay what they were, whatever IMAP sessions or deliveries do meanwhile. Message bytes
// stay readable too, because the snapshot pins them. Loop thread only; reads go to workers.
//
// What is in it: every message of the mailbox but those that POP3 must not show again
// (MessageRecord::pop3_hidden) and those that the account's option `show` leaves out. A message with the \Deleted flag is shown: an IMAP client may still
// take the flag back, and until it expunges the message is there for everybody.
//
// Memory: 48 octets a message, plus its own header fields (Return-Path, Delivered-To; equal ones
// are kept once, and they must be kept, because the record may be gone when the message is asked
// for) and an imported UIDL.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/base/error.h"
#include "core/base/task.h"
#include "core/config/config.h"
#include "pop3/listed_uidls.h"
#include "pop3/parser.h"
#include "store/store.h"

namespace twinpost::pop3 {

// Which accounts' maildrops are taken by a POP3 session. Loop thread only; outlives its locks.
class MaildropLocks {
 public:
  class Lock {
   public:
    Lock(MaildropLocks* locks, store::AccountId account) : locks_(locks), account_(account) {}
    ~Lock() { locks_->held_.erase(account_); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    MaildropLocks* locks_;
    store::AccountId account_;
  };

  // Null while another session holds it.
  [[nodiscard]] std::unique_ptr<Lock> take(store::AccountId account);

 private:
  std::unordered_set<store::AccountId> held_;
};

class Maildrop {
 public:
  // Takes the maildrop of the account of that name, which is made in the store where it is not
  // there yet. kInUse while another session holds it, unless the options allow many; kNotFound where
  // the mailbox that they name is not there. Else a store error.
  //
  // UIDLs that are made by a template, and those of messages that would share an imported one, are
  // fixed in the store before anybody sees them.
  static Task<Result<std::unique_ptr<Maildrop>>> open(store::Store& store, MaildropLocks& locks,
                                                      std::string account,
                                                      config::Pop3Options options);

  Maildrop(const Maildrop&) = delete;
  Maildrop& operator=(const Maildrop&) = delete;
  ~Maildrop();

  // Of the whole snapshot, marked messages included: numbers go from 1 to this.
  [[nodiscard]] std::uint64_t highest_number() const { return entries_.size(); }
  [[nodiscard]] bool contains(MessageNumber number) const;
  // Without the marked ones.
  [[nodiscard]] std::uint64_t message_count() const { return message_count_; }
  [[nodiscard]] std::uint64_t total_octets() const { return total_octets_; }

  // Below, `number` is one that contains() says yes to.

  // Octets as RETR will send them, before dot-stuffing.
  [[nodiscard]] std::uint64_t size_octets(MessageNumber number) const { return at(number).size; }
  // 1 to 70 octets of 0x21..0x7E (RFC 1939 section 7).
  [[nodiscard]] std::string uidl(MessageNumber number) const;
  [[nodiscard]] bool is_marked(MessageNumber number) const { return at(number).marked; }
  void mark(MessageNumber number);  // one that is not marked
  void unmark_all();
  // All of it has been sent by RETR.
  void set_retrieved(MessageNumber number) { at(number).retrieved = true; }
  // The highest number of those; 0: none.
  [[nodiscard]] std::uint64_t last_retrieved() const;
  // What ReadView::read_message() needs, also when the message has been expunged meanwhile.
  [[nodiscard]] store::MessageRecord record(MessageNumber number) const;

  [[nodiscard]] store::MailboxKey inbox() const { return inbox_; }
  [[nodiscard]] std::vector<store::Uid> marked() const;
  [[nodiscard]] std::vector<store::Uid> retrieved() const;
  [[nodiscard]] std::vector<store::Uid> retrieved_but_not_marked() const;
  // In a session before this one, and not in this one; not marked.
  [[nodiscard]] std::vector<store::Uid> retrieved_before() const;
  // For the alarm of UIDLs that change (listed_uidls.h); empty from the second call on.
  [[nodiscard]] std::vector<ListedUidl> take_listed();

 private:
  struct Entry {
    std::uint64_t size = 0;
    store::BlobId blob;
    store::MessageSerial serial;
    store::Uid uid;
    std::uint32_t prefix = 0;  // where it is in texts_
    std::uint32_t prefix_octets = 0;
    std::uint32_t uidl = 0;
    std::uint8_t uidl_octets = 0;  // 0: made of the serial
    bool marked = false;
    bool retrieved = false;
    bool retrieved_before = false;
  };
  static_assert(sizeof(Entry) <= 48, "the comment at the top gives the size");
  struct Snapshot;

  Maildrop(Snapshot snapshot, std::unique_ptr<MaildropLocks::Lock> lock, std::uint64_t store_id);
  static Result<Snapshot> take_snapshot(store::Store& store, const store::ReadView& view,
                                        store::AccountId account,
                                        const config::Pop3Options& options);
  static Result<void> settle_uidls(Snapshot& snapshot, std::uint64_t store_id,
                                   const config::Pop3Options& options);
  Entry& at(MessageNumber number) { return entries_[number.value() - 1]; }
  [[nodiscard]] const Entry& at(MessageNumber number) const { return entries_[number.value() - 1]; }
  [[nodiscard]] std::vector<store::Uid> uids_where(bool (*chosen)(const Entry&)) const;

  store::MailboxKey inbox_;
  std::uint64_t store_id_;
  std::uint64_t message_count_ = 0;
  std::uint64_t total_octets_ = 0;
  bool listed_ = false;
  std::vector<Entry> entries_;
  std::string texts_;  // prefixes and imported UIDLs, one after another
  std::unique_ptr<store::Store::Pin> pin_;
  std::unique_ptr<MaildropLocks::Lock> lock_;
};

}  // namespace twinpost::pop3
