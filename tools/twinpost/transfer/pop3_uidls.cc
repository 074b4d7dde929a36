#include "tools/twinpost/transfer/pop3_uidls.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

namespace twinpost::tools {

namespace {

using HeaderPrint = PopMatch::HeaderPrint;

constexpr std::size_t kSamples = 8;
constexpr std::size_t kSlice = 200;

// Compares headers of both sides, slice by slice.
class Headers {
 public:
  Headers(Pop3Client& pop3, const PopMatch& match, const HeadersByUid& imap)
      : pop3_(pop3), match_(match), imap_(imap) {}

  // kUnsupported where the server has no TOP.
  Result<std::vector<HeaderPrint>> of_pop(std::span<const std::size_t> messages) {
    std::vector<HeaderPrint> prints;
    for (std::size_t i = 0; i < messages.size(); i += kSlice) {
      std::vector<std::uint32_t> numbers;
      for (const std::size_t index : messages.subspan(i, std::min(kSlice, messages.size() - i)))
        numbers.push_back(match_.pop()[index].number);
      const auto headers = pop3_.headers(numbers);
      if (!headers) return tl::unexpected(headers.error());
      for (const std::string& header : *headers)
        prints.push_back(header.empty() ? HeaderPrint{} : PopMatch::print_of(header));
    }
    return prints;
  }

  Result<std::vector<HeaderPrint>> of_inbox(std::span<const std::size_t> messages) {
    std::vector<HeaderPrint> prints;
    for (std::size_t i = 0; i < messages.size(); i += kSlice) {
      std::vector<std::uint32_t> uids;
      for (const std::size_t index : messages.subspan(i, std::min(kSlice, messages.size() - i)))
        uids.push_back(match_.inbox()[index].uid);
      const auto headers = imap_(uids);
      if (!headers) return tl::unexpected(headers.error());
      for (const std::uint32_t uid : uids) {
        const auto found = headers->find(uid);
        prints.push_back(found == headers->end() ? HeaderPrint{}
                                                 : PopMatch::print_of(found->second));
      }
    }
    return prints;
  }

 private:
  Pop3Client& pop3_;
  const PopMatch& match_;
  const HeadersByUid& imap_;
};

// Whether some of the pairs, first and last among them, have equal headers; nullopt where the
// server has no TOP.
Result<std::optional<bool>> sample_agrees(Headers& headers,
                                          const std::vector<PopMatch::Pair>& pairs) {
  std::vector<std::size_t> pops;
  std::vector<std::size_t> mails;
  const std::size_t count = std::min(kSamples, pairs.size());
  for (std::size_t i = 0; i < count; ++i) {
    const auto& pair = pairs[count == 1 ? 0 : i * (pairs.size() - 1) / (count - 1)];
    pops.push_back(pair.pop);
    mails.push_back(pair.inbox);
  }
  const auto left = headers.of_pop(pops);
  if (!left && left.error().code == ErrorCode::kUnsupported) return std::nullopt;
  if (!left) return tl::unexpected(left.error());
  const auto right = headers.of_inbox(mails);
  if (!right) return tl::unexpected(right.error());
  for (std::size_t i = 0; i < count; ++i) {
    // A message without a header has nothing to compare; its size did agree.
    if ((*left)[i].known && !PopMatch::are_equal((*left)[i], (*right)[i])) return false;
  }
  return true;
}

Result<void> match_by_order(PopMatch& match, Headers& headers) {
  const auto pairs = match.guess_by_order();
  if (pairs.empty()) return {};
  const auto agrees = sample_agrees(headers, pairs);
  if (!agrees) return tl::unexpected(agrees.error());
  if (agrees->value_or(match.counts_agree())) match.accept(pairs);
  return {};
}

Result<void> match_by_headers(PopMatch& match, Headers& headers, const Note& note) {
  const auto pops = match.pop_left();
  const auto mails = match.inbox_left();
  if (pops.empty() || mails.empty()) return {};
  note(fmt::format("POP3: finding {} of {} messages by their headers; this takes a while",
                   pops.size(), match.pop().size()));
  const auto left = headers.of_pop(pops);
  if (!left && left.error().code == ErrorCode::kUnsupported) {
    note("POP3: the server has no TOP: headers can't be compared");
    return {};
  }
  if (!left) return tl::unexpected(left.error());
  const auto right = headers.of_inbox(mails);
  if (!right) return tl::unexpected(right.error());
  match.by_headers(*left, *right);
  return {};
}

void report(const PopMatch& match, std::optional<PopUidlFormat> format, const Note& note) {
  const std::size_t without = match.inbox_left().size();
  note(fmt::format("POP3: {} of {} messages of INBOX keep their UIDLs{}",
                   match.inbox().size() - without, match.inbox().size(),
                   format ? fmt::format(" (the server makes them as {})", name_of(*format)) : ""));
  if (match.unusable() > 0) {
    note(fmt::format(
        "POP3: {} UIDLs are not as RFC 1939 allows them (octets outside 0x21..0x7E, too long, or "
        "one for two messages): those messages get new ones",
        match.unusable()));
  }
  if (const std::size_t lost = match.pop_left().size(); lost > 0) {
    note(
        fmt::format("POP3: {} messages of the maildrop were not found in INBOX: is it the same "
                    "account, and does "
                    "POP3 show INBOX only?",
                    lost));
  }
  if (without > 0) {
    note(
        fmt::format("POP3: {} messages of INBOX get a new UIDL: clients that leave mail on the "
                    "server will fetch "
                    "them once more",
                    without));
  }
}

}  // namespace

Result<std::map<std::uint32_t, std::string>> fetch_uidls(Pop3Client& pop3,
                                                         std::vector<InboxMessage> inbox,
                                                         std::uint32_t uid_validity,
                                                         const HeadersByUid& imap_headers,
                                                         const Note& note) {
  auto messages = pop3.messages();
  if (!messages) return tl::unexpected(messages.error());
  PopMatch match(*std::move(messages), std::move(inbox), uid_validity);
  const auto format = match.by_format();
  Headers headers(pop3, match, imap_headers);
  if (!match.pop_left().empty()) {
    if (auto done = match_by_order(match, headers); !done)
      return tl::unexpected(std::move(done.error()));
  }
  if (auto done = match_by_headers(match, headers, note); !done)
    return tl::unexpected(std::move(done.error()));
  report(match, format, note);
  std::map<std::uint32_t, std::string> uidls;
  for (std::size_t i = 0; i < match.pop().size(); ++i) {
    if (const auto at = match.matched()[i]) uidls[match.inbox()[*at].uid] = match.pop()[i].uidl;
  }
  return uidls;
}

}  // namespace twinpost::tools
