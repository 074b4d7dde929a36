// Reading a Maildir: which folders there are, what a folder's lists say of its files, and the files.
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <fmt/format.h>
#include <unistd.h>
#include <unordered_map>

#include "core/base/ascii.h"
#include "store/names.h"
#include "tools/twinpost/transfer/maildir.h"
#include "tools/twinpost/transfer/maildir_control.h"
#include "tools/twinpost/transfer/maildir_files.h"
#include "tools/twinpost/transfer/maildir_names.h"
#include "tools/twinpost/transfer/maildir_octets.h"
#include "tools/twinpost/transfer/maildir_scan.h"
#include "tools/twinpost/transfer/maildir_uidlist.h"

namespace twinpost::tools {

namespace {

constexpr std::int64_t kLatestDate =
    253'402'300'799;  // the year 9999's end: IMAP's dates have four digits
constexpr std::uint64_t kLargestMessage = std::uint64_t{1}
                                          << 30;  // held in memory, where no limit is set

// Everything a folder keeps beside its messages.
struct FolderLists {
  UidList uids;
  bool dovecot = false;
  bool courier = false;
  KeywordLetters letters;
  std::map<std::string, std::vector<std::string>> courier_keywords;
  std::optional<std::map<std::string, std::string>> courier_uidls;
};

Result<FolderLists> read_lists(int folder) {
  FolderLists lists;
  auto file = open_file(folder, "dovecot-uidlist");
  lists.dovecot = file.has_value();
  if (!file) {
    file = open_file(folder, "courierimapuiddb");
    lists.courier = file.has_value();
  }
  if (file) {
    auto read = read_uidlist(file->get());
    if (!read) return tl::unexpected(read.error());
    lists.uids = *std::move(read);
  }
  lists.letters = read_dovecot_keywords(folder);
  lists.courier_keywords = read_courier_keywords(folder);
  lists.courier_uidls = read_courier_uidls(folder);
  return lists;
}

class MaildirSource final : public MailSource {
 public:
  MaildirSource(std::string path, Descriptor root, MaildirOptions options)
      : path_(std::move(path)), root_(std::move(root)), options_(std::move(options)) {}

  [[nodiscard]] std::string description() const override { return "Maildir " + path_; }
  [[nodiscard]] Result<std::vector<MailFolder>> folders() override;
  [[nodiscard]] Result<std::vector<MailItem>> items(const MailFolder& folder) override;
  [[nodiscard]] Result<std::string> read(const MailFolder& folder, const MailItem& item,
                                         std::span<const MailItem> next) override;
  [[nodiscard]] std::vector<std::string> take_notes() override { return std::exchange(notes_, {}); }

 private:
  [[nodiscard]] MailItem make_item(const MailFolder& folder, const FolderLists& lists,
                                   const MaildirEntry& entry, const UidListRecord* record) const;
  [[nodiscard]] std::string uidl_of(const MailFolder& folder, const FolderLists& lists,
                                    const MaildirEntry& entry, const UidListRecord* record) const;
  [[nodiscard]] Result<Descriptor> open_again(const MailFolder& folder, const MailItem& item);
  [[nodiscard]] Result<std::string> read_open(const Descriptor& file) const;

