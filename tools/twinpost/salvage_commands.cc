// twinpost salvage DAMAGED OUT: takes what can be read out of a damaged data file, into Maildirs or
// a new store.
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "core/base/inline_executor.h"
#include "store/salvage.h"
#include "store/tables.h"
#include "tools/twinpost/commands.h"
#include "tools/twinpost/progress_bar.h"
#include "tools/twinpost/shown.h"
#include "tools/twinpost/store_access.h"
#include "tools/twinpost/transfer/maildir.h"
#include "tools/twinpost/transfer/salvage_source.h"
#include "tools/twinpost/transfer/store_ends.h"
#include "tools/twinpost/transfer/transfer.h"

namespace twinpost::tools {

namespace {

namespace fs = std::filesystem;

constexpr int kAllRead = 0;
constexpr int kSomeLost = 1;
constexpr int kNothingDone = 2;
constexpr const char* kDataFile = "data.mdb";

struct SalvageArguments {
  std::string damaged;
  std::string out;
  std::string key_file;
  std::string format = "maildir";
  bool quiet = false;
};

// A name from a damaged store as one of a file: never another folder, never hidden.
std::string as_file_name(std::string_view name) {
  constexpr std::size_t kMost = 150;
  std::string safe;
  for (const char c : name.substr(0, kMost)) {
    const bool bad = c == '/' || static_cast<unsigned char>(c) < ' ' || c == '\x7f';
    safe += bad ? '_' : c;
  }
  if (safe.empty() || safe.front() == '.') safe.insert(safe.begin(), '_');
  return safe;
}

// Its parents too, each named where it is the one that can't be made. It alone is private, and only
// where it is new: one that is there may be others' too.
Result<void> make_folder(const fs::path& path) {
  fs::path made;
  const fs::path whole = path.has_filename() ? path : path.parent_path();
  for (const fs::path& part : whole) {
    made /= part;
    const bool is_parent = made != whole;
    if (::mkdir(made.c_str(), is_parent ? 0777 : 0700) == 0) continue;
    const int reason = errno;
    std::error_code ignored;
    if (!fs::exists(made, ignored)) return tl::unexpected(system_error(made.string(), reason));
    if (!fs::is_directory(made, ignored)) {
      return tl::unexpected(system_error(made.string(), ENOTDIR));
    }
  }
  return {};
}

// Absolute and without links, as far as it exists: to compare where two paths lead.
fs::path real_path(const fs::path& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  const fs::path real = fs::weakly_canonical(absolute, error);
  return error ? absolute.lexically_normal() : real;
}

// What the file says, and this version can't know.
std::string newer_format(std::uint32_t format) {
  return fmt::format(
      "the store has format {}, this version of Twinpost ({}) reads formats up to {}: what only "
      "the "
      "newer version knows is not read; salvage with that one",
      format, TWINPOST_VERSION, store::kFormatVersion);
}

class OutputFile {
 public:
  ~OutputFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OutputFile() = default;
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  // Anew, for its owner only; follows no link.
  [[nodiscard]] Result<void> open(const fs::path& path) {
    path_ = path.string();
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd_ < 0) return tl::unexpected(system_error(path_, errno));
    return {};
  }
  [[nodiscard]] Result<void> write(std::string_view octets) {
    while (!octets.empty()) {
      const ssize_t done = ::write(fd_, octets.data(), octets.size());
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) return tl::unexpected(system_error(path_, errno));
      octets.remove_prefix(static_cast<std::size_t>(done));
    }
    return {};
  }
  [[nodiscard]] Result<void> finish() {
    if (::fsync(fd_) != 0) return tl::unexpected(system_error(path_, errno));
    return {};
  }

 private:
  int fd_ = -1;
  std::string path_;
};

Result<void> write_file(const fs::path& path, std::string_view octets) {
  OutputFile file;
  if (auto opened = file.open(path); !opened) return opened;
  return file.write(octets);
}

// The new store of --format store, and what it needs.
struct NewStore {
  InlineExecutor executor;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<StoreAccess> access;

  [[nodiscard]] Result<void> open(const fs::path& folder, const store::KeyringPtr& keys,
                                  const store::Salvage& salvage) {
    store::StoreOptions options;
    options.folder = folder.string();
    options.keys = keys;
    auto opened = store::Store::open(std::move(options), executor);
    if (!opened) return tl::unexpected(opened.error());
    store = std::move(*opened);
    auto accounts = std::make_shared<config::AccountsConfig>();
    for (const store::Salvage::Account& account : salvage.accounts()) {
      accounts->accounts[account.name].name = account.name;
    }
    auto config = std::make_shared<config::ServerConfig>();
    config->data = folder.string();
    access = make_local_access(*store, std::move(config), std::move(accounts));
    return {};
  }
};

