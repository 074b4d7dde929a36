// Which message of a POP3 maildrop is which of the same account's IMAP INBOX. Pure; any thread.
//
// Three ways, each for what the ways before it left over: UIDLs that are made of UIDVALIDITY and
// UID; the same order with the same sizes; equal headers. A wrong match would make a client pass
// over a message that it never fetched, so every way wants evidence beyond one number that happens
// to fit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/encoding.h"

namespace twinpost::tools {

struct PopMessage {
  std::uint32_t number = 0;  // as POP3 counts it
  std::uint64_t size = 0;    // of LIST
  std::string uidl;
};

inline constexpr std::uint64_t kSizeNotKnown = UINT64_MAX;

struct InboxMessage {
  std::uint32_t uid = 0;
  std::uint64_t size = kSizeNotKnown;  // RFC822.SIZE
};

enum class PopUidlFormat : std::uint8_t {
  kDovecot,         // %08Xu%08Xv, its default
  kDovecotReverse,  // %08Xv%08Xu
  kCyrus,           // UIDVALIDITY.UID; also Dovecot's %v.%u
  kCourier,         // UID123-456
  kCyrusCourier,    // UIDVALIDITY-UID
  kStalwart,        // both in decimal, one after the other
  kUidOnly,         // old Cyrus
};
inline constexpr PopUidlFormat kPopUidlFormats[] = {
    PopUidlFormat::kDovecot, PopUidlFormat::kDovecotReverse, PopUidlFormat::kCyrus,
    PopUidlFormat::kCourier, PopUidlFormat::kCyrusCourier,   PopUidlFormat::kStalwart,
    PopUidlFormat::kUidOnly,
};
[[nodiscard]] std::string_view name_of(PopUidlFormat format);
// The UID, where the UIDL has this format and this UIDVALIDITY.
[[nodiscard]] std::optional<std::uint32_t> uid_in(std::string_view uidl, PopUidlFormat format,
                                                  std::uint32_t uid_validity);

class PopMatch {
 public:
  // `inbox` ascending by UID, `pop` by number.
  PopMatch(std::vector<PopMessage> pop, std::vector<InboxMessage> inbox,
           std::uint32_t uid_validity);

  // Matches those whose UIDL names a UID of INBOX, and says in which format; nullopt where no
  // format holds over all of them.
  std::optional<PopUidlFormat> by_format();

  // Supposes that what is left on both sides is the same messages in the same order, up to the end
  // of the shorter side. Where the sizes agree, gives the pairs (indices of pop() and inbox()) but
  // matches nothing yet; else none.
  struct Pair {
    std::size_t pop = 0;
    std::size_t inbox = 0;
  };
  [[nodiscard]] std::vector<Pair> guess_by_order() const;
  // True where neither side has a message that the other lacks, by count.
  [[nodiscard]] bool counts_agree() const;
  void accept(const std::vector<Pair>& pairs);

  // A message's header, short: what by_headers() compares.
  struct HeaderPrint {
    Sha256Digest digest{};
    std::string identity;  // Message-ID and Date; empty where either is missing
    bool known = false;
  };
  // Without the fields that servers put in on one side only.
  [[nodiscard]] static HeaderPrint print_of(std::string_view header);
  [[nodiscard]] static bool are_equal(const HeaderPrint& a, const HeaderPrint& b);

  // Prints for each of pop_left() and inbox_left(), in their order.
  void by_headers(const std::vector<HeaderPrint>& pop, const std::vector<HeaderPrint>& inbox);

  [[nodiscard]] std::vector<std::size_t> pop_left() const;  // without those whose UIDL is of no use
  [[nodiscard]] std::vector<std::size_t> inbox_left() const;
  [[nodiscard]] const std::vector<PopMessage>& pop() const { return pop_; }
  [[nodiscard]] const std::vector<InboxMessage>& inbox() const { return inbox_; }
  // By POP3 message: which of inbox() it is.
  [[nodiscard]] const std::vector<std::optional<std::size_t>>& matched() const { return matched_; }
  // Messages with a UIDL that POP3 does not allow, or one that another message has too; they are
  // never matched.
  [[nodiscard]] std::size_t unusable() const { return unusable_; }

 private:
  [[nodiscard]] std::vector<Pair> pairs_of(PopUidlFormat format) const;
  void match(std::size_t pop, std::size_t inbox);

  std::vector<PopMessage> pop_;
  std::vector<InboxMessage> inbox_;
  std::uint32_t uid_validity_;
  std::vector<std::optional<std::size_t>> matched_;
  std::vector<bool> usable_;  // by POP3 message
  std::vector<bool> taken_;   // by inbox()
  std::size_t unusable_ = 0;
};

}  // namespace twinpost::tools
