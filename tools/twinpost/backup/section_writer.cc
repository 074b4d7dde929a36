#include "tools/twinpost/backup/section_writer.h"

#include <utility>

#include "tools/twinpost/backup/checked_line.h"

namespace twinpost::tools::backup {

Result<void> SectionWriter::account(AccountLine line) {
  end_account();
  account_ = AccountEntry{};
  account_.at = manifest_.size();
  account_.line = std::move(line);
  in_account_ = true;
  return manifest_.append(with_check(encode_account(account_.line), kAccountLines));
}

Result<void> SectionWriter::mailbox(MailboxLine line) {
  end_mailbox();
  mailbox_ = MailboxEntry{};
  mailbox_.at = manifest_.size();
  mailbox_.account = account_.line.id;
  mailbox_.line = std::move(line);
  in_mailbox_ = true;
  ++account_.mailboxes;
  account_.messages += mailbox_.line.messages;
  account_.size += mailbox_.line.octets;
  auto done =
      manifest_.append(with_check(encode_mailbox(mailbox_.line), mailbox_lines(account_.line.id)));
  mailbox_.offset = manifest_.size();
  return done;
}

Result<void> SectionWriter::message(std::string line) {
  const LinePlace place = message_lines(account_.line.id, mailbox_.line.id);
  return manifest_.append(with_check(std::move(line), place));
}

void SectionWriter::end_mailbox() {
  if (!std::exchange(in_mailbox_, false)) return;
  mailbox_.octets = manifest_.size() - mailbox_.offset;
  mailbox_entries_ += with_check(encode_entry(mailbox_), kIndexLines);
}

void SectionWriter::end_account() {
  end_mailbox();
  if (!std::exchange(in_account_, false)) return;
  index_ += with_check(encode_entry(account_), kIndexLines);
  index_ += std::exchange(mailbox_entries_, {});
  ++sums_.accounts;
  sums_.mailboxes += account_.mailboxes;
  sums_.messages += account_.messages;
  sums_.octets += account_.size;
}

Result<void> SectionWriter::finish(GenerationInfo& info) {
  end_account();
  if (auto ended = manifest_.end_block(); !ended) return ended;
  info.accounts = sums_.accounts;
  info.mailboxes = sums_.mailboxes;
  info.messages = sums_.messages;
  info.octets = sums_.octets;
  info.index_offset = manifest_.size();
  info.index_octets = index_.size();
  info.index_sha256 = sha256(index_);
  if (auto done = manifest_.append(index_); !done) return done;
  auto written = manifest_.finish();
  if (!written) return tl::unexpected(written.error());
  info.manifest_octets = written->octets;
  info.manifest_sha256 = written->sha256;
  return {};
}

}  // namespace twinpost::tools::backup
