#include "tools/twinpost/backup/rebase.h"

#include <algorithm>
#include <utility>

#include "tools/twinpost/backup/manifest.h"
#include "tools/twinpost/backup/section_writer.h"

namespace twinpost::tools::backup {

namespace {

// How one mailbox is listed after the change: its line, and the message lines behind it.
struct NewListing {
  MailboxLine line;
  std::vector<std::string> messages;
};

class Rebase {
 public:
  Rebase(Repository& repository, const GenerationName& name,
         const std::vector<GenerationName>& kept)
      : repository_(repository), name_(name), kept_(kept) {}

  Result<bool> run() {
    auto contents = repository_.directory(name_);
    if (!contents) return tl::unexpected(contents.error());
    if (auto good = must_be_whole((*contents)->problems()); !good) {
      return tl::unexpected(good.error());
    }
    const std::vector<AccountPlace>& places = (*contents)->accounts();
    bool any = false;
    for (const AccountPlace& place : places) {
      auto section = repository_.section(name_, place.name);
      if (!section) return tl::unexpected(section.error());
      const auto& mailboxes = (*section)->mailboxes;
      any = any || std::any_of(mailboxes.begin(), mailboxes.end(),
                               [this](const auto& mailbox) { return must_change(mailbox.line); });
    }
    if (!any) return false;
    if (auto done = write(places); !done) return tl::unexpected(done.error());
    return true;
  }

 private:
  static Result<Messages> whole(Listed listed) {
    if (auto good = must_be_whole(listed.problems); !good) {
      return tl::unexpected(good.error());
    }
    return std::move(listed.messages);
  }

  bool must_change(const MailboxLine& line) const {
    return line.base && !std::binary_search(kept_.begin(), kept_.end(), *line.base);
  }

  Result<void> write(const std::vector<AccountPlace>& places) {
    GenerationInfo info = *repository_.find(name_);
    const std::string folder = repository_.path_of(name_);
    ++info.manifest;
    auto manifest =
        ManifestWriter::create(folder + "/" + manifest_name(info.manifest), repository_.coder());
    if (!manifest) return tl::unexpected(manifest.error());
    SectionWriter sections(*manifest);
    for (const AccountPlace& place : places) {
      if (auto done = write_section(place.name, sections); !done) return done;
    }
    auto done = sections.finish(info);
    if (done) done = sync_folder(folder);
    if (done) done = write_sealed_text(folder + "/generation.json", encode_generation(info));
    if (!done) return done;
    return remove_others(folder, manifest_name(info.manifest));
  }

  // The old manifest, and what an interrupted prune left.
  static Result<void> remove_others(const std::string& folder, const std::string& manifest) {
    const auto names = names_in(folder);
    if (!names) return tl::unexpected(names.error());
    for (const std::string& name : *names) {
      if (name == manifest || name.starts_with("generation.json")) continue;
      if (auto gone = remove_tree(folder + "/" + name); !gone) return gone;
    }
    return {};
  }

  Result<void> write_section(const std::string& account, SectionWriter& out) {
    auto section = repository_.section(name_, account);
    if (!section) return tl::unexpected(section.error());
    if (auto done = out.account((*section)->account); !done) return done;
    for (const ListedMailbox& mailbox : (*section)->mailboxes) {
      auto listing = listing_of(account, mailbox);
      if (!listing) return tl::unexpected(listing.error());
      if (auto done = out.mailbox(std::move(listing->line)); !done) return done;
      for (const std::string& line : listing->messages) {
        if (auto done = out.message(line + "\n"); !done) return done;
      }
    }
    return {};
  }