class SalvageRun {
 public:
  explicit SalvageRun(const SalvageArguments& arguments)
      : arguments_(arguments), out_(arguments.out), bar_(std::in_place, arguments.quiet) {}

  // The exit code; an error where nothing could be done.
  Result<int> run() {
    if (auto read = open_damaged(); !read) return tl::unexpected(read.error());
    if (auto made = open_output(); !made) return tl::unexpected(made.error());
    if (const auto& newer = salvage_->index().newer_format) say(newer_format(*newer));
    for (const std::string& problem : salvage_->index().problems()) say("damage: " + problem);
    const std::uint64_t problems = salvage_->index().problem_count();
    if (problems > salvage_->index().problems().size()) {
      say(fmt::format("damage: {} places in all", problems));
    }
    for (const store::Salvage::Account& account : salvage_->accounts()) {
      auto written = write_account(account);
      if (written) continue;
      const ErrorCode code = written.error().code;
      if (code == ErrorCode::kDiskFull || code == ErrorCode::kIo ||
          code == ErrorCode::kPermission) {
        return tl::unexpected(written.error());
      }
      // The others are not to suffer for one.
      ++lost_;
      say(written.error().message);
    }
    if (auto written = write_unclaimed(); !written) return tl::unexpected(written.error());
    bar_.reset();
    if (auto done = summarise(); !done) return tl::unexpected(done.error());
    const bool is_all = lost_ == 0 && problems == 0 && !salvage_->index().newer_format;
    return is_all ? kAllRead : kSomeLost;
  }

 private:
  Result<void> open_damaged() {
    if (out_.empty()) return fail(ErrorCode::kInvalid, "OUT must name a folder");
    fs::path data = arguments_.damaged;
    std::error_code error;
    if (fs::is_directory(data, error)) data /= kDataFile;
    struct stat status {};
    if (::stat(data.c_str(), &status) != 0) {
      return tl::unexpected(system_error(data.string(), errno));
    }
    const fs::path folder = real_path(data).parent_path();
    const fs::path out = real_path(out_);
    const auto [end, ignored] = std::mismatch(folder.begin(), folder.end(), out.begin(), out.end());
    if (end == folder.end()) {
      return fail(ErrorCode::kInvalid,
                  "OUT lies in the damaged store's folder: give a folder elsewhere");
    }
    if (!arguments_.key_file.empty()) {
      auto keys = store::Keyring::load(arguments_.key_file);
      if (!keys) return tl::unexpected(keys.error());
      keys_ = std::move(*keys);
    }
    coder_ = std::make_unique<store::BodyCoder>(false, keys_);
    auto salvage = store::Salvage::open(data.string(), *coder_, bar_->as_progress());
    if (!salvage) return tl::unexpected(salvage.error());
    salvage_ = std::move(*salvage);
    const auto& newer = salvage_->index().newer_format;
    if (newer && salvage_->accounts().empty()) {
      return fail(ErrorCode::kNewerFormat, data.string() + ": " + newer_format(*newer));
    }
    if (salvage_->accounts().empty() && salvage_->unclaimed().empty()) {
      return fail(ErrorCode::kCorrupt, data.string() + ": nothing of a store can be found in it");
    }
    return {};
  }

  Result<void> open_output() {
    const bool as_store = arguments_.format == "store";
    std::error_code ignored;
    if (as_store && fs::exists(out_ / kDataFile, ignored)) {
      return fail(ErrorCode::kExists, out_.string() + " has a store already: give a new folder");
    }
    auto opened = make_folder(out_);
    if (opened) opened = report_.open(out_ / "report.txt");
    if (opened && as_store) opened = new_store_.open(out_, keys_, *salvage_);
    if (opened) return opened;
    return fail(opened.error().code,
                fmt::format("can't write to OUT, {}: {}", out_.string(), opened.error().message));
  }

  void say(const std::string& line) {
    const std::string safe = shown(line) + "\n";
    if (auto written = report_.write(safe); !written && !report_failed_) {
      report_failed_ = written.error();
    }
    lines_.push_back(safe);
  }

  // What of a message can be read goes beside the rest.
  void keep_damaged(const store::Salvage::Account& account, const store::Salvage::Mailbox& mailbox,
                    store::Uid uid, const store::MessageRecord* record, const Error& error) {
    ++lost_;
    std::string line = fmt::format("{}/{} UID {}: {}", account.name, mailbox.info.name, uid.value(),
                                   error.message);
    if (record != nullptr && error.code != ErrorCode::kPermission) {
      const fs::path folder = out_ / "damaged" / as_file_name(account.name);
      const fs::path file =
          folder / fmt::format("{}-{}.eml", as_file_name(mailbox.info.name), uid.value());
      auto written = make_folder(folder);
      if (written) written = write_file(file, salvage_->readable_part(*record));
      line += written ? "; what can be read is in " + file.string()
                      : "; and " + written.error().message;
    }
    say(line);
  }

