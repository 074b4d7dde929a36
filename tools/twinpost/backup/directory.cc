#include "tools/twinpost/backup/directory.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <utility>
#include <variant>

#include "tools/twinpost/backup/checked_line.h"

namespace twinpost::tools::backup {

namespace {

// What is known of the line at a place: an account begins there, or a mailbox.
using Begins = std::variant<AccountLine, MailboxEntry>;
using Beginnings = std::map<std::uint64_t, Begins>;

template <class T>
Result<T> decoded(const std::optional<std::string>& text, Result<T> (*decode)(std::string_view)) {
  if (!text) return fail(ErrorCode::kCorrupt, "a line does not match its check");
  return decode(*text);
}

std::uint64_t line_after(const LineReader& lines, std::string_view line) {
  return lines.offset() + line.size() + 1;
}

// What is left of a damaged index.
void read_entries(ManifestReader& manifest, const GenerationInfo& info, Beginnings& found) {
  LineReader lines(manifest, info.index_offset, info.index_octets);
  while (const auto line = lines.next()) {
    const auto text = checked(*line, kIndexLines);
    if (!text) continue;
    if (kind_of(*text) == LineKind::kAccountEntry) {
      if (auto entry = decode_account_entry(*text))
        found.emplace(entry->at, std::move(entry->line));
    } else if (auto entry = decode_mailbox_entry(*text)) {
      found.emplace(entry->at, *std::move(entry));
    }
  }
}

// Adds what the index does not have. A mailbox's line is only taken below its own account's.
void read_sections(ManifestReader& manifest, const GenerationInfo& info, Beginnings& found) {
  store::AccountId account;
  LineReader lines(manifest, 0, info.index_offset);
  while (const auto line = lines.next()) {
    if (const auto known = found.find(lines.offset()); known != found.end()) {
      if (const auto* begun = std::get_if<AccountLine>(&known->second)) account = begun->id;
      continue;
    }
    const LineKind kind = kind_of(*line);
    if (kind == LineKind::kAccount) {
      const auto text = checked(*line, kAccountLines);
      auto begun = decoded(text, decode_account);
      if (!begun) continue;
      account = begun->id;
      found.emplace(lines.offset(), *std::move(begun));
    } else if (kind == LineKind::kMailbox) {
      const auto text = checked(*line, mailbox_lines(account));
      auto begun = decoded(text, decode_mailbox);
      if (!begun) continue;
      MailboxEntry entry;
      entry.at = lines.offset();
      entry.account = account;
      entry.offset = line_after(lines, *line);
      entry.line = *std::move(begun);
      found.emplace(entry.at, std::move(entry));
    }
  }
}

}  // namespace

const ListedMailbox* AccountSection::find(std::string_view guid,
                                          store::UidValidity uid_validity) const {
  const auto found =
      std::find_if(mailboxes.begin(), mailboxes.end(), [&](const ListedMailbox& mailbox) {
        return mailbox.line.guid == guid && mailbox.line.uid_validity == uid_validity;
      });
  return found == mailboxes.end() ? nullptr : &*found;
}

Directory Directory::read(ManifestReader& manifest, const GenerationInfo& info) {
  Directory directory;
  if (!directory.read_index(manifest, info)) directory.put_together(manifest, info);
  auto& accounts = directory.accounts_;
  std::sort(accounts.begin(), accounts.end(),
            [](const auto& left, const auto& right) { return left.name < right.name; });
  return directory;
}

// Only the accounts' entries are taken apart: there may be many mailboxes.
bool Directory::read_index(ManifestReader& manifest, const GenerationInfo& info) {
  Sha256 hash;
  LineReader lines(manifest, info.index_offset, info.index_octets);
  while (const auto line = lines.next()) {
    hash.update(*line);
    hash.update("\n");
    if (kind_of(*line) == LineKind::kAccountEntry) {
      const auto text = checked(*line, kIndexLines);
      auto entry = decoded(text, decode_account_entry);
      if (!entry) return false;
      accounts_.push_back({std::move(entry->line.name), entry->mailboxes, entry->messages,
                           entry->size, lines.offset(), 0});
    }
    if (accounts_.empty()) return false;
    accounts_.back().octets = line_after(lines, *line) - accounts_.back().offset;
  }
  return hash.finish() == info.index_sha256;
}

void Directory::put_together(ManifestReader& manifest, const GenerationInfo& info) {
  accounts_.clear();
  Beginnings beginnings;
  read_entries(manifest, info, beginnings);
  read_sections(manifest, info, beginnings);
  AccountSection* account = nullptr;
  std::uint64_t mailboxes = 0;
  for (auto at = beginnings.begin(); at != beginnings.end(); ++at) {
    if (auto* begun = std::get_if<AccountLine>(&at->second)) {
      account = &found_[begun->name];
      account->account = std::move(*begun);
      continue;
    }
    auto& entry = std::get<MailboxEntry>(at->second);
    if (account == nullptr || account->account.id != entry.account) continue;
    ++mailboxes;
    const auto next = std::next(at);
    const std::uint64_t end = next == beginnings.end() ? info.index_offset : next->first;
    const std::uint64_t octets = end - std::min(end, entry.offset);
    account->mailboxes.push_back({std::move(entry.line), entry.account, entry.offset, octets});
  }
  for (const auto& [name, section] : found_) {
    AccountPlace place;
    place.name = name;
    place.mailboxes = section.mailboxes.size();
    for (const ListedMailbox& mailbox : section.mailboxes) {
      place.messages += mailbox.line.messages;
      place.size += mailbox.line.octets;
    }
    accounts_.push_back(std::move(place));
  }
  std::string problem = fmt::format("generation {}: its index is damaged", to_string(info.name));
  if (accounts_.size() < info.accounts) {
    problem += fmt::format(", {} of {} accounts are lost", info.accounts - accounts_.size(),
                           info.accounts);
  }
  if (mailboxes < info.mailboxes) {
    problem +=
        fmt::format(", {} of {} mailboxes are lost", info.mailboxes - mailboxes, info.mailboxes);
  } else {
    problem += ", all that it lists was found without it";
  }
  problems_.push_back(std::move(problem));
}

AccountSection Directory::section(ManifestReader& manifest, const AccountPlace& place) const {
  if (const auto found = found_.find(place.name); found != found_.end()) return found->second;
  AccountSection section;
  LineReader lines(manifest, place.offset, place.octets);
  while (const auto line = lines.next()) {
    // It was good a moment ago.
    const auto text = checked(*line, kIndexLines);
    if (!text) continue;
    if (kind_of(*text) == LineKind::kAccountEntry) {
      if (auto entry = decode_account_entry(*text)) section.account = std::move(entry->line);
    } else if (auto entry = decode_mailbox_entry(*text)) {
      section.mailboxes.push_back(
          {std::move(entry->line), entry->account, entry->offset, entry->octets});
    }
  }
  return section;
}

}  // namespace twinpost::tools::backup
