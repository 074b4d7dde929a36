// Writing a Maildir as Dovecot keeps it.
//
// A message's file is called
//   <INTERNALDATE>.U<UID>P<UIDVALIDITY>.twinpost,S=<size>,W=<size with CRLF>:2,<flags>
// (where there is no UID: K<import key>, or H<digest of the octets>N<how many of them before>), so that another run knows what is
// there. Messages are written to tmp/; when a batch of them is on the disk, they move to cur/ together: what is
// in cur/ is whole, whatever happens. dovecot-uidlist comes last.
#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <map>
#include <set>
#include <unistd.h>
#include <unordered_map>

#include "core/base/ascii.h"
#include "core/base/encoding.h"
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

constexpr std::size_t kBatchMessages = 500;
constexpr std::uint64_t kBatchOctets = 64ULL * 1024 * 1024;

std::string digest_text(std::string_view octets) {
  return hex_encode(std::string_view(reinterpret_cast<const char*>(octets.data()), octets.size()));
}

// What names the message, behind the time: see above. Empty where only the octets can.
std::string identity_of(const MailFolder& folder, const MailItem& item) {
  if (item.uid.value() != 0) {
    return fmt::format("U{}P{}", item.uid.value(), folder.uid_validity.value());
  }
  if (!item.key) return {};
  return "K" + digest_text({reinterpret_cast<const char*>(item.key->data()), item.key->size()});
}

std::string lasting_file_name(const MailItem& item, const std::string& identity) {
  const auto time = std::max<std::int64_t>(0, item.date.time.time_since_epoch().count());
  return fmt::format("{}.{}.twinpost", time, identity);
}

// The folder that is being written.
struct OpenFolder {
  Descriptor folder;
  Descriptor cur;
  Descriptor tmp;
  std::unordered_map<std::string, std::string> files;  // lasting name -> "cur/..." or "new/..."
  UidList old_list;
  std::map<store::Uid, UidListRecord> records;
  KeywordLetters letters;
  std::map<std::string, std::uint64_t> no_letter;    // keyword -> messages that go without it
  std::map<std::string, std::uint64_t> same_octets;  // of messages without any identity
  struct Pending {
    std::string temporary;
    std::string name;
  };
  std::vector<Pending> pending;
  std::uint64_t pending_octets = 0;
  std::uint64_t hidden = 0;
  std::uint64_t odd_uidls = 0;
};

class MaildirSink final : public MailSink {
 public:
  MaildirSink(std::string path, Descriptor root, MaildirOptions options)
      : path_(std::move(path)), root_(std::move(root)), options_(std::move(options)) {}

  [[nodiscard]] std::string description() const override { return "Maildir " + path_; }
  [[nodiscard]] Result<void> begin(const std::vector<MailFolder>& folders) override;
  [[nodiscard]] Result<std::vector<bool>> wants(const MailFolder& folder,
                                                std::span<const MailItem> items) override;
  [[nodiscard]] Result<void> put(const MailFolder& folder, const MailItem& item,
                                 std::string octets) override;
  [[nodiscard]] Result<void> finish_folder(const MailFolder& folder) override;
  [[nodiscard]] Result<void> finish() override;
  [[nodiscard]] std::vector<std::string> take_notes() override { return std::exchange(notes_, {}); }
  [[nodiscard]] std::uint64_t stored() const override { return stored_; }

 private:
  [[nodiscard]] Result<void> open(const MailFolder& folder);
  [[nodiscard]] std::string letters_for(const MailItem& item);
  void record(const MailItem& item, std::string file);
  [[nodiscard]] Result<void> settle_flags(const MailItem& item, std::string& file);
  [[nodiscard]] Result<void> flush();
  [[nodiscard]] Result<void> write_lists(const MailFolder& folder);
  void tell(const MailFolder& folder);

  std::string path_;
  Descriptor root_;
  MaildirOptions options_;
  std::set<std::string> subscribed_;
  std::string open_name_;
  OpenFolder open_;
  std::uint64_t stored_ = 0;
  std::vector<std::string> notes_;
};

