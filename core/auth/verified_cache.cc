#include "core/auth/verified_cache.h"

#include <cstring>
#include <openssl/hmac.h>
#include <openssl/mem.h>

#include "core/base/encoding.h"

namespace twinpost::auth {

VerifiedCache::VerifiedCache() : key_{} { random_octets(key_); }

// Each part goes in with its length before it, so that no two triples make the same octets.
VerifiedCache::Tag VerifiedCache::tag_of(std::string_view account, std::string_view stored,
                                         std::string_view password) const {
  Tag tag{};
  unsigned size = 0;
  bssl::ScopedHMAC_CTX context;
  HMAC_Init_ex(context.get(), key_.data(), key_.size(), EVP_sha256(), nullptr);
  for (const std::string_view part : {account, stored, password}) {
    const std::uint64_t length = part.size();
    HMAC_Update(context.get(), reinterpret_cast<const std::uint8_t*>(&length), sizeof length);
    HMAC_Update(context.get(), reinterpret_cast<const std::uint8_t*>(part.data()), part.size());
  }
  HMAC_Final(context.get(), tag.data(), &size);
  return tag;
}

bool VerifiedCache::contains(std::string_view account, std::string_view stored,
                             std::string_view password, SteadyTime now) const {
  const Tag tag = tag_of(account, stored, password);
  const auto found = by_account_.find(account);
  if (found == by_account_.end() || found->second->until <= now) return false;
  return CRYPTO_memcmp(found->second->tag.data(), tag.data(), tag.size()) == 0;
}

void VerifiedCache::remember(std::string_view account, std::string_view stored,
                             std::string_view password, SteadyTime now) {
  if (const auto old = by_account_.find(account); old != by_account_.end()) {
    const auto entry = old->second;
    by_account_.erase(old);  // its key lives in the entry
    entries_.erase(entry);
  }
  if (entries_.size() >= kMaxEntries) {
    by_account_.erase(entries_.front().account);
    entries_.pop_front();
  }
  entries_.push_back(
      Entry{std::string(account), tag_of(account, stored, password), now + kLifetime});
  by_account_.emplace(entries_.back().account, std::prev(entries_.end()));
}

void VerifiedCache::forget_where(const std::function<bool(const std::string& account)>& gone) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto next = std::next(entry);
    if (gone(entry->account)) {
      by_account_.erase(entry->account);
      entries_.erase(entry);
    }
    entry = next;
  }
}

std::uint64_t VerifiedCache::secret_number(std::string_view text) const {
  const Tag tag = tag_of(text, {}, {});
  std::uint64_t number = 0;
  std::memcpy(&number, tag.data(), sizeof number);
  return number;
}

}  // namespace twinpost::auth
