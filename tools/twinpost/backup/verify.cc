#include "tools/twinpost/backup/verify.h"

#include <fmt/format.h>
#include <map>
#include <string>

#include "core/base/ascii.h"

namespace twinpost::tools::backup {

namespace {

class Verification {
 public:
  Verification(Repository& repository, Packs& packs, const store::Progress& progress)
      : repository_(repository), packs_(packs), progress_(progress) {}

  Result<VerifyReport> run() {
    for (const std::string& text : repository_.problems()) problem(text);
    for (const std::string& text : packs_.problems()) problem(text);
    if (auto done = bodies(); !done) return tl::unexpected(done.error());
    const std::size_t count = repository_.generations().size();
    for (std::size_t i = 0; i < count; ++i) {
      if (!tell("generations", i, count)) return stopped();
      generation(repository_.generations()[i]);
    }
    return std::move(report_);
  }

 private:
  static tl::unexpected<Error> stopped() { return fail(ErrorCode::kShutdown, "stopped"); }
  [[nodiscard]] bool tell(std::string_view phase, std::uint64_t done, std::uint64_t total) const {
    return !progress_ || progress_(phase, done, total);
  }
  void problem(const std::string& text) {
    ++report_.problems;
    if (report_.details.size() < kMostProblems) report_.details.push_back(text);
  }

  // A body that can't be read concerns the messages that name it; one that was written again, or
  // that nobody names any more, concerns nobody.
  Result<void> bodies() {
    const auto& entries = packs_.entries();
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (!tell("bodies", i, entries.size())) return stopped();
      const auto octets = packs_.read(entries[i]);
      if (!octets) {
        suspects_.emplace(entries[i].name, octets.error().message);
        continue;
      }
      ++report_.bodies;
      report_.octets += octets->size();
      if (auto good = packs_.check_header(entries[i]); !good) problem(good.error().message);
    }
    report_.unreadable_bodies = suspects_.size();
    for (auto at = suspects_.begin(); at != suspects_.end();) {
      at = packs_.read(at->first) ? suspects_.erase(at) : std::next(at);
    }
    return {};
  }

  void generation(const GenerationInfo& info) {
    ++report_.generations;
    auto contents = repository_.directory(info.name);
    if (!contents) return problem(contents.error().message);
    if (auto good = repository_.check_manifest(info.name); !good) {
      problem(fmt::format("generation {}: {}", to_string(info.name), good.error().message));
    }
    for (const std::string& text : (*contents)->problems()) problem(text);
    for (const AccountPlace& place : (*contents)->accounts()) {
      auto section = repository_.section(info.name, place.name);
      if (!section) {
        problem(section.error().message);
        continue;
      }
      for (const ListedMailbox& mailbox : (*section)->mailboxes) {
        this->mailbox(info.name, place.name, mailbox);
      }
    }
  }

  void mailbox(const GenerationName& name, const std::string& account,
               const ListedMailbox& mailbox) {
    const std::string where =
        fmt::format("generation {}, {}/{}", to_string(name), ascii::printable(account),
                    ascii::printable(mailbox.line.name));
    const Listed own = repository_.listed(name, account, mailbox);
    for (const std::string& text : own.problems) problem(text);
    for (const auto& [uid, line] : own.messages) {
      ++report_.messages;
      message(fmt::format("{} UID {}", where, uid.value()), line);
    }
    if (mailbox.line.listing == Listing::kFull) {
      if (mailbox.line.records != mailbox.line.messages) {
        problem(where + ": has not as many messages");
      }
      return;
    }
    // Whatever it builds on is looked at for itself; here, that it is there and that the sum is
    // right.
    if (mailbox.line.listing == Listing::kDelta) {
      const Listed all = repository_.messages(name, account, mailbox.line);
      for (const std::string& text : all.problems) problem(text);
      return;
    }
    const bool earlier = *mailbox.line.base < name;
    auto section = repository_.section(*mailbox.line.base, account);
    const ListedMailbox* base = section && earlier
                                    ? (*section)->find(mailbox.line.guid, mailbox.line.uid_validity)
                                    : nullptr;
    if (base == nullptr || base->line.messages != mailbox.line.messages) {
      problem(where + ": what it builds on in generation " + to_string(*mailbox.line.base) +
              " is not there or can't be read");
    }
  }

  void message(const std::string& where, const std::string& line) {
    const auto message = decode_message(line);
    if (!message) return problem(where + ": " + message.error().message);
    if (const auto suspect = suspects_.find(message->body); suspect != suspects_.end()) {
      return problem(where + ": " + suspect->second);
    }
    const PackEntry* body = packs_.find(message->body);
    if (body == nullptr) return problem(where + ": its body is in no pack");
    if (message->size != message->prefix.size() + body->plain_octets) {
      problem(where + ": its size is wrong");
    }
  }

  Repository& repository_;
  Packs& packs_;
  const store::Progress& progress_;
  std::map<BodyName, std::string> suspects_;  // no good entry, and why
  VerifyReport report_;
};

}  // namespace

Result<VerifyReport> verify(Repository& repository, Packs& packs, const store::Progress& progress) {
  return Verification(repository, packs, progress).run();
}

}  // namespace twinpost::tools::backup
