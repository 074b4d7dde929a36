// Pages that no tree reaches: old ones, free ones, and those whose way is lost.
#include <algorithm>

#include "core/base/ascii.h"
#include "store/batch.h"
#include "store/damaged_records.h"
#include "store/names.h"
#include "store/salvage_index.h"
#include "store/tables.h"

namespace twinpost::store {

namespace {

Uid uid_of(std::string_view key) { return Uid(Reader(key.substr(8)).key_u32()); }

bool is_guid(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return ascii::is_alnum(c) || c == '-' || c == '_';
  });
}

std::uint64_t chunk_octets(std::uint64_t size, std::uint32_t chunk) {
  const std::uint64_t begin = std::uint64_t{chunk} * kChunkOctets;
  return begin < size ? std::min<std::uint64_t>(kChunkOctets, size - begin) : 0;
}

}  // namespace

// The sizes of keys leave few tables to choose from; names in keys have no NUL, numbers that are in
// use begin with one.
bool SalvageIndex::take_sealed(std::string_view key, std::string_view value,
                               engine::ValuePlace place) {
  const auto into = [&](const char* table, bool always = false) {
    if (always || may_lack(table, key)) take(table, key, value, place, Certainty::kLoose);
    return true;
  };
  MessageRecord message;
  const bool number = decode_number(key, value, "").has_value();
  if (key == kStoreKey && decode_store(key, value)) return into("meta");
  if (key.size() == 4 && decode_account(key, value)) return into("accounts");
  if (key.size() == 8) {
    const auto mailbox = decode_mailbox(key, value);
    if (mailbox && is_guid(mailbox->info.mailbox_guid) && check_name(mailbox->info.name)) {
      return into("mailboxes");
    }
    if (decode_blob(key, value)) return into("blob_refs");
    if (number && Reader(key).key_u32() == 0) return true;  // reapable
  }
  if (key.size() == 12) {
    if (decode_message(key, value, message) && is_plausible(message)) return into("messages");
    if (uid_of(key).value() < kMaxKeywords && !number) return into("keywords");
  }
  if (key.size() == 20) {
    if (decode_removed(key, value)) return into("removed", true);
    const bool tombstone =
        number && key.substr(8, 2) == std::string_view("\0\0", 2) &&
        decode_number(key, value, "").value() >= Reader(key.substr(16)).key_u32();
    if (tombstone) return into("expunged", true);
  }
  if (key.size() == sizeof(Sha256Digest) && number) return into("blob_names");
  const std::string_view account = key.substr(0, std::min<std::size_t>(key.size(), 4));
  const bool in_account = key.size() > 4 && account.find('\0') != std::string_view::npos;
  if (number && in_account && check_name(key.substr(4))) return into("mailbox_names");
  if (number && check_name(key) && !in_account) return into("account_names");
  if (value.size() == kSealOctets && in_account && check_name(key.substr(4))) {
    return into("subscriptions");
  }
  return true;  // sealed, but nothing that is needed
}

bool SalvageIndex::take_loose(std::string_view key, std::string_view value,
                              engine::ValuePlace place) {
  constexpr std::uint8_t kNewest = 255;
  if (!unseal(key, value, kNewest, "")) return false;
  return take_sealed(key, value, place);
}

void SalvageIndex::scan_page(std::uint64_t page, std::string& octets) {
  if (!file_.read_page(page, octets)) return;
  bool chunks_here = false;
  std::string outside;
  const auto look = [&](const engine::PageNode& node) {
    if (node.octets == 0 || node.octets > kChunkOctets || node.flags > engine::PageNode::kOutside) {
      return;
    }
    const engine::ValuePlace place = file_.place_of(page, node);
    // Longer than any record.
    const bool only_chunk = node.overflow != engine::kNoPage && node.octets == kChunkOctets;
    if (!only_chunk) {
      std::string_view value = node.value;
      if (node.overflow != engine::kNoPage) {
        outside.clear();
        if (!file_.read(place, outside)) return;
        value = outside;
      }
      if (take_loose(node.key, value, place)) return;
    }
    chunks_here = chunks_here || node.key.size() == 12;
  };
  const auto content = engine::parse_page(octets, page);
  if (content) {
    if (content->kind != engine::PageKind::kLeaf) return;
    for (const engine::PageNode& node : content->nodes) look(node);
  } else {
    engine::for_each_possible_node(octets, look);
  }
  if (chunks_here) chunk_pages_.push_back(page);
}

// Chunks have no checksum of their own, and those of bodies and of summaries look alike: a page is
// of one table, and the lengths that the bodies' records give say of which. The body's checksum has
// the last word.
void SalvageIndex::scan_chunks(std::uint64_t page, std::string& octets) {
  if (!file_.read_page(page, octets)) return;
  std::vector<FoundChunk> found;
  std::size_t as_body = 0;
  std::size_t as_summary = 0;
  const auto look = [&](const engine::PageNode& node) {
    if (node.key.size() != 12 || node.octets == 0 || node.octets > kChunkOctets) return;
    Reader in(node.key);
    const std::uint64_t blob = in.key_u64();
    const std::uint32_t chunk = in.key_u32();
    const auto forms = blobs.find(blob);
    bool fits = forms == blobs.end();
    if (forms != blobs.end()) {
      for (const BlobRow& row : forms->second) {
        if (chunk_octets(row.stored, chunk) == node.octets) {
          fits = true;
          ++as_body;
        }
        if (chunk_octets(row.summary_octets, chunk) == node.octets) ++as_summary;
      }
    }
    if (fits && may_lack("blobs", node.key)) {
      found.push_back({blob, chunk, file_.place_of(page, node)});
    }
  };
  const auto content = engine::parse_page(octets, page);
  if (content) {
    for (const engine::PageNode& node : content->nodes) look(node);
    if (as_summary > as_body) return;
  } else {
    engine::for_each_possible_node(octets, look);
  }
  chunks.insert(chunks.end(), found.begin(), found.end());
}

Result<void> SalvageIndex::scan(const engine::PageWalk* walk, const Progress& progress) {
  std::string octets;
  const std::uint64_t pages = file_.pages();
  for (std::uint64_t page = 0; page < pages; ++page) {
    constexpr std::uint64_t kNowAndThen = 1024;
    if (page % kNowAndThen == 0 && progress && !progress("pages", page, pages)) {
      return fail(ErrorCode::kShutdown, "the salvage was ended");
    }
    if (walk != nullptr && walk->reached(page)) continue;
    if (walk != nullptr && heads_sure_ && walk->knows_free_pages() && walk->is_free(page)) continue;
    scan_page(page, octets);
  }
  if (is_complete("blobs")) return {};
  for (const std::uint64_t page : chunk_pages_) scan_chunks(page, octets);
  chunk_pages_ = {};
  return {};
}

}  // namespace twinpost::store
