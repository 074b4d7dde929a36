#include "tests/powercut/model.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <mutex>
#include <sstream>

namespace twinpost::powercut {

namespace {

using Random = std::mt19937_64;
using store::Removal;

constexpr std::uint64_t kNumbersOfThread = 1'000'000;
constexpr std::size_t kMostMessages = 60;  // of one mailbox, before it is thinned out
constexpr std::size_t kMostMailboxes = 6;
constexpr std::size_t kMostRemoved = 40;

template <class Container>
auto any(Random& random, const Container& container) {
  return std::next(container.begin(), static_cast<std::ptrdiff_t>(random() % container.size()));
}

}  // namespace

namespace {
std::string make_mail(std::uint64_t number) {
  Random random(number);
  std::size_t octets = 500 + random() % 8000;
  if (random() % 6 == 0) octets = 16'000 + random() % 40'000;
  if (random() % 120 == 0) octets = 300'000;
  std::string mail = "X-Number: " + std::to_string(number) + "\r\nSubject: number " +
                     std::to_string(number) + "\r\n\r\n";
  while (mail.size() < octets) {
    for (int word = 0; word < 8; ++word) {
      char digits[16];
      const auto end = std::to_chars(digits, digits + sizeof digits, random() >> 32, 16).ptr;
      mail.append(digits, end);
    }
    mail += "\r\n";
  }
  return mail;
}
}  // namespace

const std::string& mail_of(std::uint64_t number) {
  static std::mutex mutex;
  static std::map<std::uint64_t, std::string> made;
  const std::lock_guard lock(mutex);
  std::string& mail = made[number];
  if (mail.empty()) mail = make_mail(number);
  return mail;
}

std::optional<std::uint64_t> number_of(std::string_view mail) {
  constexpr std::string_view kField = "X-Number: ";
  if (!mail.starts_with(kField)) return std::nullopt;
  mail.remove_prefix(kField.size());
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(mail.data(), mail.data() + mail.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr == mail.data()) return std::nullopt;
  return number;
}

std::string account_of(unsigned thread) { return "user" + std::to_string(thread) + "@example.org"; }
unsigned thread_of(std::uint64_t number) {
  return static_cast<unsigned>(number / kNumbersOfThread);
}
std::uint64_t first_number(unsigned thread) { return thread * kNumbersOfThread + 1; }

std::string Operation::line() const {
  std::ostringstream out;
  out << static_cast<int>(kind) << ' ' << mailbox << ' ' << target << ' ' << number << ' '
      << static_cast<int>(change) << ' ' << static_cast<int>(flags) << ' '
      << (keyword.empty() ? "-" : keyword) << ' ' << (name.empty() ? "-" : name);
  for (const std::uint32_t uid : uids) out << ' ' << uid;
  return out.str();
}

Operation Operation::parse(const std::string& line) {
  std::istringstream in(line);
  Operation operation;
  int kind = 0;
  int change = 0;
  int flags = 0;
  in >> kind >> operation.mailbox >> operation.target >> operation.number >> change >> flags >>
      operation.keyword >> operation.name;
  operation.kind = static_cast<Kind>(kind);
  operation.change = static_cast<store::FlagOperation>(change);
  operation.flags = static_cast<store::FlagBits>(flags);
  if (operation.keyword == "-") operation.keyword.clear();
  if (operation.name == "-") operation.name.clear();
  for (std::uint32_t uid = 0; in >> uid;) operation.uids.push_back(uid);
  return operation;
}

std::string message_line(const std::string& where, std::uint32_t uid,
                         const Model::Message& message) {
  std::string line = where + " UID " + std::to_string(uid) + ": message " +
                     std::to_string(message.number) + " flags " + std::to_string(message.flags);
  for (const std::string& keyword : message.keywords) line += " " + keyword;
  return line;
}

std::string mailbox_line(std::uint32_t id, const std::string& name, std::uint32_t uid_next,
                         std::size_t messages) {
  return "mailbox " + std::to_string(id) + " " + name + " UIDNEXT " + std::to_string(uid_next) +
         " messages " + std::to_string(messages);
}

std::string removed_place(std::uint32_t mailbox, Removal how) {
  static const char* const words[] = {"expunged", "with its mailbox", "moved"};
  return std::string("removed (") + words[static_cast<std::size_t>(how)] + ") from " +
         std::to_string(mailbox);
}

std::string shared_line(std::uint64_t number) { return "shared message " + std::to_string(number); }

Model::Model() { mailboxes_[1].name = "INBOX"; }

void Model::take_out(std::uint32_t mailbox, std::uint32_t uid, Removal how) {
  auto node = mailboxes_.at(mailbox).messages.extract(uid);
  removed_[{mailbox, uid}] = {std::move(node.mapped()), how};
}

void Model::apply(const Operation& operation) {
  using Kind = Operation::Kind;
  const auto put = [this](std::uint32_t mailbox, Message message) {
    Mailbox& to = mailboxes_.at(mailbox);
    to.messages[to.uid_next++] = std::move(message);
  };
  switch (operation.kind) {
    case Kind::kAppend: {
      Message message{operation.number, operation.flags, {}};
      if (!operation.keyword.empty()) message.keywords.insert(operation.keyword);
      put(operation.mailbox, std::move(message));
      break;
    }
    case Kind::kFlags:
      for (const std::uint32_t uid : operation.uids) {
        Message& message = mailboxes_.at(operation.mailbox).messages.at(uid);
        const bool replace = operation.change == store::FlagOperation::kReplace;
        if (replace) message.keywords.clear();
        if (operation.change == store::FlagOperation::kRemove) {
          message.flags = static_cast<store::FlagBits>(message.flags & ~operation.flags);
          message.keywords.erase(operation.keyword);
        } else {
          message.flags =
              static_cast<store::FlagBits>((replace ? 0 : message.flags) | operation.flags);
          if (!operation.keyword.empty()) message.keywords.insert(operation.keyword);
        }
      }
      break;
    case Kind::kExpunge:
      for (const std::uint32_t uid : operation.uids) {
        take_out(operation.mailbox, uid, Removal::kExpunged);
      }
      break;
    case Kind::kMove:
    case Kind::kCopy:
      for (const std::uint32_t uid : operation.uids) {
        const Message message = mailboxes_.at(operation.mailbox).messages.at(uid);
        if (operation.kind == Kind::kMove) take_out(operation.mailbox, uid, Removal::kMoved);
        put(operation.target, message);
      }
      break;
    case Kind::kUndelete:
      for (const std::uint32_t uid : operation.uids) {
        Removed& removed = removed_.at({operation.mailbox, uid});
        removed.how = Removal::kMoved;  // its record stays
        Message message = removed.message;
        constexpr int kDeleted = store::bit(store::Flag::kDeleted);
        message.flags = static_cast<store::FlagBits>(message.flags & ~kDeleted);
        put(operation.target, std::move(message));
      }
      break;
    case Kind::kForget:
      for (const std::uint32_t uid : operation.uids) removed_.erase({operation.mailbox, uid});
      break;
    case Kind::kCreate: mailboxes_[next_mailbox_++].name = operation.name; break;
    case Kind::kDelete:
      while (!mailboxes_.at(operation.mailbox).messages.empty()) {
        take_out(operation.mailbox, mailboxes_.at(operation.mailbox).messages.begin()->first,
                 Removal::kMailboxDeleted);
      }
      mailboxes_.erase(operation.mailbox);
      break;
    case Kind::kRename: mailboxes_.at(operation.mailbox).name = operation.name; break;
    case Kind::kSharedAppend: shared_.insert(operation.number); break;
    case Kind::kSharedExpunge: shared_.erase(operation.number); break;
  }
}

std::vector<std::uint32_t> Model::some(Random& random, const Mailbox& mailbox) const {
  std::set<std::uint32_t> uids;
  for (std::size_t wanted = 1 + random() % 6; wanted > 0; --wanted) {
    uids.insert(any(random, mailbox.messages)->first);
  }
  return {uids.begin(), uids.end()};
}

Operation Model::on_messages(Random& random, std::uint32_t mailbox) const {
  using Kind = Operation::Kind;
  const Mailbox& from = mailboxes_.at(mailbox);
  Operation operation;
  operation.mailbox = mailbox;
  operation.uids = some(random, from);
  operation.target = any(random, mailboxes_)->first;
  const std::uint64_t chance = random() % 10;
  if (chance < 4 || operation.target == mailbox) {
    operation.kind = Kind::kFlags;
    operation.change = static_cast<store::FlagOperation>(random() % 3);
    operation.flags = static_cast<store::FlagBits>(random() % 32);
    if (random() % 3 == 0) operation.keyword = "key" + std::to_string(random() % 4);
  } else {
    operation.kind = chance < 6 ? Kind::kMove : Kind::kCopy;
  }
  if (chance > 7 || from.messages.size() > kMostMessages) operation.kind = Kind::kExpunge;
  return operation;
}

// Those that are not in the account otherwise: undelete() leaves the others.
std::optional<Operation> Model::on_removed(Random& random) const {
  if (removed_.empty()) return std::nullopt;
  const auto& [place, removed] = *any(random, removed_);
  Operation operation;
  operation.mailbox = place.first;
  operation.uids = {place.second};
  const bool forget = removed_.size() > kMostRemoved || random() % 3 == 0;
  operation.kind = forget ? Operation::Kind::kForget : Operation::Kind::kUndelete;
  if (!forget && removed.how == Removal::kMoved) return std::nullopt;
  if (forget) {
    for (const auto& [other, ignored] : removed_) {
      if (other.first == place.first && other.second != place.second && random() % 2 == 0) {
        operation.uids.push_back(other.second);
      }
    }
  }
  operation.target = mailboxes_.contains(place.first) ? place.first : 1;
  return operation;
}

Operation Model::on_mailboxes(Random& random) const {
  using Kind = Operation::Kind;
  Operation operation;
  operation.name = "box" + std::to_string(next_mailbox_) + "-" + std::to_string(random() % 1000);
  operation.mailbox = any(random, mailboxes_)->first;
  if (operation.mailbox == 1 || mailboxes_.size() < 3) {
    operation.kind = Kind::kCreate;
  } else {
    const bool rename = random() % 2 == 0 && mailboxes_.size() < kMostMailboxes;
    operation.kind = rename ? Kind::kRename : Kind::kDelete;
  }
  for (const auto& [id, mailbox] : mailboxes_) {
    // The name is taken: something that is always possible.
    if (mailbox.name == operation.name && operation.kind != Kind::kDelete) {
      operation.kind = Kind::kAppend;
      operation.mailbox = 1;
      operation.number = 1 + random() % 5;
    }
  }
  return operation;
}

Operation Model::choose(Random& random, std::uint64_t& next_number) const {
  using Kind = Operation::Kind;
  Operation operation;
  const std::uint64_t chance = random() % 100;
  const auto mailbox = any(random, mailboxes_);
  if (chance < 45 && !mailbox->second.messages.empty()) return on_messages(random, mailbox->first);
  if (chance < 60) {
    if (auto chosen = on_removed(random)) return *chosen;
  }
  if (chance < 66) return on_mailboxes(random);
  if (chance < 72 && !shared_.empty()) {
    operation.kind = Kind::kSharedExpunge;
    operation.number = *any(random, shared_);
    return operation;
  }
  operation.kind = chance < 80 ? Kind::kSharedAppend : Kind::kAppend;
  operation.mailbox = mailbox->first;
  operation.number = next_number++;
  // Now and then one that others have too: its octets are shared.
  if (operation.kind == Kind::kAppend && random() % 10 == 0) operation.number = 1 + random() % 20;
  operation.flags = static_cast<store::FlagBits>(random() % 32);
  if (random() % 4 == 0) operation.keyword = "key" + std::to_string(random() % 4);
  return operation;
}

std::vector<std::string> Model::lines() const {
  std::vector<std::string> lines;
  for (const auto& [id, mailbox] : mailboxes_) {
    lines.push_back(mailbox_line(id, mailbox.name, mailbox.uid_next, mailbox.messages.size()));
    for (const auto& [uid, message] : mailbox.messages) {
      lines.push_back(message_line(std::to_string(id), uid, message));
    }
  }
  for (const auto& [place, removed] : removed_) {
    lines.push_back(
        message_line(removed_place(place.first, removed.how), place.second, removed.message));
  }
  for (const std::uint64_t number : shared_) lines.push_back(shared_line(number));
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace twinpost::powercut
