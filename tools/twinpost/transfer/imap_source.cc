#include "tools/twinpost/transfer/imap_source.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <thread>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/encoding.h"
#include "tools/twinpost/transfer/imap_folders.h"
#include "tools/twinpost/transfer/imap_listing.h"
#include "tools/twinpost/transfer/imap_octets.h"
#include "tools/twinpost/transfer/imap_password.h"
#include "tools/twinpost/transfer/imap_session.h"
#include "tools/twinpost/transfer/pop3_uidls.h"

namespace twinpost::tools {

namespace {

using store::SpecialUse;

constexpr std::size_t kStatusAtOnce = 20;
constexpr unsigned kPop3Attempts = 5;
constexpr std::size_t kMostNotes = 1000;

// Gmail's folders that show messages of other folders once more.
bool is_gmail_view(const MailFolder& folder) {
  return folder.special_use == SpecialUse::kFlagged || folder.special_use == SpecialUse::kImportant;
}

class ImapSource : public MailSource {
 public:
  ImapSource(const ImapImportOptions& options, MailLogin login, MailLogin pop3_login)
      : options_(options),
        note_(options.note ? options.note : [this](std::string_view line) { keep_note(line); }),
        session_(std::move(login), Reconnecting{options.reconnects, options.first_pause, note_}),
        octets_(session_, options.largest_message),
        pop3_login_(std::move(pop3_login)) {}
  ~ImapSource() override {
    if (pop3_) pop3_->quit();
    wipe(pop3_login_.password);
  }

  Result<void> connect() {
    if (auto connected = session_.connect(); !connected) return connected;
    return options_.pop3 && wants_inbox() ? connect_pop3() : Result<void>{};
  }

  [[nodiscard]] std::string description() const override {
    return fmt::format("IMAP {} at {}:{}", options_.user, session_.login().host,
                       session_.login().port);
  }
  [[nodiscard]] Result<std::vector<MailFolder>> folders() override;
  [[nodiscard]] Result<std::vector<MailItem>> items(const MailFolder& folder) override;
  [[nodiscard]] Result<std::string> read(const MailFolder& folder, const MailItem& item,
                                         std::span<const MailItem> next) override {
    return octets_.read(folder, item, next);
  }
  [[nodiscard]] std::vector<std::string> take_notes() override { return std::exchange(notes_, {}); }

 private:
  [[nodiscard]] bool wants_inbox() const {
    FolderRules rules{options_.folders, false};
    return !plan_folders({ListedFolder{"INBOX", '/', {}}}, {}, {}, rules).folders.empty();
  }
  [[nodiscard]] Result<void> connect_pop3();
  [[nodiscard]] Result<FolderPlan> list(ImapClient& client);
  [[nodiscard]] Result<void> ask_status(ImapClient& client, std::span<MailFolder> folders);
  void skip_gmail_views(std::vector<MailFolder>& folders);
  [[nodiscard]] bool is_elsewhere(const ListedMessage& message) const;
  [[nodiscard]] Result<void> add_uidls(const MailFolder& inbox, std::vector<MailItem>& items);

  // Of a connection that breaks all the time there may be any number.
  void keep_note(std::string_view line) {
    if (notes_.size() < kMostNotes) notes_.emplace_back(line);
  }