std::string disk_name(const MailFolder& folder, const MaildirOptions& options) {
  return folder.name == store::kInbox ? std::string(kRootMaildir)
                                      : folder_name(folder.name, options).name;
}

Result<void> MaildirSink::begin(const std::vector<MailFolder>& folders) {
  for (const MailFolder& folder : folders) {
    if (!folder.selectable) continue;
    if (auto named = store::check_name(folder.name); !named) return named;
    const std::string name = disk_name(folder, options_);
    auto made = make_folder(root_.get(), name);
    if (!made) return tl::unexpected(made.error());
    for (const char* part : {"cur", "new", "tmp"}) {
      if (auto below = make_folder(made->get(), part); !below) {
        return tl::unexpected(below.error());
      }
    }
    if (name != kRootMaildir) {
      // Courier's mark of a folder that is not the whole Maildir.
      if (auto marked = replace_file(made->get(), "maildirfolder", ""); !marked) return marked;
      if (!folder_name(folder.name, options_).exact) {
        if (auto marked = replace_file(made->get(), kTrueName, folder.name + "\n"); !marked) {
          return marked;
        }
        notes_.push_back(fmt::format("{}: a Maildir can't have a folder of that name, it is {}",
                                     folder.name, name));
      }
    }
    if (folder.subscribed) {
      subscribed_.insert(name == kRootMaildir || !folder_name(folder.name, options_).exact
                             ? mailbox_from_disk(name == kRootMaildir
                                                     ? store::kInbox
                                                     : std::string_view(name).substr(1),
                                                 options_)
                             : folder.name);
    }
  }
  return sync(root_.get(), path_);
}

Result<void> MaildirSink::open(const MailFolder& folder) {
  if (open_name_ == folder.name) return {};
  open_ = OpenFolder();
  open_name_.clear();
  auto opened = open_folder(root_.get(), disk_name(folder, options_));
  if (!opened) return tl::unexpected(opened.error());
  open_.folder = *std::move(opened);
  for (auto [descriptor, name] : {std::pair(&open_.cur, "cur"), std::pair(&open_.tmp, "tmp")}) {
    auto part = open_folder(open_.folder.get(), name);
    if (!part) return tl::unexpected(part.error());
    *descriptor = *std::move(part);
  }
  auto scan = scan_maildir(open_.folder.get());
  if (!scan) return tl::unexpected(scan.error());
  for (const MaildirEntry& entry : scan->entries) {
    open_.files.emplace(lasting_name(entry.base), entry.path);
  }
  if (const auto list = open_file(open_.folder.get(), "dovecot-uidlist")) {
    auto read = read_uidlist(list->get());
    if (!read) return tl::unexpected(read.error());
    open_.old_list = *std::move(read);
  }
  const auto there = open_.old_list.uid_validity;
  if (there.value() != 0 && folder.uid_validity.value() != 0 && there != folder.uid_validity) {
    return fail(ErrorCode::kExists,
                fmt::format("{}: {} there is another mailbox (UIDVALIDITY {} instead of {}): give "
                            "a folder that is new, or one of an earlier export of this account",
                            path_, folder.name, there.value(), folder.uid_validity.value()));
  }
  open_.letters = read_dovecot_keywords(open_.folder.get());
  open_name_ = folder.name;
  return {};
}

std::string MaildirSink::letters_for(const MailItem& item) {
  std::string letters = letters_of(item.flags);
  std::string small;
  for (const std::string& keyword : item.keywords) {
    auto place = std::find(open_.letters.begin(), open_.letters.end(), keyword);
    if (place == open_.letters.end()) {
      place = std::find(open_.letters.begin(), open_.letters.end(), std::string());
    }
    if (place == open_.letters.end()) {
      ++open_.no_letter[keyword];
      continue;
    }
    *place = keyword;
    small += static_cast<char>('a' + (place - open_.letters.begin()));
  }
  std::sort(small.begin(), small.end());
  return letters + small;
}

