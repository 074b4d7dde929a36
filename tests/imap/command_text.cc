#include "tests/imap/command_text.h"

#include <chrono>
#include <stdexcept>

#include "imap/response.h"

namespace twinpost::imap {

namespace {

std::string quote(std::string_view text) {
  std::string out = "'";
  out += text;
  return out + "'";
}

std::string day_text(std::chrono::sys_days day) {
  const std::chrono::year_month_day date{day};
  char text[16];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return text;
}

std::string relation_text(DateRelation relation) {
  switch (relation) {
    case DateRelation::kBefore: return "<";
    case DateRelation::kOn: return "=";
    case DateRelation::kSince: return ">=";
  }
  return "?";
}

std::string flags_text(const FlagList& list) {
  std::string out;
  const auto add = [&](std::string_view name) {
    if (!out.empty()) out += ' ';
    out += name;
  };
  for (const store::Flag flag : kAllFlags) {
    if ((list.flags & store::bit(flag)) != 0) add(flag_name(flag));
  }
  for (const auto keyword : list.keywords) add(keyword);
  return "[" + out + "]";
}

std::string section_text(const Section& section) {
  std::string out;
  append_section(out, section);
  return out;
}

std::string partial_text(const std::optional<Partial>& partial) {
  if (!partial) return {};
  return "<" + std::to_string(partial->offset) + "." + std::to_string(partial->length) + ">";
}

std::string status_items_text(StatusItems items) {
  static constexpr std::string_view kNames[] = {
      "messages", "recent",      "uidnext",       "uidvalidity", "unseen",         "deleted",
      "size",     "appendlimit", "highestmodseq", "mailboxid",   "deleted-storage"};
  std::string out;
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    if ((items >> i & 1) == 0) continue;
    if (!out.empty()) out += ',';
    out += kNames[i];
  }
  return out;
}

std::string item_text(const FetchItem& item) {
  switch (item.kind) {
    case FetchKind::kUid: return "uid";
    case FetchKind::kFlags: return "flags";
    case FetchKind::kInternalDate: return "date";
    case FetchKind::kRfc822Size: return "size";
    case FetchKind::kEnvelope: return "envelope";
    case FetchKind::kBodyStructure: return "bodystructure";
    case FetchKind::kBodyShort: return "body";
    case FetchKind::kSection:
      return (item.peek ? "peek" : "section") + section_text(item.section) +
             partial_text(item.partial);
    case FetchKind::kRfc822: return "rfc822";
    case FetchKind::kRfc822Header: return "rfc822.header";
    case FetchKind::kRfc822Text: return "rfc822.text";
    case FetchKind::kBinary:
      return (item.peek ? "binary.peek" : "binary") + section_text(item.section) +
             partial_text(item.partial);
    case FetchKind::kBinarySize: return "binary.size" + section_text(item.section);
    case FetchKind::kModSeq: return "modseq";
    case FetchKind::kEmailId: return "emailid";
    case FetchKind::kThreadId: return "threadid";
    case FetchKind::kSaveDate: return "savedate";
    case FetchKind::kPreview: return item.lazy ? "preview(lazy)" : "preview";
  }
  return "?";
}

std::string children_text(std::string_view name, const SearchKey& key) {
  std::string out(name);
  out += '(';
  for (std::size_t i = 0; i < key.children().size(); ++i) {
    if (i > 0) out += ' ';
    out += to_text(key.children()[i]);
  }
  return out + ")";
}

std::string date_text(std::string_view what, const SearchKey& key) {
  const auto& date = std::get<SearchDate>(key.value);
  return std::string(what) + relation_text(date.relation) + day_text(date.day);
}

struct ArgumentsText {
  std::string operator()(const Capability&) const { return {}; }
  std::string operator()(const Noop&) const { return {}; }
  std::string operator()(const Logout&) const { return {}; }
  std::string operator()(const StartTls&) const { return {}; }
  std::string operator()(const Unauthenticate&) const { return {}; }
  std::string operator()(const Namespace&) const { return {}; }
  std::string operator()(const Idle&) const { return {}; }
  std::string operator()(const Check&) const { return {}; }
  std::string operator()(const Close&) const { return {}; }
  std::string operator()(const Unselect&) const { return {}; }
  std::string operator()(const Id& id) const {
    if (!id.fields) return " nil";
    std::string out;
    for (const auto& [name, value] : *id.fields) {
      out += " " + std::string(name) + "=" + (value ? quote(*value) : "nil");
    }
    return out.empty() ? " empty" : out;
  }
  std::string operator()(const Login& login) const {
    return " " + quote(login.user) + " " + quote(login.password);
  }
  std::string operator()(const Authenticate& a) const {
    return " " + std::string(a.mechanism) +
           (a.initial_response ? " " + quote(*a.initial_response) : "");
  }
  std::string operator()(const Enable& enable) const {
    std::string out;
    for (const auto name : enable.capabilities) out += " " + std::string(name);
    return out;
  }
  std::string operator()(const Compress& compress) const {
    return " " + std::string(compress.mechanism);
  }
  std::string operator()(const Select& s) const {
    std::string out = " " + quote(s.mailbox) + (s.read_only ? " read-only" : "") +
                      (s.condstore ? " condstore" : "");
    if (!s.qresync) return out;
    out += " qresync " + std::to_string(s.qresync->uid_validity) + " " +
           std::to_string(s.qresync->mod_seq);
    if (s.qresync->known_uids) out += " " + s.qresync->known_uids->to_string();
    if (s.qresync->sequence_match) {
      out += " match " + s.qresync->sequence_match->first.to_string() + " " +
             s.qresync->sequence_match->second.to_string();
    }
    return out;
  }
  std::string operator()(const Create& create) const {
    std::string out = " " + quote(create.mailbox);
    for (const auto use : create.special_use) out += " " + std::string(use);
    return out;
  }
  std::string operator()(const Delete& c) const { return " " + quote(c.mailbox); }
  std::string operator()(const Rename& c) const { return " " + quote(c.from) + " " + quote(c.to); }
  std::string operator()(const Subscribe& c) const { return " " + quote(c.mailbox); }
  std::string operator()(const Unsubscribe& c) const { return " " + quote(c.mailbox); }
  std::string operator()(const Status& c) const {
    return " " + quote(c.mailbox) + " " + status_items_text(c.items);
  }
  std::string operator()(const List& list) const {
    std::string out = list.extended ? " extended" : "";
    if (list.select_subscribed) out += " +subscribed";
    if (list.select_remote) out += " +remote";
    if (list.select_recursive_match) out += " +recursivematch";
    if (list.select_special_use) out += " +special-use";
    out += " " + quote(list.reference);
    for (const auto pattern : list.patterns) out += " " + quote(pattern);
    if (list.return_subscribed) out += " return:subscribed";
    if (list.return_children) out += " return:children";
    if (list.return_special_use) out += " return:special-use";
    if (list.return_status != 0) out += " return:status:" + status_items_text(list.return_status);
    return out;
  }
  std::string operator()(const Lsub& c) const {
    return " " + quote(c.reference) + " " + quote(c.pattern);
  }
  std::string operator()(const GetQuota& c) const { return " " + quote(c.root); }
  std::string operator()(const GetQuotaRoot& c) const { return " " + quote(c.mailbox); }
  std::string operator()(const SetQuota& c) const {
    std::string out = " " + quote(c.root);
    for (const auto& [name, limit] : c.limits) {
      out += " " + std::string(name) + "=" + std::to_string(limit);
    }
    return out;
  }
  std::string operator()(const Append& c) const {
    return " " + quote(c.mailbox) + " " + std::to_string(c.messages);
  }
  std::string operator()(const Replace& c) const {
    return " " + (c.number == 0 ? "*" : std::to_string(c.number)) + " " + quote(c.mailbox);
  }
  std::string operator()(const Expunge& c) const { return c.uids ? " " + c.uids->to_string() : ""; }
  std::string operator()(const Copy& c) const {
    return " " + c.set.to_string() + " " + quote(c.mailbox);
  }
  std::string operator()(const Move& c) const {
    return " " + c.set.to_string() + " " + quote(c.mailbox);
  }
  std::string operator()(const Store& s) const {
    std::string out = " " + s.set.to_string();
    if (s.unchanged_since) out += " unchanged:" + std::to_string(*s.unchanged_since);
    out += s.operation == store::FlagOperation::kAdd      ? " add"
           : s.operation == store::FlagOperation::kRemove ? " remove"
                                                          : " replace";
    return out + (s.silent ? " silent " : " ") + flags_text(s.flags);
  }
  std::string operator()(const Fetch& f) const {
    std::string out = " " + f.set.to_string();
    for (const FetchItem& item : f.items) out += " " + item_text(item);
    if (f.changed_since) out += " changed:" + std::to_string(*f.changed_since);
    if (f.vanished) out += " vanished";
    if (f.partial) out += " partial:" + f.partial->to_string();
    return out;
  }
  std::string operator()(const Search& s) const {
    std::string out;
    if (s.extended) out += " extended";
    if (s.return_min) out += " min";
    if (s.return_max) out += " max";
    if (s.return_all) out += " all";
    if (s.return_count) out += " count";
    if (s.return_save) out += " save";
    if (s.return_partial) out += " partial:" + s.return_partial->to_string();
    if (s.charset) out += " charset:" + std::string(*s.charset);
    return out + " " + to_text(s.key);
  }
};

}  // namespace

