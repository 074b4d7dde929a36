#include "tools/twinpost/backup/repository.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include "core/base/ascii.h"
#include "tools/twinpost/backup/checked_line.h"

namespace twinpost::tools::backup {

namespace {

constexpr const char* kInfoName = "backup.json";
constexpr const char* kGenerationName = "generation.json";
constexpr std::size_t kManifestsOpen = 64;
constexpr std::size_t kWindow = 1024 * 1024;

struct ReadInfo {
  BackupInfo info;
  SealedText file;
};

Result<ReadInfo> read_backup_info(const std::string& folder) {
  auto text = read_sealed_text(folder + "/" + kInfoName, kLargestSmallFile);
  if (!text) {
    if (text.error().code == ErrorCode::kNotFound) {
      return fail(ErrorCode::kNotFound,
                  folder + " is no backup of Twinpost: it has no backup.json");
    }
    return tl::unexpected(text.error());
  }
  auto info = decode_backup(text->text);
  if (!info) return fail(info.error().code, folder + ": " + info.error().message);
  return ReadInfo{*std::move(info), *std::move(text)};
}

std::string place_text(const GenerationName& name, std::string_view account,
                       std::string_view mailbox) {
  return fmt::format("generation {}, {}/{}", to_string(name), ascii::printable(account),
                     ascii::printable(mailbox));
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
  repository.use_ = use;
  if (auto locked = repository.lock(use); !locked) return tl::unexpected(locked.error());
  return repository;
}

Result<BackupInfo> Repository::peek(const std::string& folder) {
  auto read = read_backup_info(folder);
  if (!read) return tl::unexpected(read.error());
  return std::move(read->info);
}

Result<void> Repository::read_info() {
  auto read = read_backup_info(folder_);
  if (!read) return tl::unexpected(read.error());
  info_ = std::move(read->info);
  if (read->file.problem.empty()) return {};
  info_problems_.push_back(read->file.problem);
  return mend(folder_ + "/" + kInfoName, read->file.text);
}

// Who may write makes both anew, so that it is told once.
Result<void> Repository::mend(const std::string& path, std::string_view text) {
  if (use_ != Use::kBackup && use_ != Use::kPrune) return {};
  return write_sealed_text(path, text);
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
  if (auto read = read_backup_info(folder); !read) return tl::unexpected(read.error());
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
  const bool is_backup =
      exists(folder + "/" + kInfoName) || exists(copy_of(folder + "/" + kInfoName));
  const bool is_ours = std::all_of(names->begin(), names->end(), [](const std::string& name) {
    return name == "lock" || name == "prune.lock" || name == "packs" || name == "generations" ||
           name == "backup.json.new" || name == "backup.json.copy.new";
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
  problems_ = info_problems_;
  lost_generations_ = 0;
  manifests_.clear();
  directories_.clear();
  sections_.clear();
  const auto names = names_in(generations_folder());
  if (!names) return tl::unexpected(names.error());
  for (const std::string& name : *names) {
    if (name.starts_with(".")) continue;
    if (auto read = read_generation(name); !read) return read;
  }
  std::sort(generations_.begin(), generations_.end(),
            [](const GenerationInfo& left, const GenerationInfo& right) {
              return left.name < right.name;
            });
  return {};
}

Result<void> Repository::read_generation(const std::string& name) {
  const auto parsed = parse_generation_name(name);
  if (!parsed) {
    ++lost_generations_;
    problems_.push_back(
        fmt::format("{}/{} is no generation", generations_folder(), ascii::printable(name)));
    return {};
  }
  const std::string path = path_of(*parsed) + "/" + kGenerationName;
  auto file = read_sealed_text(path, kLargestSmallFile);
  Result<GenerationInfo> info =
      file ? decode_generation(file->text) : Result<GenerationInfo>(tl::unexpected(file.error()));
  if (!info) {
    ++lost_generations_;
    problems_.push_back(fmt::format("generation {}: {}", name, info.error().message));
    return {};
  }
  if (info->name != *parsed || info->store_id != info_.store_id) {
    ++lost_generations_;
    problems_.push_back(fmt::format("generation {} is another one, or another store's", name));
    return {};
  }
  generations_.push_back(*std::move(info));
  if (file->problem.empty()) return {};
  problems_.push_back(fmt::format("generation {}: {}", name, file->problem));
  return mend(path, file->text);
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

Result<void> Repository::check_manifest(const GenerationName& name) const {
  const GenerationInfo* info = find(name);
  if (info == nullptr) {
    return fail(ErrorCode::kNotFound,
                fmt::format("{} has no generation {}", folder_, to_string(name)));
  }
  auto file = File::open(path_of(name) + "/" + manifest_name(info->manifest), O_RDONLY);
  if (!file) return tl::unexpected(file.error());
  const auto size = file->size();
  if (!size) return tl::unexpected(size.error());
  Sha256 hash;
  std::string window;
  for (std::uint64_t at = 0; at < *size; at += window.size()) {
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(kWindow, *size - at));
    if (auto read = file->read_at(at, length, window); !read) return read;
    hash.update(window);
  }
  if (*size != info->manifest_octets || hash.finish() != info->manifest_sha256) {
    return fail(ErrorCode::kCorrupt, file->path() + " does not match its checksum");
  }
  return {};
}

Result<const Directory*> Repository::directory(const GenerationName& name) {
  if (const auto found = directories_.find(name); found != directories_.end()) {
    return &found->second;
  }
  auto reader = manifest(name);
  if (!reader) {
    return fail(reader.error().code,
                fmt::format("generation {}: {}", to_string(name), reader.error().message));
  }
  return &directories_.emplace(name, Directory::read(**reader, *find(name))).first->second;
}

Result<const AccountSection*> Repository::section(const GenerationName& name,
                                                  std::string_view account) {
  if (section_account_ != account) {
    sections_.clear();
    section_account_ = account;
  }
  if (const auto found = sections_.find(name); found != sections_.end()) return &found->second;
  auto contents = directory(name);
  if (!contents) return tl::unexpected(contents.error());
  const auto& places = (*contents)->accounts();
  const auto place = std::lower_bound(
      places.begin(), places.end(), account,
      [](const AccountPlace& one, std::string_view wanted) { return one.name < wanted; });
  if (place == places.end() || place->name != account) {
    return fail(ErrorCode::kNotFound, fmt::format("generation {} has no account {}",
                                                  to_string(name), ascii::printable(account)));
  }
  auto reader = manifest(name);
  if (!reader) return tl::unexpected(reader.error());
  return &sections_.emplace(name, (*contents)->section(**reader, *place)).first->second;
}

Listed Repository::listed(const GenerationName& name, std::string_view account,
                          const ListedMailbox& mailbox) {
  Listed result;
  auto reader = manifest(name);
  if (!reader) {
    result.lost = mailbox.line.records;
    result.problems.push_back(
        fmt::format("generation {}: {}", to_string(name), reader.error().message));
    return result;
  }
  Messages& messages = result.messages;
  std::uint64_t damaged = 0;
  store::Uid after;
  const LinePlace place = message_lines(mailbox.account, mailbox.line.id);
  LineReader lines(**reader, mailbox.offset, mailbox.octets);
  while (const auto line = lines.next()) {
    auto text = checked(*line, place);
    const store::Uid uid = text ? uid_of_line(*text) : store::Uid(0);
    if (uid.value() == 0 || (!messages.empty() && uid <= messages.back().first)) {
      if (damaged++ == 0 && !messages.empty()) after = messages.back().first;
      continue;
    }
    messages.emplace_back(uid, *std::move(text));
  }
  const std::uint64_t records = mailbox.line.records;
  if (damaged == 0 && messages.size() == records) return result;
  result.lost = records - std::min<std::uint64_t>(records, messages.size());
  result.problems.push_back(
      fmt::format("{}: the list of its messages is damaged after UID {}: {} of {} are lost",
                  place_text(name, account, mailbox.line.name),
                  damaged > 0 || messages.empty() ? after.value() : messages.back().first.value(),
                  result.lost, records));
  return result;
}

// Ends: what a generation builds on is an earlier one.
Listed Repository::resolve(const GenerationName& name, std::string_view account,
                           std::string_view guid, store::UidValidity uid_validity) {
  auto found_section = section(name, account);
  Listed nothing;
  if (!found_section) {
    nothing.problems.push_back(found_section.error().message);
    return nothing;
  }
  const ListedMailbox* found = (*found_section)->find(guid, uid_validity);
  if (found == nullptr) {
    nothing.problems.push_back(
        fmt::format("generation {}, {}: lacks a mailbox that a later generation builds on",
                    to_string(name), ascii::printable(account)));
    return nothing;
  }
  const ListedMailbox mailbox = *found;
  const std::uint64_t expected = mailbox.line.messages;
  Listed result = mailbox.line.listing == Listing::kFull ? listed(name, account, mailbox)
                                                         : merge_into_base(name, account, mailbox);
  const std::uint64_t have = result.messages.size();
  result.lost = expected - std::min(expected, have);
  if (have != expected && result.problems.empty()) {
    result.problems.push_back(fmt::format("{}: {} messages are listed, {} should be",
                                          place_text(name, account, mailbox.line.name), have,
                                          expected));
  }
  return result;
}

Listed Repository::merge_into_base(const GenerationName& name, std::string_view account,
                                   const ListedMailbox& mailbox) {
  const MailboxLine& line = mailbox.line;
  Listed base;
  if (*line.base < name) {
    base = resolve(*line.base, account, line.guid, line.uid_validity);
  } else {
    base.problems.push_back(
        fmt::format("{}: builds on a later generation", place_text(name, account, line.name)));
  }
  if (line.listing == Listing::kSame) return base;
  Listed own = listed(name, account, mailbox);
  own.messages = merged(std::move(base.messages), std::move(own.messages), line.gone);
  own.problems.insert(own.problems.end(), base.problems.begin(), base.problems.end());
  return own;
}

Listed Repository::messages(const GenerationName& name, std::string_view account,
                            const MailboxLine& mailbox) {
  return resolve(name, account, mailbox.guid, mailbox.uid_validity);
}

}  // namespace twinpost::tools::backup