void MaildirSink::record(const MailItem& item, std::string file) {
  if (item.pop3_hidden) ++open_.hidden;
  if (item.uid.value() == 0) return;
  UidListRecord record;
  record.uid = item.uid;
  if (is_usable_uidl(item.uidl)) record.uidl = item.uidl;
  if (!item.uidl.empty() && !record.uidl) ++open_.odd_uidls;
  record.file = std::move(file);
  open_.records[item.uid] = std::move(record);
}

// A message that is there already gets the flags that it has now.
Result<void> MaildirSink::settle_flags(const MailItem& item, std::string& file) {
  const std::string_view old_name = std::string_view(file).substr(4);
  const std::string name =
      fmt::format("{}:2,{}", parse_file_name(old_name).base, letters_for(item));
  const std::string wanted = "cur/" + name;
  if (file != wanted) {
    if (::renameat(open_.folder.get(), file.c_str(), open_.folder.get(), wanted.c_str()) != 0) {
      return tl::unexpected(system_error(file, errno));
    }
    file = wanted;
  }
  record(item, name);
  return {};
}

Result<std::vector<bool>> MaildirSink::wants(const MailFolder& folder,
                                             std::span<const MailItem> items) {
  if (auto opened = open(folder); !opened) return tl::unexpected(opened.error());
  std::vector<bool> wanted;
  wanted.reserve(items.size());
  for (const MailItem& item : items) {
    const std::string identity = identity_of(folder, item);
    const auto found =
        identity.empty() ? open_.files.end() : open_.files.find(lasting_file_name(item, identity));
    wanted.push_back(found == open_.files.end());
    if (found == open_.files.end()) continue;
    if (auto settled = settle_flags(item, found->second); !settled) {
      return tl::unexpected(settled.error());
    }
  }
  return wanted;
}

