#include "pop3/listed_uidls.h"

#include <string>
#include <utility>

#include "core/base/encoding.h"

namespace twinpost::pop3 {
namespace {

constexpr std::uint32_t kPerRow = 1000;
static_assert(kPerRow * sizeof(std::uint32_t) <= store::kMaxNoteOctets);

using Row = std::vector<std::uint32_t>;

std::uint32_t row_of(store::Uid uid) { return (uid.value() - 1) / kPerRow; }

store::NoteKey note_key(store::MailboxId mailbox, std::uint32_t row) {
  std::string name;
  for (const unsigned shift : {24U, 16U, 8U, 0U}) name += static_cast<char>((row >> shift) & 0xFF);
  return {mailbox, store::NoteKind::kPop3ListedUidls, std::move(name)};
}

std::string encode(const Row& row) {
  std::string octets;
  octets.reserve(row.size() * sizeof(std::uint32_t));
  for (const std::uint32_t digest : row) {
    for (const unsigned shift : {0U, 8U, 16U, 24U}) {
      octets += static_cast<char>((digest >> shift) & 0xFF);
    }
  }
  return octets;
}

Row decode(std::string_view octets) {
  Row row(kPerRow);
  for (std::size_t i = 0; i < row.size() && (i + 1) * 4 <= octets.size(); ++i) {
    for (std::size_t j = 0; j < 4; ++j) {
      row[i] |= static_cast<std::uint32_t>(static_cast<unsigned char>(octets[i * 4 + j]))
                << (8 * j);
    }
  }
  return row;
}

// A row that can't be read counts as empty: the comparison is an alarm, not what the listing is made of.
Row read_row(const store::ReadView& view, store::MailboxKey maildrop, std::uint32_t number) {
  const auto value = view.note(maildrop.account, note_key(maildrop.mailbox, number));
  return value && *value ? decode(**value) : Row(kPerRow);
}

struct Comparison {
  std::uint64_t changed = 0;
  std::vector<std::pair<std::uint32_t, Row>> rows;  // that differ from the stored ones
};

Comparison compare(const store::ReadView& view, store::MailboxKey maildrop,
                   const std::vector<ListedUidl>& listed) {
  Comparison result;
  for (std::size_t i = 0; i < listed.size();) {
    const std::uint32_t number = row_of(listed[i].uid);
    Row row = read_row(view, maildrop, number);
    bool differs = false;
    for (; i < listed.size() && row_of(listed[i].uid) == number; ++i) {
      std::uint32_t& known = row[(listed[i].uid.value() - 1) % kPerRow];
      if (known == listed[i].digest) continue;
      if (known != 0) ++result.changed;
      known = listed[i].digest;
      differs = true;
    }
    if (differs) result.rows.emplace_back(number, std::move(row));
  }
  return result;
}

}  // namespace

std::uint32_t digest_of_uidl(std::string_view uidl) {
  const std::uint32_t digest = crc32c(0, uidl);
  return digest == 0 ? 1 : digest;
}

Task<Result<std::uint64_t>> note_listed(store::Store& store, store::MailboxKey maildrop,
                                        std::vector<ListedUidl> listed) {
  const auto compared = co_await store.read([&](const store::ReadView& view) -> Result<Comparison> {
    return compare(view, maildrop, listed);
  });
  if (!compared) co_return tl::unexpected(compared.error());
  if (compared->rows.empty()) co_return compared->changed;
  auto noted = co_await store.write([&](store::WriteTxn& txn) -> Result<void> {
    for (const auto& [number, row] : compared->rows) {
      auto put = txn.put_note(maildrop.account, note_key(maildrop.mailbox, number), encode(row));
      if (!put) return put;
    }
    return {};
  });
  if (!noted) co_return tl::unexpected(noted.error());
  co_return compared->changed;
}

}  // namespace twinpost::pop3