  Result<NewListing> listing_of(const std::string& account, const ListedMailbox& mailbox) {
    NewListing listing{mailbox.line, {}};
    if (!must_change(mailbox.line)) {
      auto own = whole(repository_.listed(name_, account, mailbox));
      if (!own) return tl::unexpected(own.error());
      for (auto& message : *own) listing.messages.push_back(std::move(message.second));
      return listing;
    }
    auto earlier = find_earlier(account, mailbox.line);
    if (!earlier) return tl::unexpected(earlier.error());
    if (*earlier) {
      auto built = build_on(account, **earlier, mailbox.line);
      if (!built) return tl::unexpected(built.error());
      if (*built) return std::move(**built);
    }
    auto all = whole(repository_.messages(name_, account, mailbox.line));
    if (!all) return tl::unexpected(all.error());
    listing.line.listing = Listing::kFull;
    listing.line.base.reset();
    listing.line.gone.clear();
    listing.line.chain = 0;
    listing.line.weight = 0;
    listing.line.records = all->size();
    for (auto& message : *all) listing.messages.push_back(std::move(message.second));
    return listing;
  }

  // The latest that stays, before this one, in which the mailbox can be built on.
  Result<std::optional<GenerationName>> find_earlier(const std::string& account,
                                                     const MailboxLine& line) {
    for (auto at = std::lower_bound(kept_.begin(), kept_.end(), name_); at != kept_.begin();) {
      auto section = repository_.section(*--at, account);
      if (!section && section.error().code == ErrorCode::kNotFound) continue;
      if (!section) return tl::unexpected(section.error());
      const ListedMailbox* base = (*section)->find(line.guid, line.uid_validity);
      if (base != nullptr && base->line.left_out == 0) return *at;
    }
    return std::nullopt;
  }

  // nullopt where that generation has the mailbox too differently.
  Result<std::optional<NewListing>> build_on(const std::string& account,
                                             const GenerationName& earlier,
                                             const MailboxLine& line) {
    auto section = repository_.section(earlier, account);
    if (!section) return tl::unexpected(section.error());
    const ListedMailbox* base = (*section)->find(line.guid, line.uid_validity);
    if (base == nullptr) return std::nullopt;
    NewListing listing{line, {}};
    MailboxLine& changed = listing.line;
    changed.gone.clear();
    changed.records = 0;
    changed.base = base->line.listing == Listing::kSame ? *base->line.base : earlier;
    changed.chain = base->line.chain;
    changed.weight = base->line.weight;
    changed.listing = Listing::kSame;
    const bool unchanged = line.highest_modseq == base->line.highest_modseq &&
                           line.messages == base->line.messages && line.left_out == 0;
    if (unchanged) return listing;
    auto before = whole(repository_.messages(earlier, account, base->line));
    auto now = before ? whole(repository_.messages(name_, account, line)) : before;
    if (!now) return tl::unexpected(now.error());
    take_difference(*before, *now, listing);
    const std::uint64_t weight = listing.messages.size() + changed.gone.size();
    if (weight == 0) return listing;
    changed.listing = Listing::kDelta;
    changed.chain += 1;
    changed.weight += weight;
    const std::uint64_t most = std::max(line.messages, base->line.messages) / 2;
    if (changed.chain > kLongestChain || changed.weight > most) return std::nullopt;
    return listing;
  }

  static void take_difference(const Messages& before, Messages& now, NewListing& listing) {
    std::vector<store::Uid> gone;
    auto old = before.begin();
    for (auto& message : now) {
      while (old != before.end() && old->first < message.first) gone.push_back((old++)->first);
      if (old != before.end() && old->first == message.first) {
        if ((old++)->second == message.second) continue;
      }
      listing.messages.push_back(std::move(message.second));
    }
    for (; old != before.end(); ++old) gone.push_back(old->first);
    listing.line.gone = ranges_of(gone);
    listing.line.records = listing.messages.size();
  }

  Repository& repository_;
  GenerationName name_;
  const std::vector<GenerationName>& kept_;
};

}  // namespace

Result<void> must_be_whole(const std::vector<std::string>& problems) {
  if (problems.empty()) return {};
  return fail(ErrorCode::kCorrupt, problems.front() +
                                       ": nothing is removed while this generation is kept (remove "
                                       "its folder by hand to give it up)");
}

Result<bool> rebase(Repository& repository, const GenerationName& name,
                    const std::vector<GenerationName>& kept) {
  return Rebase(repository, name, kept).run();
}

}  // namespace twinpost::tools::backup