Result<void> MaildirSink::put(const MailFolder& folder, const MailItem& item, std::string octets) {
  if (auto opened = open(folder); !opened) return opened;
  std::string identity = identity_of(folder, item);
  if (identity.empty()) {
    Sha256 sha;
    sha.update(octets);
    const Sha256Digest digest = sha.finish();
    const std::string hex =
        digest_text({reinterpret_cast<const char*>(digest.data()), digest.size() / 2});
    identity = fmt::format("H{}N{}", hex, open_.same_octets[hex]++);
    if (open_.files.contains(lasting_file_name(item, identity))) return {};
  }
  const std::string text = to_lf(octets);
  const std::string temporary = lasting_file_name(item, identity);
  const std::string name =
      fmt::format("{},S={},W={}:2,{}", temporary, text.size(), octets.size(), letters_for(item));
  ::unlinkat(open_.tmp.get(), temporary.c_str(), 0);
  const Descriptor file(::openat(open_.tmp.get(), temporary.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0) return tl::unexpected(system_error(path_, errno));
  if (auto written = write_all(file.get(), text, path_); !written) return written;
  const std::array<timespec, 2> times{
      timespec{0, UTIME_OMIT},
      timespec{static_cast<time_t>(item.date.time.time_since_epoch().count()), 0}};
  if (::futimens(file.get(), times.data()) != 0) {
    return tl::unexpected(system_error(path_, errno));
  }
  record(item, name);
  open_.pending.push_back({temporary, name});
  open_.pending_octets += text.size();
  const bool full = open_.pending.size() >= kBatchMessages || open_.pending_octets >= kBatchOctets;
  return full ? flush() : Result<void>{};
}

Result<void> MaildirSink::flush() {
  if (open_.pending.empty()) return {};
  if (::syncfs(open_.tmp.get()) != 0) return tl::unexpected(system_error(path_, errno));
  for (const OpenFolder::Pending& pending : open_.pending) {
    if (::renameat(open_.tmp.get(), pending.temporary.c_str(), open_.cur.get(),
                   pending.name.c_str()) != 0) {
      return tl::unexpected(system_error(path_ + ": " + pending.name, errno));
    }
    open_.files[pending.temporary] = "cur/" + pending.name;
    ++stored_;
  }
  open_.pending.clear();
  open_.pending_octets = 0;
  return sync(open_.cur.get(), path_);
}

Result<void> MaildirSink::write_lists(const MailFolder& folder) {
  const int fd = open_.folder.get();
  if (auto written = replace_file(fd, "dovecot-keywords", dovecot_keywords(open_.letters));
      !written) {
    return written;
  }
  if (folder.uid_validity.value() == 0) return {};
  // Files of an earlier export whose messages have gone from the mailbox since keep their UIDs.
  UidList list;
  list.uid_validity = folder.uid_validity;
  list.guid = folder.mailbox_guid.size() == 32 && hex_decode(folder.mailbox_guid)
                  ? folder.mailbox_guid
                  : open_.old_list.guid;
  list.uid_next = std::max(folder.uid_next, open_.old_list.uid_next);
  for (const UidListRecord& old : open_.old_list.records) {
    const bool is_there = open_.files.contains(std::string(lasting_name(old.file)));
    if (is_there && old.uid.value() != 0) open_.records.try_emplace(old.uid, old);
  }
  for (const auto& [uid, record] : open_.records) {
    list.records.push_back(record);
    list.uid_next = std::max(list.uid_next, uid.next());
  }
  return replace_file(fd, "dovecot-uidlist", dovecot_uidlist(list));
}

void MaildirSink::tell(const MailFolder& folder) {
  for (const auto& [keyword, messages] : open_.no_letter) {
    notes_.push_back(
        fmt::format("{}: a Maildir has room for 26 keywords; {} is left out of {} messages",
                    folder.name, ascii::printable(keyword), messages));
  }
  if (open_.hidden > 0) {
    notes_.push_back(
        fmt::format("{}: {} messages that POP3 does not show any more will be shown "
                    "by another server",
                    folder.name, open_.hidden));
  }
  if (open_.odd_uidls > 0) {
    notes_.push_back(fmt::format("{}: {} UIDLs that no list of UIDs can keep are left out",
                                 folder.name, open_.odd_uidls));
  }
}

Result<void> MaildirSink::finish_folder(const MailFolder& folder) {
  if (auto opened = open(folder); !opened) return opened;
  if (auto flushed = flush(); !flushed) return flushed;
  if (auto synced = sync(open_.cur.get(), path_); !synced) return synced;
  if (auto written = write_lists(folder); !written) return written;
  tell(folder);
  open_ = OpenFolder();
  open_name_.clear();
  return {};
}

Result<void> MaildirSink::finish() {
  for (const std::string& name : read_subscriptions(root_.get(), options_))
    subscribed_.insert(name);
  return replace_file(root_.get(), "subscriptions", dovecot_subscriptions(subscribed_, options_));
}

// Of one mailbox or more, or one that an export had only begun.
bool is_maildir(int folder, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (name == "cur" && is_folder(folder, name)) return true;
  }
  // Without INBOX there are mailboxes below it alone.
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    if (name == kLostAndFound || name.starts_with("subscriptions")) return true;
    const auto below = name.starts_with('.') ? open_folder(folder, name) : Result<Descriptor>();
    if (!below || below->get() < 0) return false;
    const auto in_it = names_in(below->get());
    return in_it && (in_it->empty() || is_folder(below->get(), "cur"));
  });
}

// An export is not to be mixed with what has nothing to do with it.
Result<void> check_place(const std::string& path) {
  const auto there = open_folder(kHere, path);
  if (!there) {
    if (there.error().code == ErrorCode::kNotFound) return {};
    return tl::unexpected(there.error());
  }
  const auto names = names_in(there->get());
  if (!names) return tl::unexpected(names.error());
  if (is_maildir(there->get(), *names)) return {};
  return fail(ErrorCode::kExists,
              path +
                  " is no Maildir and not empty: give a new folder, an empty one, or one of "
                  "an earlier export");
}

}  // namespace

Result<std::unique_ptr<MailSink>> make_maildir(const std::string& folder, MaildirOptions options) {
  options.layout = MaildirLayout::kMaildirPlusPlus;
  if (auto good = check_place(folder); !good) return tl::unexpected(good.error());
  auto root = make_folder(kHere, folder);
  if (!root) return tl::unexpected(root.error());
  return std::make_unique<MaildirSink>(folder, *std::move(root), std::move(options));
}

}  // namespace twinpost::tools