  Result<void> write_account(const store::Salvage::Account& account) {
    const auto source =
        make_salvage_source(*salvage_, account,
                            [&](const store::Salvage::Mailbox& mailbox, store::Uid uid,
                                const store::MessageRecord* record, const Error& error) {
                              keep_damaged(account, mailbox, uid, record, error);
                            });
    std::unique_ptr<MailSink> sink;
    if (new_store_.access) {
      StoreSinkOptions options;
      options.ignore_quota = true;
      sink = make_store_sink(*new_store_.access, account.name, std::move(options));
    } else {
      const fs::path folder = out_ / as_file_name(account.name);
      if (auto made = make_folder(folder); !made) return made;
      auto maildir = make_maildir((folder / "Maildir").string(), MaildirOptions());
      if (!maildir) return tl::unexpected(maildir.error());
      sink = std::move(*maildir);
    }
    const std::uint64_t lost_before = lost_;
    auto report = transfer(*source, *sink, TransferOptions(), *bar_);
    new_store_.executor.run_until_idle();
    if (!report) {
      return fail(report.error().code, account.name + ": " + report.error().message);
    }
    for (const std::string& note : report->notes) say(account.name + ": " + note);
    // Those that could not be read were told of; the rest could not be written.
    const std::uint64_t unreadable = lost_ - lost_before;
    for (const TransferReport::Failure& failure : report->failures) {
      if (unreadable >= report->failed) break;
      say(fmt::format("{}/{} {}: {}", account.name, failure.folder, failure.message,
                      failure.reason));
    }
    if (report->failed > unreadable) lost_ += report->failed - unreadable;
    say(fmt::format("{}: {} mailboxes, {} messages written, {} there already, {} not", account.name,
                    report->folders, report->stored, report->already_there, lost_ - lost_before));
    stored_ += report->stored + report->already_there;
    return {};
  }

  Result<void> write_unclaimed() {
    const auto blobs = salvage_->unclaimed();
    const fs::path folder = out_ / "unclaimed";
    for (std::size_t i = 0; i < blobs.size(); ++i) {
      bar_->show("bodies without a message", i, blobs.size(), "bodies");
      const auto body = salvage_->read_body(blobs[i]);
      if (!body) continue;
      if (auto made = make_folder(folder); !made) return made;
      const std::string name =
          fmt::format("{}{}.eml", blobs[i].value(), body->verified ? "" : "-unverified");
      if (auto written = write_file(folder / name, body->octets); !written) return written;
      ++unclaimed_;
    }
    return {};
  }

  Result<void> summarise() {
    if (unclaimed_ > 0) {
      say(fmt::format("{} bodies without a message are in {}", unclaimed_,
                      (out_ / "unclaimed").string()));
    }
    if (const std::uint64_t stale = salvage_->index().stale_records(); stale > 0) {
      say(fmt::format("{} old records of messages that had been removed were left out", stale));
    }
    say(fmt::format("{} accounts, {} messages salvaged, {} lost or damaged",
                    salvage_->accounts().size(), stored_, lost_));
    for (const std::string& line : lines_) fmt::print("{}", line);
    if (report_failed_) return tl::unexpected(*report_failed_);
    return report_.finish();
  }

  const SalvageArguments& arguments_;
  fs::path out_;
  std::optional<ProgressBar> bar_;
  store::KeyringPtr keys_;
  std::unique_ptr<store::BodyCoder> coder_;
  std::unique_ptr<store::Salvage> salvage_;
  NewStore new_store_;
  OutputFile report_;
  std::optional<Error> report_failed_;
  std::vector<std::string> lines_;
  std::uint64_t stored_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t unclaimed_ = 0;
};

}  // namespace

void add_salvage_commands(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<SalvageArguments>();
  CLI::App* command = app.add_subcommand(
      "salvage", "take everything readable out of a damaged store, which is not changed");
  command->add_option("DAMAGED", arguments->damaged, "the data folder, or its data.mdb")
      ->required();
  command->add_option("OUT", arguments->out, "the folder to write to")->required();
  command->add_option("--key-file", arguments->key_file, "the keys of an encrypted store");
  command
      ->add_option("--format", arguments->format,
                   "maildir: OUT/ACCOUNT/Maildir; store: a new store in OUT")
      ->check(CLI::IsMember({"maildir", "store"}))
      ->capture_default_str();
  command->add_flag("--quiet,-q", arguments->quiet, "no progress");
  command->footer(
      "Exit status: 0 everything was readable; 1 something was lost or damaged (OUT/report.txt "
      "says what); 2 nothing "
      "could be done.");
  command->callback([&context, arguments] {
    auto done = SalvageRun(*arguments).run();
    if (done) {
      context.exit_code = *done;
      return;
    }
    context.fail(done.error().message);
    context.exit_code = kNothingDone;
  });
}

}  // namespace twinpost::tools
