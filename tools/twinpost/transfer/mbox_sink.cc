// Writing mboxes (mboxrd). See mbox.h.
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <set>
#include <unistd.h>

#include "core/mail/header.h"
#include "tools/twinpost/transfer/maildir_files.h"
#include "tools/twinpost/transfer/maildir_octets.h"
#include "tools/twinpost/transfer/mbox.h"
#include "tools/twinpost/transfer/mbox_fields.h"
#include "tools/twinpost/transfer/mbox_reader.h"

namespace twinpost::tools {

namespace {

class MboxSink final : public MailSink {
 public:
  MboxSink(std::string path, Descriptor root) : path_(std::move(path)), root_(std::move(root)) {}

  [[nodiscard]] std::string description() const override { return "mbox " + path_; }
  [[nodiscard]] Result<void> begin(const std::vector<MailFolder>& folders) override;
  [[nodiscard]] Result<std::vector<bool>> wants(const MailFolder& folder,
                                                std::span<const MailItem> items) override;
  [[nodiscard]] Result<void> put(const MailFolder& folder, const MailItem& item,
                                 std::string octets) override;
  [[nodiscard]] Result<void> finish_folder(const MailFolder& folder) override;
  [[nodiscard]] Result<void> finish() override;
  [[nodiscard]] std::uint64_t stored() const override { return stored_; }
  [[nodiscard]] std::vector<std::string> take_notes() override { return std::exchange(notes_, {}); }

 private:
  [[nodiscard]] Result<void> check_file(const MailFolder& folder) const;
  [[nodiscard]] Result<void> open(const MailFolder& folder);
  [[nodiscard]] std::string part_name() const { return name_ + ".part"; }

  std::string path_;
  Descriptor root_;
  std::string open_folder_;
  std::string name_;
  Descriptor file_;
  bool is_first_ = true;
  std::set<std::string> keywords_;
  std::uint64_t hidden_ = 0;
  std::uint64_t written_ = 0;  // to the file that is open
  std::uint64_t stored_ = 0;
  std::uint64_t apart_ = 0;  // messages with fields that had to be set apart
  std::vector<std::string> notes_;
};

// A file is replaced only where an export of this very mailbox wrote it.
Result<void> MboxSink::check_file(const MailFolder& folder) const {
  const std::string name = mbox_file_name(folder.name);
  const auto file = open_file(root_.get(), name);
  if (!file) {
    if (file.error().code == ErrorCode::kNotFound) return {};
    return tl::unexpected(file.error());
  }
  MboxReader reader(file->get(), true);
  const auto first = reader.next(nullptr, 0);
  // Without messages there is nothing to lose.
  if (first && !*first) return {};
  const auto base = first ? (*first)->fields.base : std::nullopt;
  if (base && base->uid_validity == folder.uid_validity.value()) return {};
  return fail(ErrorCode::kExists,
              fmt::format("{}/{} is of another mailbox, or was not written by an export: give a "
                          "folder that is new, or one of an earlier export of this account",
                          path_, name));
}

Result<void> MboxSink::begin(const std::vector<MailFolder>& folders) {
  for (const MailFolder& folder : folders) {
    if (!folder.selectable) continue;
    if (auto good = check_file(folder); !good) return good;
  }
  return {};
}

Result<void> MboxSink::open(const MailFolder& folder) {
  if (file_.get() >= 0 && open_folder_ == folder.name) return {};
  name_ = mbox_file_name(folder.name);
  if (mailbox_of_file(name_) != folder.name) {
    notes_.push_back(fmt::format("{}: too long for a file's name, it is {}", folder.name, name_));
  }
  ::unlinkat(root_.get(), part_name().c_str(), 0);
  file_ = Descriptor(::openat(root_.get(), part_name().c_str(),
                              O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file_.get() < 0) return tl::unexpected(system_error(path_ + "/" + part_name(), errno));
  open_folder_ = folder.name;
  is_first_ = true;
  keywords_.clear();
  hidden_ = 0;
  written_ = 0;
  return {};
}

Result<std::vector<bool>> MboxSink::wants(const MailFolder& folder,
                                          std::span<const MailItem> items) {
  if (auto opened = open(folder); !opened) return tl::unexpected(opened.error());
  if (is_first_) {
    // For X-IMAPbase, which comes before them all.
    for (const MailItem& item : items) keywords_.insert(item.keywords.begin(), item.keywords.end());
  }
  return std::vector<bool>(items.size(), true);
}

Result<void> MboxSink::put(const MailFolder& folder, const MailItem& item, std::string octets) {
  if (auto opened = open(folder); !opened) return opened;
  MboxFields fields;
  fields.flags = item.flags;
  fields.keywords = item.keywords;
  fields.uid = item.uid.value();
  if (is_usable_uidl(item.uidl)) fields.uidl = item.uidl;
  if (is_first_ && folder.uid_validity.value() != 0) {
    const std::uint32_t next = folder.uid_next.value();
    fields.base = MboxFields::Base{folder.uid_validity.value(), next == 0 ? 0 : next - 1, false};
  }
  is_first_ = false;
  if (item.pop3_hidden) ++hidden_;
  const std::string message = to_lf(octets);
  const std::size_t header = mail::header_size(message);
  std::size_t apart = 0;
  const std::string kept = set_own_fields_apart(std::string_view(message).substr(0, header), apart);
  if (apart > 0) ++apart_;
  std::string text = from_line(envelope_sender(message), item.date) + "\n";
  text += mbox_fields(fields, {keywords_.begin(), keywords_.end()});
  append_escaped(text, kept);
  append_escaped(text, std::string_view(message).substr(header));
  if (!text.ends_with('\n')) text += '\n';
  text += '\n';
  if (auto written = write_all(file_.get(), text, path_ + "/" + part_name()); !written) {
    return written;
  }
  ++written_;
  return {};
}

Result<void> MboxSink::finish_folder(const MailFolder& folder) {
  if (auto opened = open(folder); !opened) return opened;
  if (auto synced = sync(file_.get(), path_ + "/" + part_name()); !synced) return synced;
  file_.close();
  if (::renameat(root_.get(), part_name().c_str(), root_.get(), name_.c_str()) != 0) {
    return tl::unexpected(system_error(path_ + "/" + name_, errno));
  }
  stored_ += written_;
  if (hidden_ > 0) {
    notes_.push_back(
        fmt::format("{}: {} messages that POP3 does not show any more will be shown by "
                    "another server",
                    folder.name, hidden_));
  }
  return sync(root_.get(), path_);
}

Result<void> MboxSink::finish() {
  if (apart_ > 0) {
    notes_.push_back(fmt::format(
        "{} messages have fields of their own that an mbox keeps its flags and UIDs in (Status, "
        "X-UID, Content-Length and the like): these are written as X-Twinpost-Kept-..., which "
        "`twinpost import` takes back",
        apart_));
  }
  return {};
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
  const bool good = std::all_of(names->begin(), names->end(), [](const std::string& name) {
    return name == kLostAndFound || name.ends_with(".mbox") || name.ends_with(".mbox.part");
  });
  if (good) return {};
  return fail(ErrorCode::kExists,
              path +
                  " has other files than mboxes in it: give a new folder, an empty one, or "
                  "one of an earlier export");
}

}  // namespace

Result<std::unique_ptr<MailSink>> make_mbox(const std::string& folder) {
  if (auto good = check_place(folder); !good) return tl::unexpected(good.error());
  auto root = make_folder(kHere, folder);
  if (!root) return tl::unexpected(root.error());
  return std::make_unique<MboxSink>(folder, *std::move(root));
}

}  // namespace twinpost::tools
