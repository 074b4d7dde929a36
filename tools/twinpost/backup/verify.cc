#include "tools/twinpost/backup/verify.h"

#include <algorithm>
#include <fcntl.h>
#include <fmt/format.h>
#include <set>

#include "core/base/ascii.h"

namespace twinpost::tools::backup {

namespace {

constexpr std::size_t kWindow = 1024 * 1024;

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

  Result<void> bodies() {
    const auto& entries = packs_.entries();
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (!tell("bodies", i, entries.size())) return stopped();
      const auto octets = packs_.read(entries[i]);
      if (octets) {
        ++report_.bodies;
        report_.octets += octets->size();
        if (auto good = packs_.check_header(entries[i]); !good) problem(good.error().message);
        continue;
      }
      // Without the key nothing else could be read either.
      if (octets.error().code == ErrorCode::kPermission) return tl::unexpected(octets.error());
      problem(octets.error().message);
      suspects_.insert(entries[i].name);
    }
    for (auto at = suspects_.begin(); at != suspects_.end();) {
      at = packs_.read(*at) ? suspects_.erase(at) : std::next(at);
    }
    return {};
  }

  void generation(const GenerationInfo& info) {
    ++report_.generations;
    const std::string where = "generation " + to_string(info.name);
    if (auto good = manifest_file(info); !good) return problem(where + ": " + good.error().message);
    auto places = repository_.accounts(info.name);
    if (!places) return problem(places.error().message);
    for (const AccountPlace& place : **places) {
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

  Result<void> manifest_file(const GenerationInfo& info) {
    auto file =
        File::open(repository_.path_of(info.name) + "/" + manifest_name(info.manifest), O_RDONLY);
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
    if (*size != info.manifest_octets || hash.finish() != info.manifest_sha256) {
      return fail(ErrorCode::kCorrupt, file->path() + " does not match its checksum");
    }
    return {};
  }

  void mailbox(const GenerationName& name, const std::string& account,
               const ListedMailbox& mailbox) {
    const std::string where =
        fmt::format("generation {}, {}/{}", to_string(name), ascii::printable(account),
                    ascii::printable(mailbox.line.name));
    auto own = repository_.listed(name, mailbox);
    if (!own) return problem(own.error().message);
    for (const auto& [uid, line] : *own) {
      ++report_.messages;
      message(fmt::format("{} UID {}", where, uid.value()), line);
    }
    if (mailbox.line.listing == Listing::kFull) {
      if (own->size() != mailbox.line.messages) problem(where + ": has not as many messages");
      return;
    }
    // Whatever it builds on is looked at for itself; here, that it is there and that the sum is
    // right.
    if (mailbox.line.listing == Listing::kDelta) {
      auto all = repository_.messages(name, account, mailbox.line);
      if (!all) problem(all.error().message);
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
    const PackEntry* body = packs_.find(message->body);
    if (body == nullptr) return problem(where + ": its body is in no pack");
    if (suspects_.contains(message->body)) return problem(where + ": its body is damaged");
    if (message->size != message->prefix.size() + body->plain_octets) {
      problem(where + ": its size is wrong");
    }
  }

  Repository& repository_;
  Packs& packs_;
  const store::Progress& progress_;
  std::set<BodyName> suspects_;  // no good entry
  VerifyReport report_;
};

}  // namespace

Result<VerifyReport> verify(Repository& repository, Packs& packs, const store::Progress& progress) {
  return Verification(repository, packs, progress).run();
}

}  // namespace twinpost::tools::backup
