// SEARCH and UID SEARCH (RFC 9051 6.4.4, RFC 3501 6.4.4; RFC 4731, RFC 5182, RFC 7162, RFC 9394).
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "core/base/ascii.h"
#include "imap/commands.h"
#include "imap/message_limit.h"
#include "imap/quote.h"
#include "imap/search_answer.h"
#include "imap/search_modseq.h"
#include "imap/search_plan.h"
#include "imap/search_run.h"
#include "imap/session.h"
#include "imap/sync.h"

namespace twinpost::imap::commands {
namespace {

// Tells a client that waits for long that the search goes on (RFC 9585), so that it does not give
// up, and so that one that is gone is noticed: writing to it fails.
class Progress {
 public:
  Progress(Session& session, std::string_view tag)
      : session_(session),
        tag_(tag),
        interval_(session.context().keep_alive / 24),
        told_at_(steady_now()) {}

  // `total` is not reached before the end: RFC 9585 wants more than `done`.
  void tell(std::uint64_t done, std::uint64_t total) {
    const SteadyTime now = steady_now();
    if (now - told_at_ < interval_) return;
    told_at_ = now;
    std::string line = "OK [INPROGRESS (";
    append_quoted(line, tag_);
    line += ' ' + std::to_string(done) + ' ' + std::to_string(total) + ")] Still searching";
    session_.untagged(line);
  }

 private:
  Session& session_;
  std::string_view tag_;
  Duration interval_;
  SteadyTime told_at_;
};

// RFC 6855 section 3: the texts of a session with UTF8=ACCEPT are in UTF-8. Saying so once more is
// harmless (RFC 9051 6.4.4).
bool conflicts(const Session& session, const Search& search) {
  return session.enabled().utf8 && search.charset &&
         !ascii::equals_ignore_case(*search.charset, "UTF-8");
}

Reply refused(Selected& selected, const Search& search, const SearchRefusal& refusal) {
  if (refusal.is_bad) return Reply::bad(refusal.text, refusal.code);
  if (search.return_save) selected.saved = {};  // RFC 5182 section 2.1
  return Reply::no(refusal.text, refusal.code);
}

Reply failed(Selected& selected, const Search& search, const Error& error) {
  if (search.return_save) selected.saved = {};
  return reply_for(error, "search");
}

// Runs `work`, a SearchRun or HighestModSeq, to its end. An error of kShutdown: the session is
// over.
template <class Work, class Between>
Task<Result<void>> run_slices(Session& session, Work& work, const Between& between) {
  const auto slice = [&work](const store::ReadView& view) { return work.slice(view); };
  for (;;) {
    const Result<bool> ended = co_await session.store().read(slice);
    if (!ended) co_return tl::unexpected(ended.error());
    if (*ended) co_return Result<void>{};
    between();
    const bool goes_on = co_await session.drained();
    if (!goes_on) co_return fail(ErrorCode::kShutdown, "the session is over");
  }
}

Task<bool> send_answer(Session& session, SearchAnswer& answer) {
  constexpr std::size_t kPiece = std::size_t{64} * 1024;
  std::string piece;
  while (answer.next(piece, kPiece)) {
    session.send(piece);
    piece.clear();
    const bool goes_on = co_await session.drained(true);
    if (!goes_on) co_return false;
  }
  co_return true;
}

// A damaged message must not make the others unsearchable, but its owner is told (RFC 9051 7.1: an
// untagged NO is a warning).
void warn_of_unreadable(Session& session, std::uint64_t messages) {
  if (messages == 0) return;
  session.untagged("NO [CORRUPTION] " + std::to_string(messages) +
                   (messages == 1 ? " message" : " messages") +
                   " could not be read and did not match");
}

// RFC 9738: where not all messages were looked at, the client goes on below the lowest that was.
Reply completed(const Session& session, const SearchRun& run, std::string text) {
  const auto lowest = run.cut_at();
  if (!lowest) return Reply::ok(std::move(text));
  return Reply::ok(std::move(text),
                   message_limit_code(session) + ' ' + std::to_string(lowest->value()));
}

}  // namespace

Task<Reply> search(Session& session, const Command& command) {
  const auto& arguments = std::get<Search>(command.arguments);
  Selected& selected = *session.selected();
  if (conflicts(session, arguments)) {
    co_return Reply::bad("With UTF8=ACCEPT search texts are in UTF-8, CHARSET can't be another");
  }
  // Nothing of this changes while the command runs.
  const std::shared_ptr<const UidList> uids = selected.uids;
  const SearchScope scope{uids.get(), &selected.saved, selected.recent_from};
  const UnixTime now = unix_now();
  const auto make_plan = [&] { return plan_search(arguments.key, arguments.charset, scope, now); };
  auto plan = co_await on_worker(session.executor(), make_plan);
  if (!plan) co_return refused(selected, arguments, plan.error());
  const bool uses_modseq = uses(arguments.key, SearchKind::kModSeq);
  if (uses_modseq) enable_condstore(session);

  Progress progress(session, command.tag);
  SearchExtent extent = extent_of(arguments);
  if (exceeds_message_limit(session, uids->size())) {
    extent.messages = session.config()->limits.messages_per_command;
  }
  SearchRun run(std::move(*plan), scope, selected.key, extent, session.store());
  const auto tell = [&] {
    progress.tell(std::min(run.examined(), uids->size() - 1), uids->size());
  };
  const auto searched = co_await run_slices(session, run, tell);
  if (!searched) {
    if (session.ended()) co_return Reply::said();
    co_return failed(selected, arguments, searched.error());
  }
  NumberSet found = run.take_found();
  const NumberSet chosen = chosen_by(arguments, found);
  warn_of_unreadable(session, run.unreadable());

  std::uint64_t modseq = 0;
  if (uses_modseq && !is_silent(arguments)) {
    HighestModSeq highest(selected.key, chosen);
    const auto counted = co_await run_slices(session, highest, tell);
    if (!counted) {
      if (session.ended()) co_return Reply::said();
      co_return failed(selected, arguments, counted.error());
    }
    modseq = highest.value();
  }
  if (arguments.return_save) selected.saved = chosen;
  if (is_silent(arguments)) co_return completed(session, run, "Search completed, result saved");
  if (!arguments.uid) found = numbers_of(found, *uids);
  const bool esearch = arguments.extended || session.enabled().rev2;
  SearchAnswer answer(arguments, command.tag, esearch, std::move(found), modseq);
  const bool sent = co_await send_answer(session, answer);
  if (!sent) co_return Reply::said();
  co_return completed(session, run, "Search completed");
}

}  // namespace twinpost::imap::commands