std::string to_text(const SearchKey& key) {
  switch (key.kind) {
    case SearchKind::kAll: return "all";
    case SearchKind::kSequence: return key.set().to_string();
    case SearchKind::kUid: return "uid:" + key.set().to_string();
    case SearchKind::kFlag: {
      const auto& flag = std::get<SearchFlag>(key.value);
      return (flag.on ? "" : "!") + std::string(flag_name(flag.flag));
    }
    case SearchKind::kKeyword: {
      const auto& keyword = std::get<SearchKeyword>(key.value);
      return (keyword.on ? "" : "!") + std::string(keyword.name);
    }
    case SearchKind::kRecent: return "recent";
    case SearchKind::kLarger: return "size>" + std::to_string(key.number());
    case SearchKind::kSmaller: return "size<" + std::to_string(key.number());
    case SearchKind::kInternalDate: return date_text("date", key);
    case SearchKind::kSentDate: return date_text("sent", key);
    case SearchKind::kSaveDate: return date_text("saved", key);
    case SearchKind::kSaveDateSupported: return "savedatesupported";
    case SearchKind::kOlder: return "age>=" + std::to_string(key.number());
    case SearchKind::kYounger: return "age<=" + std::to_string(key.number());
    case SearchKind::kModSeq: {
      const auto& mod_seq = std::get<SearchModSeq>(key.value);
      return "modseq>=" + std::to_string(mod_seq.at_least) + std::string(mod_seq.entry);
    }
    case SearchKind::kEmailId: return "emailid:" + std::string(key.text());
    case SearchKind::kThreadId: return "threadid:" + std::string(key.text());
    case SearchKind::kHeader: {
      const auto& header = std::get<SearchHeader>(key.value);
      return std::string(header.field) + ":" + quote(header.text);
    }
    case SearchKind::kBody: return "body:" + quote(key.text());
    case SearchKind::kText: return "text:" + quote(key.text());
    case SearchKind::kAnd: return children_text("and", key);
    case SearchKind::kOr: return children_text("or", key);
    case SearchKind::kNot: return children_text("not", key);
  }
  return "?";
}

