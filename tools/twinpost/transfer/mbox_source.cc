// Reading an mbox, or a folder of them.
#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <tuple>

#include "core/base/ascii.h"
#include "store/names.h"
#include "tools/twinpost/transfer/maildir_files.h"
#include "tools/twinpost/transfer/maildir_names.h"
#include "tools/twinpost/transfer/mbox.h"
#include "tools/twinpost/transfer/mbox_fields.h"
#include "tools/twinpost/transfer/mbox_reader.h"

namespace twinpost::tools {

namespace {

constexpr std::size_t kDeepest = 50;
constexpr std::uint64_t kLargestMessage = std::uint64_t{1}
                                          << 30;  // held in memory, where no limit is set

// The files that keep company with mboxes.
bool is_candidate(const std::string& name) {
  for (const std::string_view ending : {".part", ".lock", ".msf", ".dat"}) {
    if (name.ends_with(ending)) return false;
  }
  return name.front() != '.';
}

class MboxSource final : public MailSource {
 public:
  // `folder` is open where the path is a folder, else the file is.
  MboxSource(std::string path, Descriptor opened, bool is_folder, MboxOptions options)
      : path_(std::move(path)),
        root_(std::move(opened)),
        is_folder_(is_folder),
        options_(std::move(options)) {}

  [[nodiscard]] std::string description() const override { return "mbox " + path_; }
  [[nodiscard]] Result<std::vector<MailFolder>> folders() override;
  [[nodiscard]] Result<std::vector<MailItem>> items(const MailFolder& folder) override;
  [[nodiscard]] Result<std::string> read(const MailFolder& folder, const MailItem& item,
                                         std::span<const MailItem> next) override;
  [[nodiscard]] std::vector<std::string> take_notes() override { return std::exchange(notes_, {}); }

 private:
  [[nodiscard]] Result<void> find(int folder, const std::string& above, const std::string& level,
                                  std::size_t depth, std::vector<MailFolder>& found);
  void add_file(const Descriptor& file, std::string name, std::string native_name,
                std::vector<MailFolder>& found);
  [[nodiscard]] Result<void> open(const MailFolder& folder);
  [[nodiscard]] std::string uidl_of(const MailFolder& folder, const MboxMessage& message,
                                    store::Uid uid) const;

