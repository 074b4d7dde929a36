#include "tools/twinpost/backup/repository.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include "core/base/ascii.h"

namespace twinpost::tools::backup {

namespace {

constexpr const char* kInfoName = "backup.json";
constexpr const char* kGenerationName = "generation.json";
constexpr std::size_t kManifestsOpen = 64;

Result<BackupInfo> read_backup_info(const std::string& folder) {
  auto text = read_sealed_text(folder + "/" + kInfoName, kLargestSmallFile);
  if (!text) {
    if (text.error().code == ErrorCode::kNotFound) {
      return fail(ErrorCode::kNotFound,
                  folder + " is no backup of Twinpost: it has no backup.json");
    }
    return tl::unexpected(text.error());
  }
  auto info = decode_backup(*text);
  if (!info) return fail(info.error().code, folder + ": " + info.error().message);
  return info;
}

tl::unexpected<Error> bad_listing(const GenerationName& name, std::string_view account,
                                  std::string_view what) {
  return fail(ErrorCode::kCorrupt, fmt::format("generation {}, {}: {}", to_string(name),
                                               ascii::printable(account), what));
}

// A delta over what it builds on.
Messages merged(Messages base, Messages changed, const std::vector<store::UidRange>& gone) {
  Messages result;
  result.reserve(base.size() + changed.size());
  auto range = gone.begin();
  auto change = changed.begin();
  for (auto& message : base) {
    while (change != changed.end() && change->first < message.first) {
      result.push_back(std::move(*change++));
    }
    if (change != changed.end() && change->first == message.first) {
      result.push_back(std::move(*change++));
      continue;
    }
    while (range != gone.end() && range->last < message.first) ++range;
    if (range != gone.end() && range->first <= message.first) continue;
    result.push_back(std::move(message));
  }
  for (; change != changed.end(); ++change) result.push_back(std::move(*change));
  return result;
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

Result<void> Repository::lock(Use use) {
  const auto take = [this](const char* name, int how, File& into) -> Result<void> {
    const bool exclusive = how == LOCK_EX;
    auto file = File::open(folder_ + "/" + name, exclusive ? O_RDWR | O_CREAT : O_RDONLY);
    if (!file && !exclusive) return {};  // a copy on a disk that can't be written
    if (!file) return tl::unexpected(file.error());
    while (::flock(file->fd(), how | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno != EWOULDBLOCK) break;  // a file system without locks
      return fail(ErrorCode::kInUse, fmt::format("another twinpost works on {}", folder_));
    }
    into = *std::move(file);
    return {};
  };
  if (use == Use::kRead || use == Use::kLook) return take("prune.lock", LOCK_SH, prune_lock_);
  if (auto locked = take("lock", LOCK_EX, run_lock_); !locked) return locked;
  // A run needs no more than that there is no prune, which takes both.
  if (use == Use::kBackup) {
    auto made = File::open(folder_ + "/prune.lock", O_RDWR | O_CREAT);
    return made ? Result<void>{} : tl::unexpected(made.error());
  }
  return take("prune.lock", LOCK_EX, prune_lock_);
}

Result<Repository> Repository::begin(const std::string& folder, Use use) {
  Repository repository;
  repository.folder_ = folder;
  if (auto locked = repository.lock(use); !locked) return tl::unexpected(locked.error());
  return repository;
}

Result<BackupInfo> Repository::peek(const std::string& folder) { return read_backup_info(folder); }

Result<void> Repository::read_info() {
  auto info = read_backup_info(folder_);
  if (!info) return tl::unexpected(info.error());
  info_ = *std::move(info);
  return {};
}

Result<void> Repository::take_keys(store::KeyringPtr keys, bool needed) {
  if (info_.sealed && keys == nullptr && needed) {
    return fail(ErrorCode::kPermission,
                folder_ + " is encrypted: name its key file with --key-file");
  }
  coder_ = std::make_unique<store::BodyCoder>(true, info_.sealed ? std::move(keys) : nullptr);
  return {};
}

Result<Repository> Repository::open(const std::string& folder, Use use, store::KeyringPtr keys) {
  // Before a lock makes a file in a folder that is something else.
  if (auto info = read_backup_info(folder); !info) return tl::unexpected(info.error());
  auto repository = begin(folder, use);
  if (!repository) return repository;
  auto done = repository->read_info();
  if (done) done = repository->take_keys(std::move(keys), use != Use::kLook);
  if (done && use == Use::kPrune) done = repository->clear_leftovers();
  if (done) done = repository->reload();
  if (!done) return tl::unexpected(done.error());
  return repository;
}

Result<Repository> Repository::open_or_make(const std::string& folder, std::uint64_t store_id,
                                            store::KeyringPtr keys) {
  if (auto made = make_folder(folder); !made) return tl::unexpected(made.error());
  const auto names = names_in(folder);
  if (!names) return tl::unexpected(names.error());
  const bool is_backup = std::find(names->begin(), names->end(), kInfoName) != names->end();
  const bool is_ours = std::all_of(names->begin(), names->end(), [](const std::string& name) {
    return name == "lock" || name == "prune.lock" || name == "packs" || name == "generations" ||
           name == "backup.json.new";
  });
  if (!is_backup && !is_ours) {
    return fail(ErrorCode::kInvalid,
                folder + " has other files in it and is no backup: name an empty folder");
  }
  auto repository = begin(folder, Use::kBackup);
  if (!repository) return repository;
  Result<void> done;
  if (!is_backup) done = repository->make(store_id, keys != nullptr);
  if (done) done = repository->read_info();
  if (!done) return tl::unexpected(done.error());
  const BackupInfo& info = repository->info_;
  if (info.store_id != store_id) {
    return fail(ErrorCode::kInvalid,
                fmt::format("{} is a backup of another store ({}, this one is {}): name another "
                            "folder",
                            folder, hex_number(info.store_id), hex_number(store_id)));
  }
  if (info.sealed != (keys != nullptr)) {
    return fail(ErrorCode::kInvalid,
                info.sealed ? folder + " is an encrypted backup: name its key file with --key-file"
                            : folder +
                                  " is a backup that is not encrypted: give --plain to go on "
                                  "with it so, or name another folder");
  }
  done = repository->take_keys(std::move(keys), true);
  if (done) done = repository->clear_leftovers();
  if (done) done = repository->reload();
  if (!done) return tl::unexpected(done.error());
  return repository;
}

Result<void> Repository::make(std::uint64_t store_id, bool sealed) {
  auto done = make_folder(packs_folder());
  if (done) done = make_folder(generations_folder());
  if (!done) return done;
  BackupInfo info;
  info.store_id = store_id;
  info.sealed = sealed;
  info.made_by = "twinpost " TWINPOST_VERSION;
  info.created = unix_now();
  return write_sealed_text(folder_ + "/" + kInfoName, encode_backup(info));
}

Result<void> Repository::clear_leftovers() {
  const auto names = names_in(generations_folder());
  if (!names) return tl::unexpected(names.error());
  for (const std::string& name : *names) {
    if (!name.starts_with(".")) continue;
    if (auto gone = remove_tree(generations_folder() + "/" + name); !gone) return gone;
  }
  return {};
}

Result<void> Repository::reload() {
  generations_.clear();
  problems_.clear();
  manifests_.clear();
  places_.clear();
  sections_.clear();
  const auto names = names_in(generations_folder());
  if (!names) return tl::unexpected(names.error());
  for (const std::string& name : *names) {
    if (name.starts_with(".")) continue;
    const auto parsed = parse_generation_name(name);
    if (!parsed) {
      problems_.push_back(
          fmt::format("{}/{} is no generation", generations_folder(), ascii::printable(name)));
      continue;
    }
    const std::string path = path_of(*parsed) + "/" + kGenerationName;
    auto text = read_sealed_text(path, kLargestSmallFile);
    Result<GenerationInfo> info =
        text ? decode_generation(*text) : Result<GenerationInfo>(tl::unexpected(text.error()));
    if (!info) {
      problems_.push_back(fmt::format("generation {}: {}", name, info.error().message));
    } else if (info->name != *parsed || info->store_id != info_.store_id) {
      problems_.push_back(fmt::format("generation {} is another one, or another store's", name));
    } else {
      generations_.push_back(*std::move(info));
    }
  }
  std::sort(generations_.begin(), generations_.end(),
            [](const GenerationInfo& left, const GenerationInfo& right) {
              return left.name < right.name;
            });
  return {};
}

const GenerationInfo* Repository::find(const GenerationName& name) const {
  const auto found = std::find_if(generations_.begin(), generations_.end(),
                                  [&](const GenerationInfo& info) { return info.name == name; });
  return found == generations_.end() ? nullptr : &*found;
}

Result<ManifestReader*> Repository::manifest(const GenerationName& name) {
  if (const auto found = manifests_.find(name); found != manifests_.end()) return &found->second;
  const GenerationInfo* info = find(name);
  if (info == nullptr) {
    return fail(ErrorCode::kNotFound,
                fmt::format("{} has no generation {}", folder_, to_string(name)));
  }
  auto opened = ManifestReader::open(path_of(name) + "/" + manifest_name(info->manifest),
                                     info->sealed, *coder_);
  if (!opened) return tl::unexpected(opened.error());
  if (manifests_.size() >= kManifestsOpen) manifests_.clear();
  return &manifests_.emplace(name, *std::move(opened)).first->second;
}

Result<const std::vector<AccountPlace>*> Repository::accounts(const GenerationName& name) {
  if (const auto found = places_.find(name); found != places_.end()) return &found->second;
  auto reader = manifest(name);
  if (!reader) return tl::unexpected(reader.error());
  const GenerationInfo& info = *find(name);
  std::vector<AccountPlace> places;
  Sha256 hash;
  LineReader lines(**reader, info.index_offset, info.index_octets);
  for (;;) {
    auto line = lines.next();
    if (!line) return tl::unexpected(line.error());
    if (!*line) break;
    hash.update(**line);
    hash.update("\n");
    auto place = decode_place(**line);
    if (!place) return bad_listing(name, "index", place.error().message);
    places.push_back(*std::move(place));
  }
  if (hash.finish() != info.index_sha256) {
    return bad_listing(name, "index", "does not match its checksum");
  }
  std::sort(places.begin(), places.end(), [](const AccountPlace& left, const AccountPlace& right) {
    return left.name < right.name;
  });
  return &places_.emplace(name, std::move(places)).first->second;
}

Result<AccountSection> Repository::read_section(const GenerationName& name,
                                                const AccountPlace& place) {
  auto reader = manifest(name);
  if (!reader) return tl::unexpected(reader.error());
  AccountSection section;
  Sha256 hash;
  LineReader lines(**reader, place.offset, place.octets);
  bool first = true;
  for (;; first = false) {
    auto line = lines.next();
    if (!line) return tl::unexpected(line.error());
    if (!*line) break;
    hash.update(**line);
    hash.update("\n");
    const std::uint64_t after = lines.offset() + (*line)->size() + 1;
    const LineKind kind = kind_of(**line);
    if (first != (kind == LineKind::kAccount)) return bad_listing(name, place.name, "no account");
    if (kind == LineKind::kAccount) {
      auto account = decode_account(**line);
      if (!account) return bad_listing(name, place.name, account.error().message);
      section.account = *std::move(account);
    } else if (kind == LineKind::kMailbox) {
      auto mailbox = decode_mailbox(**line);
      if (!mailbox) return bad_listing(name, place.name, mailbox.error().message);
      section.mailboxes.push_back({*std::move(mailbox), after, 0});
    } else if (kind == LineKind::kMessage && !section.mailboxes.empty()) {
      section.mailboxes.back().octets = after - section.mailboxes.back().offset;
    } else {
      return bad_listing(name, place.name, "has a line that is of no known kind");
    }
  }
  if (hash.finish() != place.sha256 || section.account.name != place.name) {
    return bad_listing(name, place.name, "does not match its checksum");
  }
  return section;
}

Result<const AccountSection*> Repository::section(const GenerationName& name,
                                                  std::string_view account) {
  if (section_account_ != account) {
    sections_.clear();
    section_account_ = account;
  }
  if (const auto found = sections_.find(name); found != sections_.end()) return &found->second;
  auto places = accounts(name);
  if (!places) return tl::unexpected(places.error());
  const auto place = std::lower_bound(
      (*places)->begin(), (*places)->end(), account,
      [](const AccountPlace& one, std::string_view wanted) { return one.name < wanted; });
  if (place == (*places)->end() || place->name != account) {
    return fail(ErrorCode::kNotFound, fmt::format("generation {} has no account {}",
                                                  to_string(name), ascii::printable(account)));
  }
  auto read = read_section(name, *place);
  if (!read) return tl::unexpected(read.error());
  return &sections_.emplace(name, *std::move(read)).first->second;
}

Result<Messages> Repository::listed(const GenerationName& name, const ListedMailbox& mailbox) {
  auto reader = manifest(name);
  if (!reader) return tl::unexpected(reader.error());
  Messages messages;
  LineReader lines(**reader, mailbox.offset, mailbox.octets);
  for (;;) {
    auto line = lines.next();
    if (!line) return tl::unexpected(line.error());
    if (!*line) break;
    const store::Uid uid = uid_of_line(**line);
    if (uid.value() == 0 || (!messages.empty() && uid <= messages.back().first)) {
      return bad_listing(name, mailbox.line.name, "its UIDs are not in order");
    }
    messages.emplace_back(uid, std::string(**line));
  }
  if (messages.size() != mailbox.line.records) {
    return bad_listing(name, mailbox.line.name, "has more or fewer messages than it says");
  }
  return messages;
}

// Ends: what a generation builds on is an earlier one.
Result<Messages> Repository::resolve(const GenerationName& name, std::string_view account,
                                     std::string_view guid, store::UidValidity uid_validity) {
  auto found_section = section(name, account);
  if (!found_section) return tl::unexpected(found_section.error());
  const ListedMailbox* mailbox = (*found_section)->find(guid, uid_validity);
  if (mailbox == nullptr) {
    return bad_listing(name, account, "lacks a mailbox that a later generation builds on");
  }
  const MailboxLine& line = mailbox->line;
  Messages messages;
  if (line.listing == Listing::kFull) {
    auto own = listed(name, *mailbox);
    if (!own) return own;
    messages = *std::move(own);
  } else {
    if (!(*line.base < name)) return bad_listing(name, account, "builds on a later generation");
    auto base = resolve(*line.base, account, guid, uid_validity);
    if (!base) return base;
    if (line.listing == Listing::kSame) {
      messages = *std::move(base);
    } else {
      auto own = listed(name, *mailbox);
      if (!own) return own;
      messages = merged(*std::move(base), *std::move(own), line.gone);
    }
  }
  if (messages.size() != line.messages) {
    return bad_listing(name, account,
                       fmt::format("{}: {} messages are listed, {} should be",
                                   ascii::printable(line.name), messages.size(), line.messages));
  }
  return messages;
}

Result<Messages> Repository::messages(const GenerationName& name, std::string_view account,
                                      const MailboxLine& mailbox) {
  return resolve(name, account, mailbox.guid, mailbox.uid_validity);
}

}  // namespace twinpost::tools::backup