  const ImapImportOptions options_;
  const std::function<void(std::string_view)> note_;
  std::vector<std::string> notes_;
  ImapSession session_;
  ImapOctets octets_;
  MailLogin pop3_login_;
  std::unique_ptr<Pop3Client> pop3_;
  bool reduces_all_mail_ = false;
  std::set<std::string> labels_;  // Gmail's, of the folders that are brought
};

// Another session may have the maildrop, and some servers want time between logins: both pass.
Result<void> ImapSource::connect_pop3() {
  auto pause = options_.first_pause;
  for (unsigned attempt = 1;; ++attempt) {
    auto client = Pop3Client::open(pop3_login_);
    if (client) {
      pop3_ = *std::move(client);
      return {};
    }
    const bool later = client.error().code == ErrorCode::kInUse;
    if (later && attempt < kPop3Attempts) {
      note_(client.error().message + "; trying again");
      std::this_thread::sleep_for(pause);
      pause *= 2;
      continue;
    }
    return fail(client.error().code,
                client.error().message +
                    " (without POP3 the messages get new UIDLs; if nobody uses POP3: --pop3 none)");
  }
}

Result<FolderPlan> ImapSource::list(ImapClient& client) {
  std::vector<ListedFolder> listed;
  std::set<std::string> subscribed;
  ImapNamespaces namespaces;
  bool by_lsub = false;
  const auto take = [&](ImapResponse response) -> Result<void> {
    if (response.kind != ImapResponse::Kind::kData) return {};
    if (response.name == "NAMESPACE") namespaces = read_namespaces(response);
    if (response.name != "LIST" && response.name != "XLIST" && response.name != "LSUB") return {};
    auto folder = read_list(response);
    if (!folder) return tl::unexpected(std::move(folder.error()));
    if (by_lsub) {
      subscribed.insert(std::move(folder->native));
      return {};
    }
    if (listed.size() >= store::kMostMailboxes) {
      return fail(ErrorCode::kLimit,
                  fmt::format("the server lists more than {} folders; choose some by --folder",
                              store::kMostMailboxes));
    }
    listed.push_back(*std::move(folder));
    return {};
  };
  const auto run = [&](const std::string& command) -> Result<void> {
    const auto answer = client.run(ImapCommand(command), take);
    if (!answer) return tl::unexpected(answer.error());
    if (answer->is_status("OK")) return {};
    return fail(ErrorCode::kUnsupported,
                fmt::format("the server refuses {}: {}", command.substr(0, command.find(' ')),
                            answer->text));
  };
  if (client.has("NAMESPACE")) {
    if (auto done = run("NAMESPACE"); !done) return tl::unexpected(std::move(done.error()));
  }
  // RFC 5258, RFC 6154; XLIST is what Gmail and its imitators had before.
  const bool is_extended = client.has("LIST-EXTENDED");
  std::string command = "LIST \"\" \"*\"";
  if (is_extended) {
    command +=
        client.has("SPECIAL-USE") ? " RETURN (SUBSCRIBED SPECIAL-USE)" : " RETURN (SUBSCRIBED)";
  } else if (client.has("XLIST") && !client.has("SPECIAL-USE")) {
    command = "XLIST \"\" \"*\"";
  }
  if (auto done = run(command); !done) return tl::unexpected(std::move(done.error()));
  by_lsub = true;
  if (!is_extended) {
    if (auto done = run("LSUB \"\" \"*\""); !done) return tl::unexpected(std::move(done.error()));
  }
  return plan_folders(listed, subscribed, namespaces,
                      FolderRules{options_.folders, options_.other_namespaces});
}

// What a folder is without opening it. One that the server refuses stays without, and items() says
// why.
Result<void> ImapSource::ask_status(ImapClient& client, std::span<MailFolder> folders) {
  const bool has_modseq = client.has("CONDSTORE") || client.has("QRESYNC");
  const std::string items =
      has_modseq ? " (UIDVALIDITY UIDNEXT HIGHESTMODSEQ)" : " (UIDVALIDITY UIDNEXT)";
  std::vector<ImapCommand> commands;
  std::map<std::string, MailFolder*, std::less<>> by_name;
  for (MailFolder& folder : folders) {
    if (!folder.selectable) continue;
    commands.push_back(ImapCommand("STATUS ").string(folder.native_name).text(items));
    by_name[folder.native_name] = &folder;
    by_name[folder.name == "INBOX" ? "INBOX" : folder.native_name] = &folder;
  }
  const auto take = [&](ImapResponse response) -> Result<void> {
    if (response.name != "STATUS" || !response.fault.empty() || response.values.size() < 2)
      return {};
    const std::string& name = response.values[0].text;
    const auto found = by_name.find(ascii::equals_ignore_case(name, "INBOX") ? "INBOX" : name);
    if (found == by_name.end()) return {};
    const auto& list = response.values[1].list;
    for (std::size_t i = 0; i + 1 < list.size(); i += 2) {
      const auto number = list[i + 1].number();
      if (!number) continue;
      const std::string item = ascii::upper(list[i].text);
      if (item == "HIGHESTMODSEQ") found->second->highest_modseq = store::ModSeq(*number);
      if (*number > UINT32_MAX) continue;
      const auto small = static_cast<std::uint32_t>(*number);
      if (item == "UIDVALIDITY") found->second->uid_validity = store::UidValidity(small);
      if (item == "UIDNEXT") found->second->uid_next = store::Uid(small);
    }
    return {};
  };
  const auto answers = client.run_all(commands, take);
  return answers ? Result<void>{} : tl::unexpected(answers.error());
}

Result<std::vector<MailFolder>> ImapSource::folders() {
  FolderPlan plan;
  bool is_gmail = false;
  auto done = session_.attempt([&](ImapClient& client) -> Result<void> {
    is_gmail = client.has("X-GM-EXT-1");
    auto made = list(client);
    if (!made) return tl::unexpected(std::move(made.error()));
    plan = *std::move(made);
    return {};
  });
  if (!done) return tl::unexpected(done.error());
  for (const std::string& note : plan.notes) note_(note);
  if (plan.foreign > 0) {
    note_(fmt::format(
        "{} folders of other users, or shared ones, are left out (--all-namespaces brings them)",
        plan.foreign));
  }
  if (is_gmail && options_.skip_gmail_all) skip_gmail_views(plan.folders);
  const std::span<MailFolder> all(plan.folders);
  for (std::size_t i = 0; i < all.size(); i += kStatusAtOnce) {
    done = session_.attempt([&](ImapClient& client) {
      return ask_status(client, all.subspan(i, std::min(kStatusAtOnce, all.size() - i)));
    });
    if (!done) return tl::unexpected(done.error());
  }
  return std::move(plan.folders);
}

void ImapSource::skip_gmail_views(std::vector<MailFolder>& folders) {
  for (const MailFolder& folder : folders) {
    if (!folder.selectable || is_gmail_view(folder)) continue;
    if (folder.special_use == SpecialUse::kAll) {
      reduces_all_mail_ = true;
      continue;
    }
    labels_.insert(folder.native_name);
    // Gmail has labels of its own for these.
    if (folder.name == "INBOX") labels_.insert("\\inbox");
    if (folder.special_use == SpecialUse::kSent) labels_.insert("\\sent");
    if (folder.special_use == SpecialUse::kDrafts) labels_.insert({"\\draft", "\\drafts"});
  }
  if (!reduces_all_mail_) return;
  const std::size_t before = folders.size();
  std::erase_if(folders, is_gmail_view);
  note_(fmt::format(
      "Gmail: of \"All Mail\" only what no other folder has is brought{} (--no-skip-gmail-all "
      "brings everything, as often as Gmail shows it)",
      folders.size() < before ? ", and \"Starred\" and \"Important\" not at all" : ""));
}

bool ImapSource::is_elsewhere(const ListedMessage& message) const {
  return std::any_of(
      message.gmail_labels.begin(), message.gmail_labels.end(), [this](const std::string& label) {
        return labels_.contains(label.starts_with('\\') ? ascii::lower(label) : label);
      });
}

Result<std::vector<MailItem>> ImapSource::items(const MailFolder& folder) {
  auto listed = list_messages(session_, folder, note_);
  if (!listed) return tl::unexpected(std::move(listed.error()));
  const bool reduces = reduces_all_mail_ && folder.special_use == SpecialUse::kAll;
  std::vector<MailItem> items;
  items.reserve(listed->size());
  for (ListedMessage& message : *listed) {
    if (!reduces || !is_elsewhere(message)) items.push_back(std::move(message.item));
  }
  if (folder.name == "INBOX" && options_.pop3) {
    if (auto added = add_uidls(folder, items); !added)
      return tl::unexpected(std::move(added.error()));
  }
  return items;
}

Result<void> ImapSource::add_uidls(const MailFolder& inbox, std::vector<MailItem>& items) {
  std::vector<InboxMessage> messages;
  for (const MailItem& item : items) messages.push_back({item.uid.value(), item.size});
  const auto headers = [&](std::span<const std::uint32_t> uids) {
    return session_.headers(inbox, uids);
  };
  // A maildrop stays as it was at the login: mail that came since is seen by another one.
  if (pop3_ && !pop3_->limits_logins()) {
    const auto count = pop3_->count();
    if (count && *count < messages.size()) pop3_->quit();
    if (!count || *count < messages.size()) pop3_.reset();
  }
  for (unsigned attempt = 1;; ++attempt) {
    if (!pop3_) {
      if (auto connected = connect_pop3(); !connected) return connected;
    }
    auto uidls = fetch_uidls(*pop3_, messages, inbox.uid_validity.value(), headers, note_);
    if (uidls || uidls.error().code == ErrorCode::kUnsupported) pop3_->quit();
    pop3_.reset();
    if (uidls) {
      for (MailItem& item : items) {
        if (const auto found = uidls->find(item.uid.value()); found != uidls->end())
          item.uidl = std::move(found->second);
      }
      return {};
    }
    // Its own lists took too long for a POP3 session's timeout, or the net broke.
    if (!is_broken_connection(uidls.error()) || attempt > options_.reconnects) {
      return fail(uidls.error().code,
                  uidls.error().message + " (to bring the mail without its UIDLs: --pop3 none)");
    }
    note_(uidls.error().message + "; connecting again");
  }
}

MailLogin login_of(const ImapImportOptions& options, const std::string& password) {
  MailLogin login;
  login.host = options.host;
  login.port = options.port != 0 ? options.port : options.tls == TlsMode::kImplicit ? 993 : 143;
  login.tls = options.tls;
  login.trust = options.trust;
  login.user = options.user;
  login.password = password;
  login.timeouts = options.timeouts;
  return login;
}

MailLogin pop3_login_of(const ImapImportOptions& options, const std::string& password) {
  MailLogin login = login_of(options, password);
  if (!options.pop3_host.empty()) login.host = options.pop3_host;
  login.tls = options.pop3_tls;
  login.port = options.pop3_port != 0            ? options.pop3_port
               : login.tls == TlsMode::kImplicit ? 995
                                                 : 110;
  return login;
}

}  // namespace

Result<std::unique_ptr<MailSource>> open_imap_source(const ImapImportOptions& options) {
  auto password = import_password(options);
  if (!password) return tl::unexpected(std::move(password.error()));
  auto source = std::make_unique<ImapSource>(options, login_of(options, *password),
                                             pop3_login_of(options, *password));
  wipe(*password);
  if (auto connected = source->connect(); !connected)
    return tl::unexpected(std::move(connected.error()));
  return source;
}

}  // namespace twinpost::tools
