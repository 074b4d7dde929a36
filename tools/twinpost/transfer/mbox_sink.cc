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

namespace twinpost::tools {

namespace {

// With every line "From ", ">From " and so on behind one more ">".
void append_escaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    const std::string_view line = text.substr(0, end);
    const auto begin = line.find_first_not_of('>');
    if (begin != std::string_view::npos && line.substr(begin).starts_with("From ")) out += '>';
    out += line;
    text.remove_prefix(end);
  }
}

class MboxSink final : public MailSink {
 public:
  MboxSink(std::string path, Descriptor root) : path_(std::move(path)), root_(std::move(root)) {}

  [[nodiscard]] std::string description() const override { return "mbox " + path_; }
  [[nodiscard]] Result<void> begin(const std::vector<MailFolder>&) override { return {}; }
  [[nodiscard]] Result<std::vector<bool>> wants(const MailFolder& folder,
                                                std::span<const MailItem> items) override;
  [[nodiscard]] Result<void> put(const MailFolder& folder, const MailItem& item,
                                 std::string octets) override;
  [[nodiscard]] Result<void> finish_folder(const MailFolder& folder) override;
  [[nodiscard]] Result<void> finish() override { return {}; }
  [[nodiscard]] std::uint64_t stored() const override { return stored_; }
  [[nodiscard]] std::vector<std::string> take_notes() override { return std::exchange(notes_, {}); }

 private:
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
  std::vector<std::string> notes_;
};

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
  // Such fields of the message's own would be taken for the server's.
  const std::size_t header = mail::header_size(message);
  std::string kept;
  (void)parse_mbox_fields(std::string_view(message).substr(0, header), kept);
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

}  // namespace

Result<std::unique_ptr<MailSink>> make_mbox(const std::string& folder) {
  auto root = make_folder(kHere, folder);
  if (!root) return tl::unexpected(root.error());
  return std::make_unique<MboxSink>(folder, *std::move(root));
}

}  // namespace twinpost::tools