std::string to_text(const AppendMessage& message) {
  std::string out = message.is_replace ? "replace " : "message ";
  if (message.is_replace) out += (message.number == 0 ? "*" : std::to_string(message.number)) + " ";
  out += quote(message.mailbox) + " " + std::to_string(message.index) + " " +
         flags_text(message.flags);
  if (message.internal_date) {
    out += " ";
    append_date_time(out, *message.internal_date);
  }
  if (message.binary) out += " binary";
  if (message.utf8) out += " utf8";
  return out + " {" + std::to_string(message.size) + "}";
}

std::string to_text(const Command& command) {
  return std::string(command.tag) + (command.uid ? " UID " : " ") +
         std::string(info(command.id).name) + std::visit(ArgumentsText{}, command.arguments);
}

std::string play(CommandReader& reader, std::string_view octets, std::string_view* rest) {
  std::string said;
  std::string refused;
  while (true) {
    const auto end = octets.find("\r\n");
    if (end == std::string_view::npos)
      throw std::runtime_error("the dialogue ends too early: " + said);
    const Step step = reader.line(octets.substr(0, end));
    octets.remove_prefix(end + 2);
    if (rest != nullptr) *rest = octets;
    const Refusal& refusal = reader.refusal();
    refused = refusal.tag + (refusal.is_bad ? " BAD " : " NO ") +
              (refusal.code.empty() ? "" : "[" + refusal.code + "] ") + refusal.text;
    switch (step.kind) {
      case Step::Kind::kComplete: return said + to_text(reader.command());
      case Step::Kind::kRefused: return said + refused;
      case Step::Kind::kBye: return said + "BYE " + refusal.text;
      case Step::Kind::kMessage: said += to_text(reader.message()) + " | "; break;
      case Step::Kind::kSkip: said += "skip " + std::to_string(step.size) + " | "; break;
      case Step::Kind::kLiteral: break;
    }
    if (step.size > octets.size()) throw std::runtime_error("the literal is cut short: " + said);
    if (step.kind == Step::Kind::kLiteral) {
      // Piece by piece, as it comes from the network.
      for (const char c : octets.substr(0, step.size)) reader.literal({&c, 1});
    }
    octets.remove_prefix(step.size);
    if (rest != nullptr) *rest = octets;
  }
}

std::string play(std::string_view octets) {
  CommandReader reader;
  return play(reader, octets);
}

}  // namespace twinpost::imap
