#include "tools/twinpost/transfer/imap_listing.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "core/base/ascii.h"
#include "core/base/encoding.h"

namespace twinpost::tools {

namespace {

constexpr std::uint32_t kSlice = 1000;

constexpr std::pair<std::string_view, store::Flag> kFlags[] = {
    {"\\Seen", store::Flag::kSeen},       {"\\Answered", store::Flag::kAnswered},
    {"\\Flagged", store::Flag::kFlagged}, {"\\Deleted", store::Flag::kDeleted},
    {"\\Draft", store::Flag::kDraft},
};

// RFC 9051 section 9, flag-keyword = atom.
bool is_keyword(std::string_view text) {
  return !text.empty() && text.size() <= 255 && std::all_of(text.begin(), text.end(), [](char c) {
    return !ascii::is_control(c) && !ascii::is_8bit(c) &&
           std::string_view(" (){%*\"\\]").find(c) == std::string_view::npos;
  });
}

class Listing {
 public:
  Listing(ImapSession& session, const MailFolder& folder,
          const std::function<void(std::string_view)>& note)
      : session_(session), folder_(folder), note_(note) {}

  Result<std::vector<ListedMessage>> run() {
    // Slice by slice, so that each has its own count of broken connections.
    for (bool more = true; more;) {
      const auto done = session_.attempt([&](ImapClient& client) -> Result<void> {
        auto begun = begin(client);
        if (!begun) return begun;
        more = next_ <= exists_;
        return more ? slice(client) : Result<void>{};
      });
      if (!done) return tl::unexpected(done.error());
    }
    return finish();
  }

 private:
  // Opens it, and again after another connection: the sequence numbers are the same only where
  // nothing came or went.
  Result<void> begin(ImapClient& client) {
    auto opened = session_.open(client, folder_, !began_);
    if (!opened) return tl::unexpected(std::move(opened.error()));
    if (began_ && opened->opening == opened_.opening) return {};
    const bool same = began_ && opened->messages == opened_.messages &&
                      opened->uid_next == opened_.uid_next && opened->uid_next != 0;
    if (!same) next_ = 1;
    exists_ = opened->messages;
    opened_ = *opened;
    began_ = true;
    return {};
  }

  Result<void> slice(ImapClient& client) {
    const std::uint32_t last = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(std::uint64_t{next_} + kSlice - 1, exists_));
    std::string items = "UID FLAGS INTERNALDATE RFC822.SIZE";
    if (client.has("SAVEDATE")) items += " SAVEDATE";
    if (client.has("X-GM-EXT-1")) items += " X-GM-LABELS";
    const auto answer = client.run(ImapCommand(fmt::format("FETCH {}:{} ({})", next_, last, items)),
                                   [this](ImapResponse r) { return take(std::move(r)); });
    if (!answer) return tl::unexpected(answer.error());
    // RFC 5530: some went while it was read, the others were listed.
    if (!answer->is_status("OK") && answer->code != "EXPUNGEISSUED") {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("folder \"{}\" can't be listed by the old server: {}", folder_.name,
                              answer->text));
    }
    next_ = last + 1;
    if (expunged_) {
      // Not allowed during FETCH (RFC 9051 7.5.1), but then the numbers have moved.
      expunged_ = false;
      if (++restarts_ > 5) {
        return fail(ErrorCode::kCorrupt,
                    fmt::format("folder \"{}\" changes too fast to be listed", folder_.name));
      }
      next_ = 1;
    }
    return {};
  }

  Result<void> take(ImapResponse response) {
    if (response.name == "EXISTS") exists_ = std::max(exists_, response.number);
    if (response.name == "EXPUNGE" || response.name == "VANISHED") {
      expunged_ = true;
      if (response.name == "EXPUNGE" && exists_ > 0) --exists_;
    }
    if (response.name != "FETCH") return {};
    auto fetched = read_fetch(std::move(response));
    if (!fetched) return tl::unexpected(std::move(fetched.error()));
    // A change of flags that another session made may come without a UID; the listing itself has
    // one.
    if (!fetched->uid) return {};
    ListedMessage& message = messages_[*fetched->uid];
    if (fetched->flags) {
      message.item.flags = 0;
      message.item.keywords.clear();
      read_flags(*fetched->flags, message.item, odd_flags_);
    }
    if (fetched->size) message.item.size = *fetched->size;
    if (fetched->date) {
      message.item.date = *fetched->date;
      dated_.insert(*fetched->uid);
    }
    if (fetched->save_date) message.item.save_date = fetched->save_date;
    if (fetched->gmail_labels) message.gmail_labels = *std::move(fetched->gmail_labels);
    return {};
  }

  std::vector<ListedMessage> finish() {
    std::vector<ListedMessage> list;
    list.reserve(messages_.size());
    std::size_t undated = 0;
    for (auto& [uid, message] : messages_) {
      message.item.uid = store::Uid(uid);
      message.item.key = import_key(folder_, message.item.uid);
      message.item.native_name = std::to_string(uid);
      if (!dated_.contains(uid)) {
        message.item.date.time = unix_now();
        ++undated;
      }
      list.push_back(std::move(message));
    }
    if (list.size() < exists_) {
      note_(
          fmt::format("folder \"{}\": the server says that there are {} messages and lists {} "
                      "(some may have been "
                      "removed meanwhile)",
                      folder_.name, exists_, list.size()));
    }
    if (undated > 0)
      note_(fmt::format("folder \"{}\": {} messages have no INTERNALDATE; they get today's",
                        folder_.name, undated));
    if (odd_flags_ > 0)
      note_(fmt::format("folder \"{}\": {} flags that are no IMAP keywords are left out",
                        folder_.name, odd_flags_));
    return list;
  }

  ImapSession& session_;
  const MailFolder& folder_;
  const std::function<void(std::string_view)>& note_;
  std::map<std::uint32_t, ListedMessage> messages_;
  std::set<std::uint32_t> dated_;
  ImapSession::Opened opened_;
  bool began_ = false;
  bool expunged_ = false;
  unsigned restarts_ = 0;
  std::uint32_t next_ = 1;
  std::uint32_t exists_ = 0;
  std::size_t odd_flags_ = 0;
};

}  // namespace

void read_flags(const std::vector<std::string>& flags, MailItem& item, std::size_t& odd) {
  for (const std::string& flag : flags) {
    const auto* known = std::find_if(std::begin(kFlags), std::end(kFlags), [&](const auto& entry) {
      return ascii::equals_ignore_case(entry.first, flag);
    });
    if (known != std::end(kFlags)) {
      item.flags = static_cast<store::FlagBits>(item.flags | store::bit(known->second));
    } else if (is_keyword(flag)) {
      item.keywords.push_back(flag);
    } else if (!flag.starts_with('\\')) {
      ++odd;
    }
  }
}

store::ImportKey import_key(const MailFolder& folder, store::Uid uid) {
  Sha256 hash;
  hash.update(fmt::format("imap\n{}\n{}\n{}\n", folder.native_name, folder.uid_validity.value(),
                          uid.value()));
  const Sha256Digest digest = hash.finish();
  store::ImportKey key{};
  std::copy_n(digest.begin(), key.size(), key.begin());
  return key;
}

Result<std::vector<ListedMessage>> list_messages(
    ImapSession& session, const MailFolder& folder,
    const std::function<void(std::string_view)>& note) {
  return Listing(session, folder, note).run();
}

}  // namespace twinpost::tools
