#include "tools/twinpost/backup/section_writer.h"

#include <utility>

namespace twinpost::tools::backup {

SectionWriter::SectionWriter(ManifestWriter& manifest, std::string account) : manifest_(manifest) {
  place_.name = std::move(account);
  place_.offset = manifest.size();
}

Result<void> SectionWriter::put(std::string_view line) {
  hash_.update(line);
  return manifest_.append(line);
}

Result<void> SectionWriter::account(const AccountLine& line) { return put(encode_account(line)); }

Result<void> SectionWriter::mailbox(const MailboxLine& line) {
  ++place_.mailboxes;
  place_.messages += line.messages;
  place_.size += line.octets;
  return put(encode_mailbox(line));
}

Result<void> SectionWriter::message(std::string_view line) { return put(line); }

AccountPlace SectionWriter::finish() {
  place_.octets = manifest_.size() - place_.offset;
  place_.sha256 = hash_.finish();
  return std::move(place_);
}

void IndexWriter::add(const AccountPlace& place, GenerationInfo& info) {
  lines_ += encode_place(place);
  ++info.accounts;
  info.mailboxes += place.mailboxes;
  info.messages += place.messages;
  info.octets += place.size;
}

Result<void> IndexWriter::finish(ManifestWriter& manifest, GenerationInfo& info) {
  info.index_offset = manifest.size();
  info.index_octets = lines_.size();
  info.index_sha256 = sha256(lines_);
  if (auto done = manifest.append(lines_); !done) return done;
  auto written = manifest.finish();
  if (!written) return tl::unexpected(written.error());
  info.manifest_octets = written->octets;
  info.manifest_sha256 = written->sha256;
  return {};
}

}  // namespace twinpost::tools::backup
