// How a message comes in by IMAP, and how it is judged:
//   - before it is sent (begin): the mailbox, the sizes, the quota, the flags;
//   - while it comes (octets): NUL, the disk;
//   - at the end (complete): everything again, in the transaction that stores it.
//
// A header with 8-bit octets in it is taken, although RFC 6855 section 4 would have it refused from
// a client that has not enabled UTF8=ACCEPT: there is old mail and junk like that in every mailbox,
// and who moves it here (mbsync, imapsync) would have to leave it behind. RFC 9051 6.3.12 permits
// 8-bit characters in the message.
#include "imap/append.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "imap/append_plan.h"
#include "imap/append_spool.h"
#include "imap/list_lines.h"
#include "imap/message_limit.h"
#include "imap/session.h"
#include "imap/sync.h"

namespace twinpost::imap {

namespace {

constexpr std::uint32_t kMostMessages = 1000;  // of one command
// Of one MULTIAPPEND: all that is stored in one transaction. A single message may be as large as
// the APPENDLIMIT.
constexpr std::uint64_t kMostOctetsTogether = std::uint64_t{128} * 1024 * 1024;
constexpr std::size_t kMostKeywordOctets = 255;  // of one; the store's limit
constexpr std::chrono::milliseconds kSliceTime{20};

Refusal refusal_of(const Reply& reply) {
  Refusal refusal;
  refusal.is_bad = reply.condition == Condition::kBad;
  refusal.code = reply.code;
  refusal.text = reply.text;
  return refusal;
}

// RFC 9051 6.3.12: the client may make it and try again.
Reply no_such_mailbox() { return Reply::no("No such mailbox", "TRYCREATE"); }

// What is known of a message before its literal.
struct Announced {
  store::FlagBits flags = 0;
  std::vector<std::string> keywords;
  std::optional<store::InternalDate> internal_date;
};

// What the look into the store at the first message found.
struct Found {
  store::AccountInfo account;
  std::optional<std::uint64_t> replaced_octets;
};

class Receiver final : public AppendReceiver {
 public:
  explicit Receiver(Session& session) : session_(session) {}
  ~Receiver() override;
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  Task<std::optional<Refusal>> begin(const AppendMessage& message) override;
  Task<void> octets(std::string_view piece) override;
  Task<void> end_message() override;
  Task<Reply> complete(const Command& command) override;

 private:
  Task<std::optional<Reply>> judge_first(const AppendMessage& message);
  std::optional<Reply> choose_replaced(const AppendMessage& message);
  std::optional<Reply> judge(const AppendMessage& message) const;
  Task<std::optional<Reply>> prepare();
  AppendPlan make_plan();
  Reply failed(const Error& error) const;
  Reply succeeded(const AppendOutcome& outcome);
  void fail_with(const Error& error);