  std::string path_;
  Descriptor root_;
  bool is_folder_;
  MboxOptions options_;
  std::vector<std::string> notes_;
  // The mbox that is being read.
  std::string open_name_;
  Descriptor file_;
  std::optional<MboxReader> reader_;
};

// Its first message says what IMAP knew; one without any is no mbox.
void MboxSource::add_file(const Descriptor& file, std::string name, std::string native_name,
                          std::vector<MailFolder>& found) {
  MboxReader reader(file.get(), options_.unescape);
  auto first = reader.next(nullptr, 0);
  if (!first || !store::check_name(name)) {
    notes_.push_back(fmt::format("{}: passed over: {}", ascii::printable(native_name),
                                 first ? "no name for a mailbox" : first.error().message));
    return;
  }
  MailFolder folder;
  folder.name = std::move(name);
  folder.native_name = std::move(native_name);
  if (*first && (*first)->fields.base) {
    const MboxFields::Base& base = *(*first)->fields.base;
    folder.uid_validity = store::UidValidity(base.uid_validity);
    if (base.last_uid < ~std::uint32_t{0}) folder.uid_next = store::Uid(base.last_uid).next();
  }
  // An mbox can't say. These would be made, and subscribed, at the account's first login.
  folder.subscribed = special_use_of(folder.name) != store::SpecialUse::kNone;
  found.push_back(std::move(folder));
}

Result<void> MboxSource::find(int folder, const std::string& above, const std::string& level,
                              std::size_t depth, std::vector<MailFolder>& found) {
  auto names = names_in(folder);
  if (!names) return tl::unexpected(names.error());
  std::sort(names->begin(), names->end());
  for (const std::string& name : *names) {
    if (!is_candidate(name)) continue;
    if (found.size() >= store::kMostMailboxes) {
      return fail(ErrorCode::kLimit, fmt::format("more than the {} files that an account can have",
                                                 store::kMostMailboxes));
    }
    if (auto below = open_folder(folder, name)) {
      if (depth >= kDeepest) continue;
      const bool thunderbird = name.size() > 4 && name.ends_with(".sbd");
      const std::string plain = thunderbird ? name.substr(0, name.size() - 4) : name;
      auto done = find(below->get(), above + name + "/", level + mailbox_of_file(plain) + "/",
                       depth + 1, found);
      if (!done) return done;
      continue;
    }
    auto file = open_file(folder, name);
    if (file) {
      add_file(*file, store::canonical_name(level + mailbox_of_file(name)), above + name, found);
      continue;
    }
    notes_.push_back(
        fmt::format("{}: passed over: {}", ascii::printable(above + name), file.error().message));
  }
  return {};
}

Result<std::vector<MailFolder>> MboxSource::folders() {
  std::vector<MailFolder> found;
  if (!is_folder_) {
    add_file(root_, options_.mailbox, options_.mailbox, found);
    return found;
  }
  if (auto done = find(root_.get(), "", "", 1, found); !done) return tl::unexpected(done.error());
  settle_names(found, notes_);
  set_special_uses(found);
  return found;
}

Result<void> MboxSource::open(const MailFolder& folder) {
  if (open_name_ == folder.native_name && reader_) return {};
  reader_.reset();
  file_.close();
  if (!is_folder_) {
    reader_.emplace(root_.get(), options_.unescape);
  } else {
    auto place = open_folder(root_.get(), ".");
    std::string_view rest = folder.native_name;
    while (place && rest.find('/') != std::string_view::npos) {
      auto below = open_folder(place->get(), std::string(rest.substr(0, rest.find('/'))));
      place = std::move(below);
      rest.remove_prefix(rest.find('/') + 1);
    }
    if (!place) return tl::unexpected(place.error());
    auto file = open_file(place->get(), std::string(rest));
    if (!file) return tl::unexpected(file.error());
    file_ = *std::move(file);
    reader_.emplace(file_.get(), options_.unescape);
  }
  open_name_ = folder.native_name;
  return {};
}

std::string MboxSource::uidl_of(const MailFolder& folder, const MboxMessage& message,
                                store::Uid uid) const {
  const UidlFormat& format = options_.uidl_format;
  if (folder.name != store::kInbox && !options_.uidl_all) return {};
  if (format.kind() == UidlFormat::Kind::kNone) return {};
  if (format.kind() != UidlFormat::Kind::kDovecot) return message.fields.uidl;
  UidlParts parts;
  parts.uid = uid;
  parts.uid_validity = folder.uid_validity;
  parts.header_md5 = message.fields.header_md5;
  return format.format(parts);
}

Result<std::vector<MailItem>> MboxSource::items(const MailFolder& folder) {
  open_name_.clear();  // a file that was replaced is opened anew
  if (auto opened = open(folder); !opened) return tl::unexpected(opened.error());
  reader_->seek(0);
  std::vector<MailItem> items;
  std::map<Sha256Digest, std::uint64_t> before;  // how many of the same octets
  // As IMAP servers read them: UIDs ascend, and up to the last one that the first message tells of.
  std::uint32_t last_uid = 0;
  bool uids_hold = folder.uid_validity.value() != 0;
  while (true) {
    auto next = reader_->next(nullptr, 0);
    if (!next) return tl::unexpected(next.error());
    if (!*next) return items;
    const MboxMessage& message = **next;
    if (message.is_pseudo) continue;
    MailItem item;
    uids_hold =
        uids_hold && message.fields.uid > last_uid && message.fields.uid < folder.uid_next.value();
    if (uids_hold) {
      last_uid = message.fields.uid;
      item.uid = store::Uid(last_uid);
    }
    item.flags = message.fields.flags;
    item.keywords = message.fields.keywords;
    item.date = message.date;
    item.size = message.size;
    item.uidl = uidl_of(folder, message, item.uid);
    const std::string_view digest(reinterpret_cast<const char*>(message.digest.data()),
                                  message.digest.size());
    item.key =
        import_key({"mbox", folder.native_name, digest, std::to_string(before[message.digest]++)});
    item.native_name = fmt::format("at octet {} {}", message.begin, hex_encode(digest));
    items.push_back(std::move(item));
  }
}

Result<std::string> MboxSource::read(const MailFolder& folder, const MailItem& item,
                                     std::span<const MailItem>) {
  if (auto opened = open(folder); !opened) return tl::unexpected(opened.error());
  const std::uint64_t limit =
      options_.message_limit == 0 ? kLargestMessage : options_.message_limit;
  if (item.size > limit) {
    return fail(ErrorCode::kTooLarge,
                fmt::format("{} octets, limits.message_size allows {}", item.size, limit));
  }
  constexpr std::string_view kAt = "at octet ";
  std::string_view place = std::string_view(item.native_name).substr(kAt.size());
  const auto begin = ascii::parse_number<std::uint64_t>(place.substr(0, place.find(' ')));
  place.remove_prefix(place.find(' ') + 1);
  if (!begin) return fail(ErrorCode::kInternal, item.native_name + ": no place in an mbox");
  if (reader_->offset() != *begin) reader_->seek(*begin);
  std::string octets;
  octets.reserve(static_cast<std::size_t>(item.size));
  auto message = reader_->next(&octets, limit);
  const auto digest_of = [](const MboxMessage& read) {
    return hex_encode({reinterpret_cast<const char*>(read.digest.data()), read.digest.size()});
  };
  if (!message || !*message || digest_of(**message) != place) {
    return fail(ErrorCode::kCorrupt, "the mbox was changed meanwhile: run this again");
  }
  return octets;
}

}  // namespace

Result<std::unique_ptr<MailSource>> open_mbox(const std::string& path, MboxOptions options) {
  const UidlFormat& format = options.uidl_format;
  if (format.kind() == UidlFormat::Kind::kCourier || format.uses('f') || format.uses('g')) {
    return fail(ErrorCode::kInvalid,
                "UIDL format: an mbox has no file names or GUIDs to make UIDLs of");
  }
  auto folder = open_folder(kHere, path);
  const bool is_folder = folder.has_value();
  if (!folder) folder = open_file(kHere, path);
  if (!folder) return tl::unexpected(folder.error());
  if (!is_folder) {
    MboxReader reader(folder->get(), options.unescape);
    if (auto first = reader.next(nullptr, 0); !first) {
      return fail(first.error().code, path + ": " + first.error().message);
    }
    if (auto named = store::check_name(options.mailbox); !named) {
      return tl::unexpected(named.error());
    }
    options.mailbox = store::canonical_name(options.mailbox);
  }
  return std::make_unique<MboxSource>(path, *std::move(folder), is_folder, std::move(options));
}

}  // namespace twinpost::tools