  std::string path_;
  Descriptor root_;
  MaildirOptions options_;
  std::vector<std::string> notes_;
  // Where the files of a folder are now, looked up when one is not where it was.
  std::string moved_in_;
  std::chrono::steady_clock::time_point moved_seen_;
  std::unordered_map<std::string, std::string> moved_;
};

Result<std::vector<MailFolder>> MaildirSource::folders() {
  auto found = find_maildirs(root_.get(), options_, notes_);
  if (!found) return tl::unexpected(found.error());
  const std::set<std::string> subscribed = read_subscriptions(root_.get(), options_);
  std::vector<MailFolder> folders;
  for (FoundMaildir& maildir : *found) {
    MailFolder folder;
    folder.name = std::move(maildir.mailbox);
    folder.native_name = std::move(maildir.native_name);
    folder.subscribed =
        subscribed.contains(folder.name) || subscribed.contains(maildir.listed_name);
    // The list may hold one more message later; who needs this needs it at least.
    auto opened = open_maildir_folder(root_.get(), folder.native_name);
    if (!opened) continue;
    if (auto lists = read_lists(opened->get())) {
      folder.uid_validity = lists->uids.uid_validity;
      folder.uid_next = lists->uids.uid_next;
      folder.mailbox_guid = lists->uids.guid;
    }
    folders.push_back(std::move(folder));
  }
  settle_names(folders, notes_);
  set_special_uses(folders);
  return folders;
}

Result<std::vector<MailItem>> MaildirSource::items(const MailFolder& folder) {
  auto opened = open_maildir_folder(root_.get(), folder.native_name);
  if (!opened) return tl::unexpected(opened.error());
  auto lists = read_lists(opened->get());
  if (!lists) return tl::unexpected(lists.error());
  auto scan = scan_maildir(opened->get());
  if (!scan) return tl::unexpected(scan.error());
  if (lists->uids.bad_lines > 0) {
    notes_.push_back(
        fmt::format("{}: {} lines of its list of UIDs can't be right; those messages "
                    "get new UIDs",
                    folder.name, lists->uids.bad_lines));
  }
  if (scan->odd_entries > 0) {
    notes_.push_back(
        fmt::format("{}: {} entries of cur/ and new/ are no plain files (links, "
                    "folders): passed over",
                    folder.name, scan->odd_entries));
  }
  std::vector<MailItem> items;
  items.reserve(scan->entries.size());
  std::set<const UidListRecord*> taken;
  std::set<store::ImportKey> keys;
  for (const MaildirEntry& entry : scan->entries) {
    const UidListRecord* record = lists->uids.find(lasting_name(entry.base));
    if (record != nullptr && !taken.insert(record).second) record = nullptr;
    MailItem item = make_item(folder, *lists, entry, record);
    // Two files that differ in their sizes' hints only are two messages.
    item.key = import_key({"maildir", folder.native_name, lasting_name(entry.base)});
    if (!keys.insert(*item.key).second) {
      item.key = import_key({"maildir", folder.native_name, entry.base});
    }
    items.push_back(std::move(item));
  }
  // Entries come in the order of their arrival, which those without a UID keep.
  std::stable_sort(items.begin(), items.end(), [](const MailItem& left, const MailItem& right) {
    return left.uid.value() - 1 < right.uid.value() - 1;  // 0, none, comes last
  });
  return items;
}

MailItem MaildirSource::make_item(const MailFolder& folder, const FolderLists& lists,
                                  const MaildirEntry& entry, const UidListRecord* record) const {
  MailItem item;
  if (record != nullptr) item.uid = record->uid;
  item.flags = flags_of(entry.letters);
  if (entry.is_new) {
    item.flags = static_cast<store::FlagBits>(item.flags & ~store::bit(store::Flag::kSeen));
  }
  if (entry.letters.find('P') != std::string::npos) item.keywords.emplace_back("$Forwarded");
  const auto add = [&item](const std::string& keyword) {
    if (keyword.empty() ||
        std::find(item.keywords.begin(), item.keywords.end(), keyword) != item.keywords.end()) {
      return;
    }
    item.keywords.push_back(keyword);
  };
  for (const char letter : entry.letters) {
    if (letter >= 'a' && letter <= 'z') add(lists.letters[static_cast<std::size_t>(letter - 'a')]);
  }
  const auto courier = lists.courier_keywords.find(std::string(lasting_name(entry.base)));
  if (courier != lists.courier_keywords.end()) {
    for (const std::string& keyword : courier->second) add(keyword);
  }
  item.date.time =
      UnixTime(std::chrono::seconds(std::clamp<std::int64_t>(entry.mtime, 0, kLatestDate)));
  item.size = entry.size;
  item.uidl = uidl_of(folder, lists, entry, record);
  item.native_name = entry.path;
  return item;
}

std::string MaildirSource::uidl_of(const MailFolder& folder, const FolderLists& lists,
                                   const MaildirEntry& entry, const UidListRecord* record) const {
  // POP3 shows the inbox alone.
  if (folder.native_name != kRootMaildir && folder.name != store::kInbox && !options_.uidl_all) {
    return {};
  }
  const UidlFormat& format = options_.uidl_format;
  if (format.kind() == UidlFormat::Kind::kNone) return {};
  if (record != nullptr && record->uidl) {
    return record->uidl->empty() ? entry.base : *record->uidl;
  }
  const bool detect = format.kind() == UidlFormat::Kind::kDetect;
  if (format.kind() == UidlFormat::Kind::kDovecot || (detect && lists.dovecot)) {
    UidlParts parts;
    parts.base_name = entry.base;
    parts.guid = record != nullptr && !record->guid.empty() ? record->guid : entry.base;
    if (record != nullptr) parts.uid = record->uid;
    parts.uid_validity = lists.uids.uid_validity;
    static const UidlFormat kDefault = UidlFormat::dovecot_default();
    return (detect ? kDefault : format).format(parts);
  }
  if (lists.courier_uidls) {
    const auto found = lists.courier_uidls->find(std::string(lasting_name(entry.base)));
    if (found != lists.courier_uidls->end()) return found->second;
  }
  return format.kind() == UidlFormat::Kind::kCourier ? courier_uidl(entry.base) : std::string();
}

Result<std::string> MaildirSource::read(const MailFolder& folder, const MailItem& item,
                                        std::span<const MailItem>) {
  auto opened = open_maildir_folder(root_.get(), folder.native_name);
  if (!opened) return tl::unexpected(opened.error());
  auto file = open_entry(opened->get(), item.native_name);
  if (!file && file.error().code == ErrorCode::kNotFound) file = open_again(folder, item);
  if (!file) return tl::unexpected(file.error());
  return read_open(*file);
}

// It has other flags now, and with them another name.
Result<Descriptor> MaildirSource::open_again(const MailFolder& folder, const MailItem& item) {
  auto opened = open_maildir_folder(root_.get(), folder.native_name);
  if (!opened) return tl::unexpected(opened.error());
  const auto now = std::chrono::steady_clock::now();
  // Not for each of many that were removed: a large folder takes a while to look through.
  if (moved_in_ != folder.native_name || now - moved_seen_ > std::chrono::seconds(5)) {
    auto scan = scan_maildir(opened->get());
    if (!scan) return tl::unexpected(scan.error());
    moved_.clear();
    for (const MaildirEntry& entry : scan->entries) {
      moved_.emplace(lasting_name(entry.base), entry.path);
    }
    moved_in_ = folder.native_name;
    moved_seen_ = std::chrono::steady_clock::now();
  }
  const std::string_view name = std::string_view(item.native_name).substr(4);  // behind "cur/"
  const auto found = moved_.find(std::string(lasting_name(parse_file_name(name).base)));
  if (found == moved_.end()) {
    return fail(ErrorCode::kNotFound, item.native_name + ": gone meanwhile");
  }
  return open_entry(opened->get(), found->second);
}

Result<std::string> MaildirSource::read_open(const Descriptor& file) const {
  const std::uint64_t limit =
      options_.message_limit == 0 ? kLargestMessage : options_.message_limit;
  const auto too_large = [limit] {
    return fail(ErrorCode::kTooLarge,
                fmt::format("larger than the {} octets of limits.message_size", limit));
  };
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return tl::unexpected(system_error("reading", errno));
  if (static_cast<std::uint64_t>(status.st_size) > limit) return too_large();
  std::string octets;
  octets.reserve(static_cast<std::size_t>(status.st_size + status.st_size / 32) + 2);
  std::array<char, 64 * 1024> piece{};
  char last = 0;
  while (true) {
    const ssize_t count = ::read(file.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return fail(ErrorCode::kCorrupt, system_error("can't be read", errno).message);
    }
    if (count == 0) break;
    append_crlf(octets, std::string_view(piece.data(), static_cast<std::size_t>(count)), last);
    if (octets.size() > limit) return too_large();
  }
  if (!octets.empty()) end_crlf(octets, last == 0 ? ' ' : last);
  if (octets.size() > limit) return too_large();
  return octets;
}

}  // namespace

Result<std::unique_ptr<MailSource>> open_maildir(const std::string& folder,
                                                 MaildirOptions options) {
  if (options.uidl_format.uses('m')) {
    return fail(ErrorCode::kInvalid, "UIDL format: %m is of an mbox only, a Maildir has none");
  }
  auto root = open_folder(kHere, folder);
  if (!root) return tl::unexpected(root.error());
  std::vector<std::string> ignored;
  auto found = find_maildirs(root->get(), options, ignored);
  if (!found) return fail(found.error().code, folder + ": " + found.error().message);
  if (found->empty()) {
    return fail(ErrorCode::kNotFound,
                folder + ": no Maildir (it has no cur/ or new/, nor folders that do)");
  }
  return std::make_unique<MaildirSource>(folder, *std::move(root), std::move(options));
}

}  // namespace twinpost::tools
