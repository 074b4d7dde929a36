#include "imap/list_lines.h"

#include <algorithm>

#include "core/base/ascii.h"
#include "imap/mailbox_name.h"
#include "imap/quote.h"

namespace twinpost::imap {

namespace {

void add_word(std::string& out, std::string_view word) {
  if (!out.empty() && out.back() != '(') out += ' ';
  out += word;
}

void append_name_and_delimiter(std::string& out, std::string_view name, const Style& style) {
  out += " \"";
  out += kDelimiter;
  out += "\" ";
  append_mailbox(out, name, style);
}

void add_item(std::string& out, std::string_view item, std::uint64_t value) {
  add_word(out, item);
  out += ' ';
  out += std::to_string(value);
}

}  // namespace

std::string_view child_attribute(const store::MailboxInfo* mailbox, bool has_children) {
  if (has_children) return "\\HasChildren";
  return mailbox != nullptr && mailbox->shows_removed ? "\\NoInferiors" : "\\HasNoChildren";
}

void append_list_line(std::string& out, const ListEntry& entry, const ListLineOptions& options,
                      const Style& style) {
  out += "* LIST (";
  if (entry.mailbox == nullptr) add_word(out, "\\NonExistent \\Noselect");
  if (options.subscribed && entry.subscribed) add_word(out, "\\Subscribed");
  add_word(out, child_attribute(entry.mailbox, entry.has_children));
  if (entry.mailbox != nullptr && entry.mailbox->special_use != store::SpecialUse::kNone) {
    add_word(out, special_use_name(entry.mailbox->special_use));
  }
  out += ')';
  append_name_and_delimiter(out, entry.name, style);
  if (entry.has_selected_below && (options.child_subscribed || options.child_special_use)) {
    out += " (\"CHILDINFO\" (";
    if (options.child_subscribed) add_word(out, "\"SUBSCRIBED\"");
    if (options.child_special_use) add_word(out, "\"SPECIAL-USE\"");
    out += "))";
  }
  out += "\r\n";
}

void append_lsub_line(std::string& out, const ListEntry& entry, const Style& style) {
  out += entry.selected ? "* LSUB ()" : "* LSUB (\\Noselect)";
  append_name_and_delimiter(out, entry.name, style);
  out += "\r\n";
}

void append_oldname_line(std::string& out, std::string_view name, std::string_view wire,
                         std::string_view attributes, const Style& style) {
  out += "* LIST (";
  out += attributes;
  out += ')';
  append_name_and_delimiter(out, name, style);
  out += " (\"OLDNAME\" (";
  append_string(out, wire, style.utf8);
  out += "))\r\n";
}

bool was_normalized(std::string_view wire, std::string_view name, bool utf8) {
  if (wire.ends_with(kDelimiter)) wire.remove_suffix(1);
  const std::string same = mailbox_to_wire(name, utf8);
  if (same.size() != wire.size()) return true;
  constexpr std::size_t kInboxOctets = 5;
  const bool in_inbox = name == "INBOX" || is_below(name, "INBOX");
  const std::size_t folded = in_inbox ? kInboxOctets : 0;
  return !ascii::equals_ignore_case(wire.substr(0, folded),
                                    std::string_view(same).substr(0, folded)) ||
         wire.substr(folded) != std::string_view(same).substr(folded);
}

void append_status_line(std::string& out, StatusItems items, const StatusValues& values,
                        const Style& style) {
  const store::MailboxInfo& mailbox = values.mailbox;
  const auto wants = [items](StatusItem item) { return (items & bit(item)) != 0; };
  out += "* STATUS ";
  append_mailbox(out, mailbox.name, style);
  out += " (";
  if (wants(StatusItem::kMessages)) add_item(out, "MESSAGES", mailbox.messages);
  if (wants(StatusItem::kRecent)) add_item(out, "RECENT", values.recent);
  if (wants(StatusItem::kUidNext)) add_item(out, "UIDNEXT", mailbox.uid_next.value());
  if (wants(StatusItem::kUidValidity)) {
    add_item(out, "UIDVALIDITY", mailbox.uid_validity.value());
  }
  if (wants(StatusItem::kUnseen)) add_item(out, "UNSEEN", mailbox.unseen);
  if (wants(StatusItem::kDeleted)) add_item(out, "DELETED", mailbox.deleted);
  if (wants(StatusItem::kDeletedStorage)) {
    add_item(out, "DELETED-STORAGE", values.deleted_octets);
  }
  if (wants(StatusItem::kSize)) add_item(out, "SIZE", mailbox.bytes);
  if (wants(StatusItem::kAppendLimit)) {
    if (values.append_limit != 0) {
      add_item(out, "APPENDLIMIT", values.append_limit);
    } else {
      add_word(out, "APPENDLIMIT NIL");
    }
  }
  if (wants(StatusItem::kHighestModSeq)) {
    add_item(out, "HIGHESTMODSEQ", mailbox.highest_modseq.value());
  }
  if (wants(StatusItem::kMailboxId)) {
    add_word(out, "MAILBOXID (");
    out += mailbox.mailbox_guid;
    out += ')';
  }
  out += ")\r\n";
}

Result<std::uint32_t> count_recent(const store::ReadView& view, store::AccountId account,
                                   const store::MailboxInfo& mailbox) {
  if (mailbox.first_recent >= mailbox.uid_next) return 0U;
  if (mailbox.first_recent <= store::Uid(1)) return mailbox.messages;
  std::uint32_t count = 0;
  const store::UidRange range{mailbox.first_recent, store::Uid(mailbox.uid_next.value() - 1)};
  const auto visited =
      view.for_each_message({account, mailbox.id}, range, [&count](const store::MessageRecord&) {
        ++count;
        return true;
      });
  if (!visited) return tl::unexpected(visited.error());
  return count;
}

}  // namespace twinpost::imap
