#include "store/damaged_records.h"

#include "store/codec.h"

namespace twinpost::store {

namespace {

constexpr std::uint8_t kVersion = 1;  // of each kind of record
constexpr FlagBits kAllFlags = 31;
constexpr int kMostZoneMinutes = 24 * 60;
constexpr std::int64_t kLatest = std::int64_t{1} << 36;  // after the year 4000

template <class Decode>
auto guess(std::string_view key, std::string_view value, Decode decode)
    -> std::optional<typename decltype(decode(key, value))::value_type> {
  const std::string sealed = sealed_anew(key, value);
  if (sealed.empty()) return std::nullopt;
  auto decoded = decode(key, sealed);
  if (!decoded) return std::nullopt;
  return std::move(*decoded);
}

bool is_plausible_time(UnixTime time) {
  const std::int64_t seconds = time.time_since_epoch().count();
  return seconds > -kLatest && seconds < kLatest;
}

}  // namespace

std::string sealed_anew(std::string_view key, std::string_view value) {
  if (value.size() < kSealOctets) return {};
  Record record(kVersion);
  record.octets(value.substr(kSealOctets));
  return record.seal(key);
}

std::optional<MessageRecord> guess_message(std::string_view key, std::string_view value) {
  MessageRecord record;
  const std::string sealed = sealed_anew(key, value);
  if (sealed.empty() || !decode_message(key, sealed, record)) return std::nullopt;
  return record;
}

std::optional<RemovedRow> guess_removed(std::string_view key, std::string_view value) {
  return guess(key, value, decode_removed);
}
std::optional<MailboxRow> guess_mailbox(std::string_view key, std::string_view value) {
  return guess(key, value, decode_mailbox);
}
std::optional<AccountRow> guess_account(std::string_view key, std::string_view value) {
  return guess(key, value, decode_account);
}
std::optional<BlobRow> guess_blob(std::string_view key, std::string_view value) {
  return guess(key, value, decode_blob);
}

bool is_plausible(const MessageRecord& record) {
  return record.uid.value() > 0 && record.flags <= kAllFlags && record.modseq.value() > 0 &&
         record.serial.value() > 0 && record.email_id.value() > 0 && record.thread_id.value() > 0 &&
         record.blob.value() > 0 && record.prefix.size() <= kMaxPrefixOctets &&
         std::abs(record.internal_date.zone_minutes) <= kMostZoneMinutes &&
         is_plausible_time(record.internal_date.time) && is_plausible_time(record.save_date);
}

}  // namespace twinpost::store