  Session& session_;
  bool is_replace_ = false;
  std::string wire_name_;
  std::string mailbox_;
  std::optional<Replaced> replaced_;
  store::Limits limits_;
  Found found_;
  std::uint64_t announced_octets_ = 0;
  std::vector<Announced> messages_;
  std::shared_ptr<AppendSpool> spool_;
  std::string piece_;  // for the worker
  std::optional<Reply> failure_;
};

// Giving a large temporary file back to the file system takes time that is not the loop's.
Receiver::~Receiver() {
  if (!spool_ || spool_->octets() <= store::Spool::kSpoolMemory) return;
  session_.executor().run_on_worker([spool = std::move(spool_)]() mutable { spool.reset(); },
                                    [] {});
}

Task<std::optional<Refusal>> Receiver::begin(const AppendMessage& message) {
  if (failure_) co_return refusal_of(*failure_);
  std::optional<Reply> unwanted = judge(message);
  if (unwanted) co_return refusal_of(*unwanted);
  if (message.index == 0) {
    unwanted = co_await judge_first(message);
    if (unwanted) co_return refusal_of(*unwanted);
    spool_ =
        std::make_shared<AppendSpool>(session_.store().spool_folder(), session_.store().coder());
  }
  announced_octets_ += message.size;
  const auto fits = check_quota(found_.account, limits_, message.index + 1, announced_octets_,
                                found_.replaced_octets);
  if (!fits) co_return refusal_of(failed(fits.error()));
  Announced announced{message.flags.flags, {}, message.internal_date};
  for (const std::string_view keyword : message.flags.keywords) {
    announced.keywords.emplace_back(keyword);
  }
  messages_.push_back(std::move(announced));
  spool_->begin_message(message.binary);
  co_return std::nullopt;
}

// What can be said of it by itself.
std::optional<Reply> Receiver::judge(const AppendMessage& message) const {
  const std::string name = message.is_replace ? "REPLACE" : "APPEND";
  // RFC 3502 6.3.11
  if (message.size == 0) return Reply::no(name + " cancelled by an empty message");
  if (message.index >= kMostMessages) {
    return Reply::no("More than 1000 messages in one APPEND", "LIMIT");
  }
  if (exceeds_message_limit(session_, std::uint64_t{message.index} + 1)) {
    return Reply::no("Too many messages for one command, nothing was stored",
                     message_limit_code(session_));
  }
  const std::uint64_t limit = session_.append_limit();
  if (limit != 0 && message.size > limit) {
    return Reply::no("Message too large, the limit is " + std::to_string(limit) + " octets",
                     "TOOBIG");
  }
  if (message.index > 0 && (announced_octets_ > kMostOctetsTogether ||
                            message.size > kMostOctetsTogether - announced_octets_)) {
    return Reply::no("More than 128 MiB in one APPEND of several messages", "TOOBIG");
  }
  if (message.utf8 && !session_.utf8()) {
    return Reply::bad("UTF8 needs ENABLE UTF8=ACCEPT first (RFC 6855)");
  }
  for (const std::string_view keyword : message.flags.keywords) {
    if (keyword.size() > kMostKeywordOctets) {
      return Reply::no("A keyword is longer than 255 octets", "LIMIT");
    }
  }
  return std::nullopt;
}

// RFC 8508 section 3.2: the message that goes, of the selected mailbox.
std::optional<Reply> Receiver::choose_replaced(const AppendMessage& message) {
  const Selected* selected = session_.selected();
  if (selected == nullptr) return Reply::bad("Select a mailbox first");
  if (selected->read_only) return Reply::no("The mailbox is selected read-only", "CANNOT");
  std::optional<store::Uid> uid;
  if (message.number == SequenceSet::kStar) {
    uid = selected->uids->last();
  } else if (message.uid) {
    const store::Uid wanted(message.number);
    if (selected->uids->number_of(wanted)) uid = wanted;
  } else if (message.number <= selected->uids->size()) {
    uid = selected->uids->uid_at(message.number);
  }
  if (!uid && message.uid) return Reply::no("There is no message with this UID", "NONEXISTENT");
  if (!uid) return Reply::bad("There is no message with this number");
  replaced_ = Replaced{selected->key, *uid, session_.remover()};
  return std::nullopt;
}

Task<std::optional<Reply>> Receiver::judge_first(const AppendMessage& message) {
  is_replace_ = message.is_replace;
  wire_name_ = message.mailbox;
  if (is_replace_) {
    if (auto unwanted = choose_replaced(message)) co_return unwanted;
  }
  auto name = session_.mailbox_name(message.mailbox, NameUse::kExisting);
  if (!name) co_return reply_for(name.error(), "APPEND");
  mailbox_ = *std::move(name);
  limits_ = session_.quota();
  const store::AccountId account = session_.account_id();
  const auto look = [this, account](const store::ReadView& view) -> Result<Found> {
    const auto target = view.find_mailbox(account, mailbox_);
    if (!target) return tl::unexpected(target.error());
    if (target->shows_removed) {
      return fail(ErrorCode::kInvalid, "This mailbox shows removed messages and takes no others");
    }
    auto info = view.account(account);
    if (!info) return tl::unexpected(info.error());
    Found found{*std::move(info), std::nullopt};
    if (!replaced_) return found;
    const auto record = view.message(replaced_->mailbox, replaced_->uid);
    if (!record && record.error().code == ErrorCode::kNotFound) {
      return fail(ErrorCode::kConflict, "The message to replace is not there any more");
    }
    if (!record) return tl::unexpected(record.error());
    found.replaced_octets = record->size;
    return found;
  };
  auto found = co_await session_.store().read(look);
  if (!found) co_return failed(found.error());
  found_ = *std::move(found);
  co_return std::nullopt;
}

void Receiver::fail_with(const Error& error) {
  if (!failure_) failure_ = failed(error);
}

Reply Receiver::failed(const Error& error) const {
  if (error.code == ErrorCode::kNotFound) return no_such_mailbox();
  return reply_for(error, is_replace_ ? "REPLACE" : "APPEND");
}

Task<void> Receiver::octets(std::string_view piece) {
  if (failure_) co_return;
  Result<void> taken;
  if (spool_->needs_worker(piece.size())) {
    piece_ = piece;
    const auto append = [this] { return spool_->append(piece_); };
    taken = co_await on_worker(session_.executor(), append);
  } else {
    taken = spool_->append(piece);
  }
  if (!taken) fail_with(taken.error());
}

Task<void> Receiver::end_message() {
  if (failure_) co_return;
  Result<void> ended;
  if (spool_->needs_worker(2)) {
    const auto end = [this] { return spool_->end_message(); };
    ended = co_await on_worker(session_.executor(), end);
  } else {
    ended = spool_->end_message();
  }
  if (!ended) fail_with(ended.error());
}

// Hashes and parses on workers, a slice at a time.
Task<std::optional<Reply>> Receiver::prepare() {
  const auto slice = [this] { return spool_->prepare(steady_now() + kSliceTime); };
  while (true) {
    const auto done = co_await on_worker(session_.executor(), slice);
    if (!done) co_return failed(done.error());
    if (*done) co_return std::nullopt;
  }
}

AppendPlan Receiver::make_plan() {
  AppendPlan plan;
  plan.account = session_.account_id();
  plan.mailbox = mailbox_;
  plan.replaced = replaced_;
  std::vector<store::PreparedMessagePtr> prepared = spool_->take_prepared();
  const store::InternalDate now{unix_now(), 0};
  for (std::size_t i = 0; i < messages_.size(); ++i) {
    store::AppendRequest request;
    request.message = std::move(prepared[i]);
    request.flags = messages_[i].flags;
    request.keywords = std::move(messages_[i].keywords);
    request.internal_date = messages_[i].internal_date.value_or(now);
    request.limits = limits_;
    plan.messages.push_back(std::move(request));
  }
  return plan;
}

Task<Reply> Receiver::complete(const Command&) {
  if (failure_) co_return *failure_;
  const std::optional<Reply> unprepared = co_await prepare();
  if (unprepared) co_return *unprepared;
  const AppendPlan plan = make_plan();
  const auto outcome = co_await session_.store().write(
      [&plan](store::WriteTxn& txn) { return store_messages(txn, plan); });
  if (!outcome) co_return failed(outcome.error());
  co_return succeeded(*outcome);
}

Reply Receiver::succeeded(const AppendOutcome& outcome) {
  std::string out;
  if (session_.enabled().rev2 && was_normalized(wire_name_, mailbox_, session_.utf8())) {
    append_oldname_line(out, mailbox_, wire_name_, "", session_.style());
  }
  Selected* selected = session_.selected();
  // The store may announce the change later than it answers; the client hears of it now.
  if (selected != nullptr && (replaced_ || selected->key == outcome.mailbox)) {
    selected->stale = true;
  }
  std::string code = append_uid_code(outcome);
  if (replaced_ && selected != nullptr) {
    // RFC 8508 section 4.3: before the EXPUNGE.
    append_status(out, "*", Condition::kOk, code, "Replacement message ready");
    const std::vector<store::Uid> gone = {replaced_->uid};
    append_expunged(out, session_, *selected, gone);
    code.clear();
  }
  session_.send(out);
  Reply reply = Reply::ok(is_replace_ ? "REPLACE completed" : "APPEND completed", std::move(code));
  // RFC 8508 section 4.5, RFC 7162 3.2.9: as for UID EXPUNGE.
  reply.tells_modseq = is_replace_ && session_.enabled().qresync;
  return reply;
}

}  // namespace

std::unique_ptr<AppendReceiver> make_append_receiver(Session& session) {
  return std::make_unique<Receiver>(session);
}

}  // namespace twinpost::imap
