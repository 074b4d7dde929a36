#include "tools/twinpost/transfer/transfer.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/base/ascii.h"

namespace twinpost::tools {

namespace {

constexpr std::size_t kMostFailures = 1'000;
constexpr std::size_t kMostNotes = 1'000;
constexpr std::size_t kItemsPerQuestion = 1'000;

// What concerns one message, or one folder, alone.
bool is_of_one(ErrorCode code) {
  return code == ErrorCode::kNotFound || code == ErrorCode::kCorrupt ||
         code == ErrorCode::kTooLarge || code == ErrorCode::kPermission ||
         code == ErrorCode::kInvalid;
}

class Transfer {
 public:
  Transfer(MailSource& source, MailSink& sink, const TransferOptions& options, ProgressBar& bar)
      : source_(source), sink_(sink), options_(options), bar_(bar), stored_before_(sink.stored()) {}

  Result<TransferReport> run() {
    auto all = source_.folders();
    if (!all) return tl::unexpected(all.error());
    std::vector<MailFolder> folders;
    for (MailFolder& folder : *all) {
      if (!options_.wants_folder || options_.wants_folder(folder)) {
        folders.push_back(std::move(folder));
      }
    }
    if (auto begun = sink_.begin(folders); !begun) return tl::unexpected(begun.error());
    for (const MailFolder& folder : folders) {
      if (!folder.selectable) continue;
      if (auto done = take_folder(folder); !done) return tl::unexpected(done.error());
    }
    if (auto finished = sink_.finish(); !finished) return tl::unexpected(finished.error());
    collect();
    report_.stored = sink_.stored() - stored_before_;
    return std::move(report_);
  }

 private:
  Result<void> take_folder(const MailFolder& folder) {
    auto items = source_.items(folder);
    if (!items) {
      if (!is_of_one(items.error().code)) return tl::unexpected(items.error());
      failed(folder.name, "", items.error().message);
      return {};
    }
    ++report_.folders;
    report_.messages += items->size();
    for (std::size_t at = 0; at < items->size(); at += kItemsPerQuestion) {
      const auto some = std::span<const MailItem>(*items).subspan(
          at, std::min(kItemsPerQuestion, items->size() - at));
      bar_.show(folder.name, at, items->size(), "messages");
      auto wanted = sink_.wants(folder, some);
      if (!wanted) {
        if (wanted.error().code != ErrorCode::kInvalid) return tl::unexpected(wanted.error());
        failed(folder.name, "", wanted.error().message);
        return {};
      }
      if (auto taken = take_some(folder, some, *wanted, at, items->size()); !taken) return taken;
    }
    auto finished = sink_.finish_folder(folder);
    collect();
    if (finished) bar_.show(folder.name, items->size(), items->size(), "messages");
    return finished;
  }

  Result<void> take_some(const MailFolder& folder, std::span<const MailItem> items,
                         const std::vector<bool>& wanted, std::size_t before, std::size_t total) {
    std::vector<MailItem> missing;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (wanted[i]) missing.push_back(items[i]);
    }
    const std::size_t there = items.size() - missing.size();
    report_.already_there += there;
    for (std::size_t i = 0; i < missing.size(); ++i) {
      bar_.show(folder.name, before + there + i, total, "messages");
      if (auto taken = take_one(folder, missing, i); !taken) return taken;
    }
    return {};
  }

  Result<void> take_one(const MailFolder& folder, std::span<const MailItem> missing,
                        std::size_t at) {
    MailItem item = missing[at];
    auto octets = source_.read(folder, item, missing.subspan(at + 1));
    if (!octets) {
      // Gone since it was listed: somebody removed it, which is no failure.
      if (octets.error().code == ErrorCode::kNotFound) {
        --report_.messages;
        return {};
      }
      if (!is_of_one(octets.error().code)) return tl::unexpected(octets.error());
      failed(folder.name, label(item), octets.error().message);
      return {};
    }
    item.size = octets->size();
    report_.octets += item.size;
    auto put = sink_.put(folder, item, *std::move(octets));
    collect();
    return put;
  }

  void collect() {
    for (const MailSink::Refused& refused : sink_.take_refused()) {
      report_.octets -= std::min(report_.octets, refused.item.size);
      failed(refused.folder, label(refused.item), refused.error.message);
    }
    for (auto& notes : {source_.take_notes(), sink_.take_notes()}) {
      for (const std::string& note : notes) {
        if (report_.notes.size() < kMostNotes) report_.notes.push_back(note);
      }
    }
  }

  static std::string label(const MailItem& item) {
    if (!item.native_name.empty()) return ascii::printable(item.native_name);
    return fmt::format("UID {}", item.uid.value());
  }

  void failed(const std::string& folder, std::string message, const std::string& reason) {
    ++report_.failed;
    if (report_.failures.size() < kMostFailures) {
      report_.failures.push_back({folder, std::move(message), reason});
    }
  }

  MailSource& source_;
  MailSink& sink_;
  const TransferOptions& options_;
  ProgressBar& bar_;
  std::uint64_t stored_before_;
  TransferReport report_;
};

}  // namespace

Result<TransferReport> transfer(MailSource& source, MailSink& sink, const TransferOptions& options,
                                ProgressBar& bar) {
  return Transfer(source, sink, options, bar).run();
}

int print_report(const TransferReport& report, std::string_view what) {
  for (const std::string& note : report.notes) fmt::print(stderr, "{}\n", note);
  for (const TransferReport::Failure& failure : report.failures) {
    const std::string place =
        failure.message.empty() ? failure.folder : failure.folder + ": " + failure.message;
    fmt::print(stderr, "twinpost: {}: {}\n", place, failure.reason);
  }
  if (report.failed > report.failures.size()) {
    fmt::print(stderr, "twinpost: and {} more\n", report.failed - report.failures.size());
  }
  fmt::print("{}: {} mailboxes, {} messages: {} new ({} octets), {} there already", what,
             report.folders, report.messages, report.stored, report.octets, report.already_there);
  if (report.failed > 0) fmt::print(", {} FAILED", report.failed);
  fmt::print("\n");
  return report.failed == 0 ? 0 : 1;
}

}  // namespace twinpost::tools
