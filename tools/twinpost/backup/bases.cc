#include "tools/twinpost/backup/bases.h"

#include <fmt/format.h>
#include <map>
#include <set>

#include "core/base/ascii.h"

namespace twinpost::tools::backup {

namespace {

class BaseFinder {
 public:
  BaseFinder(Repository& repository, const Packs& packs, const store::Progress& progress)
      : repository_(repository), packs_(packs), progress_(progress) {}

  Result<Bases> run() {
    const GenerationName last = repository_.generations().back().name;
    bases_.unknown = repository_.lost_generations() > 0;
    auto contents = repository_.directory(last);
    if (!contents) {
      problem(contents.error().message);
      bases_.unknown = true;
      return std::move(bases_);
    }
    const std::vector<AccountPlace> accounts = (*contents)->accounts();
    for (std::size_t i = 0; i < accounts.size(); ++i) {
      if (progress_ && !progress_("earlier", i, accounts.size())) {
        return fail(ErrorCode::kShutdown, "stopped");
      }
      auto section = repository_.section(last, accounts[i].name);
      if (!section) {
        problem(section.error().message);
        bases_.unknown = true;
        continue;
      }
      for (const ListedMailbox& mailbox : (*section)->mailboxes) {
        add(last, accounts[i].name, mailbox);
      }
    }
    return std::move(bases_);
  }

 private:
  void problem(const std::string& text) {
    bases_.problems.push_back(text + "; what rests on it is listed and read anew");
  }

  void add(const GenerationName& last, const std::string& account, const ListedMailbox& mailbox) {
    const MailboxLine& line = mailbox.line;
    BaseMailbox base;
    base.generation = line.listing == Listing::kSame ? *line.base : last;
    base.highest_modseq = line.highest_modseq;
    base.uid_next = line.uid_next;
    base.messages = line.messages;
    base.octets = line.octets;
    base.chain = line.chain;
    base.weight = line.weight;
    base.is_sound = line.left_out == 0 && chain_is_sound(last, account, mailbox);
    bases_.mailboxes.emplace(base_key(account, line.guid, line.uid_validity), base);
  }

  bool chain_is_sound(const GenerationName& name, const std::string& account,
                      const ListedMailbox& mailbox) {
    if (!manifest_is_good(name) || !listing_is_good(name, account, mailbox)) return false;
    if (!mailbox.line.base) return true;
    const GenerationName earlier = *mailbox.line.base;
    if (!(earlier < name)) return false;
    auto section = repository_.section(earlier, account);
    if (!section) {
      once(earlier, section.error().message);
      return false;
    }
    const ListedMailbox* base = (*section)->find(mailbox.line.guid, mailbox.line.uid_validity);
    if (base == nullptr || base->line.left_out > 0) return false;
    return chain_is_sound(earlier, account, ListedMailbox(*base));
  }

  bool listing_is_good(const GenerationName& name, const std::string& account,
                       const ListedMailbox& mailbox) {
    if (mailbox.line.listing == Listing::kSame) return true;
    const Listed listed = repository_.listed(name, account, mailbox);
    for (const std::string& text : listed.problems) problem(text);
    std::uint64_t missing = 0;
    for (const auto& [uid, line] : listed.messages) {
      const auto body = body_of_line(line);
      if (!body || packs_.find(*body) == nullptr) ++missing;
    }
    if (missing > 0) {
      problem(
          fmt::format("generation {}, {}/{}: {} bodies are in no pack, or under a key that is "
                      "not there",
                      to_string(name), ascii::printable(account),
                      ascii::printable(mailbox.line.name), missing));
    }
    return listed.problems.empty() && missing == 0;
  }

  bool manifest_is_good(const GenerationName& name) {
    const auto [known, is_new] = manifests_.emplace(name, false);
    if (!is_new) return known->second;
    const auto checked = repository_.check_manifest(name);
    if (!checked) once(name, checked.error().message);
    known->second = checked.has_value();
    return known->second;
  }

  // What concerns all of a generation is said once.
  void once(const GenerationName& name, const std::string& text) {
    if (told_.insert(name).second) problem(text);
  }

  Repository& repository_;
  const Packs& packs_;
  const store::Progress& progress_;
  std::map<GenerationName, bool> manifests_;  // whether it is good
  std::set<GenerationName> told_;
  Bases bases_;
};

}  // namespace

Result<Bases> find_bases(Repository& repository, const Packs& packs,
                         const store::Progress& progress) {
  return BaseFinder(repository, packs, progress).run();
}

}  // namespace twinpost::tools::backup
