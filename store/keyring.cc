#include "store/keyring.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <openssl/mem.h>
#include <optional>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/encoding.h"
#include "store/codec.h"
#include "store/frame_cipher.h"

namespace twinpost::store {

namespace {

constexpr std::string_view kKind = "twinpost-key-1";
constexpr std::string_view kAnyKind = "twinpost-key-";
constexpr std::size_t kProofOctets = 16;
constexpr std::size_t kIdDigits = 8;
// Some ten thousand keys.
constexpr std::size_t kMostFileOctets = 1024 * 1024;
constexpr std::chrono::seconds kLockPatience{10};
constexpr std::string_view kNewFile =
    "# Keys of Twinpost's encryption at rest, the current one last. Without them the mail is lost: "
    "keep a copy in a\n"
    "# safe place, and not with the backups of the mail.\n";

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

 private:
  int fd_;
};

// A text with keys in it: wiped, whatever happens.
struct SecretText {
  std::string text;
  SecretText() = default;
  ~SecretText() { wipe(text); }
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// Takes the first word off the front.
std::string_view take_word(std::string_view& text) {
  text = trimmed(text);
  const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

// Takes the first line off the front, trimmed.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = trimmed(text.substr(0, end));
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

bool is_comment(std::string_view line) { return line.empty() || line.front() == '#'; }

// A file may be there for its owner and mode alone.
bool has_keys(std::string_view text) {
  while (!text.empty()) {
    if (!is_comment(take_line(text))) return true;
  }
  return false;
}

std::optional<KeyId> parse_id(std::string_view text) {
  if (text.size() != kIdDigits) return std::nullopt;
  const auto octets = hex_decode(text);
  if (!octets) return std::nullopt;
  const KeyId id(Reader(*octets).key_u32());
  if (id == KeyId()) return std::nullopt;
  return id;
}

// Leaves no copy of what is read but `out`, whose room is taken first.
Result<void> read_file(const std::string& path, int fd, std::string& out) {
  out.reserve(kMostFileOctets + 1);
  out.resize(kMostFileOctets + 1);
  std::size_t size = 0;
  while (size < out.size()) {
    const ssize_t got = ::read(fd, out.data() + size, out.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return tl::unexpected(system_error(path, errno));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  out.resize(size);
  if (size > kMostFileOctets) {
    return fail(ErrorCode::kTooLarge, path + ": larger than a key file can be (1 MiB)");
  }
  return {};
}

Result<void> load_text(const std::string& path, std::string& out) {
  // Not blocked by a FIFO of that name.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open()) return tl::unexpected(system_error(path, errno));
  struct stat about {};
  if (::fstat(file.get(), &about) != 0) return tl::unexpected(system_error(path, errno));
  if (!S_ISREG(about.st_mode)) return fail(ErrorCode::kInvalid, path + ": not a regular file");
  if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return fail(
        ErrorCode::kPermission,
        path + ": others than its owner can read or write the keys (chmod 600 " + path + ")");
  }
  return read_file(path, file.get(), out);
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Keeps two tools from adding to one file at once; the file itself is replaced, so the folder is locked.
Result<void> lock_folder(const Descriptor& folder, const std::string& path) {
  if (!folder.is_open()) return tl::unexpected(system_error(folder_of(path), errno));
  const SteadyTime give_up = steady_now() + kLockPatience;
  while (::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return tl::unexpected(system_error(folder_of(path), errno));
    }
    if (steady_now() > give_up) {
      return fail(ErrorCode::kInUse, path + ": another command is changing it");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return {};
}

// Puts `text` in the place of the file. `old` is what it was, null where it is new.
Result<void> replace(const std::string& path, std::string_view text, const struct stat* old,
                     const Descriptor& folder) {
  std::string temporary = path + ".XXXXXX";
  const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));  // 0600
  if (!file.is_open()) return tl::unexpected(system_error(path, errno));
  const auto give_up = [&](int error_number) {
    ::unlink(temporary.c_str());
    return tl::unexpected(system_error(path, error_number));
  };
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t written = ::write(file.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return give_up(errno);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  const bool changes_owner =
      old != nullptr && (old->st_uid != ::geteuid() || old->st_gid != ::getegid());
  if (changes_owner && ::fchown(file.get(), old->st_uid, old->st_gid) != 0) return give_up(errno);
  if (::fsync(file.get()) != 0) return give_up(errno);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return give_up(errno);
  if (::fsync(folder.get()) != 0) return tl::unexpected(system_error(folder_of(path), errno));
  return {};
}

// A symbolic link is followed, so that it stays one.
std::string real_path(const std::string& path) {
  char* found = ::realpath(path.c_str(), nullptr);
  if (found == nullptr) return path;
  std::string real(found);
  std::free(found);
  return real;
}

}  // namespace

std::string to_string(KeyId id) {
  const std::uint32_t number = big_endian(id.value());
  return hex_encode({reinterpret_cast<const char*>(&number), sizeof number});
}

Keyring::~Keyring() {
  for (Key& key : keys_) OPENSSL_cleanse(key.secret.data(), key.secret.size());
}

const Keyring::Secret* Keyring::find(KeyId id) const {
  const auto found =
      std::find_if(keys_.begin(), keys_.end(), [id](const Key& key) { return key.id == id; });
  return found == keys_.end() ? nullptr : &found->secret;
}

std::vector<KeyId> Keyring::ids() const {
  std::vector<KeyId> ids;
  for (const Key& key : keys_) ids.push_back(key.id);
  return ids;
}

Result<std::string> Keyring::proof(KeyId id) const {
  const Secret* secret = find(id);
  if (secret == nullptr) {
    return fail(ErrorCode::kNotFound, source_ + " has no key " + to_string(id));
  }
  std::array<std::uint8_t, kProofOctets> proof{};
  derive_key(*secret, {}, kPurposeProof, proof.data(), proof.size());
  return std::string(reinterpret_cast<const char*>(proof.data()), proof.size());
}

Result<void> Keyring::add_line(std::string_view line, const std::string& place) {
  const std::string_view kind = take_word(line);
  if (kind != kKind) {
    if (kind.starts_with(kAnyKind)) {
      return fail(ErrorCode::kUnsupported,
                  place + ": a kind of key that this version does not know");
    }
    return fail(ErrorCode::kInvalid, place + ": must be \"twinpost-key-1 ID KEY\"");
  }
  const auto id = parse_id(take_word(line));
  if (!id) {
    return fail(ErrorCode::kInvalid, place + ": a key's id is eight hexadecimal digits, not all 0");
  }
  if (find(*id) != nullptr) {
    return fail(ErrorCode::kInvalid, place + ": a second key of the id " + to_string(*id));
  }
  const std::string_view text = take_word(line);
  auto octets = base64_decode(text);
  const bool fits = octets && octets->size() == kKeyOctets && trimmed(line).empty();
  Key key{*id, {}};
  if (fits) std::memcpy(key.secret.data(), octets->data(), kKeyOctets);
  if (octets) wipe(*octets);
  if (!fits) {
    return fail(ErrorCode::kInvalid,
                place + ": a key is 32 octets in base64, and nothing after it");
  }
  keys_.push_back(key);
  OPENSSL_cleanse(key.secret.data(), key.secret.size());
  return {};
}

Result<KeyringPtr> Keyring::parse(std::string_view text, const std::string& source) {
  const std::shared_ptr<Keyring> ring(new Keyring(source));
  // A vector that grows leaves copies of its keys behind.
  ring->keys_.reserve(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1);
  for (unsigned number = 1; !text.empty(); ++number) {
    const std::string_view line = take_line(text);
    if (is_comment(line)) continue;
    auto added = ring->add_line(line, source + ": line " + std::to_string(number));
    if (!added) return failed(added);
  }
  if (ring->keys_.empty()) {
    return fail(ErrorCode::kInvalid,
                source + ": there is no key in it (twinpost key new makes one)");
  }
  return ring;
}

Result<KeyringPtr> Keyring::load(const std::string& path) {
  SecretText file;
  if (auto read = load_text(path, file.text); !read) return failed(read);
  return parse(file.text, path);
}

Result<KeyId> Keyring::add_key(const std::string& given_path) {
  const std::string path = real_path(given_path);
  const Descriptor folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (auto locked = lock_folder(folder, path); !locked) return failed(locked);
  struct stat old {};
  const bool exists = ::stat(path.c_str(), &old) == 0;
  if (!exists && errno != ENOENT) return tl::unexpected(system_error(path, errno));
  SecretText file;
  KeyringPtr ring;
  file.text.reserve(kMostFileOctets + 1);
  if (exists) {
    if (auto read = load_text(path, file.text); !read) return failed(read);
    if (has_keys(file.text)) {
      auto parsed = parse(file.text, path);
      if (!parsed) return failed(parsed);
      ring = std::move(*parsed);
    }
    if (!file.text.empty() && file.text.back() != '\n') file.text += '\n';
  }
  if (file.text.empty()) file.text = kNewFile;
  KeyId id;
  while (id == KeyId() || (ring && ring->find(id) != nullptr)) {
    id = KeyId(static_cast<std::uint32_t>(random_u64()));
  }
  SecretText secret;
  secret.text.resize(kKeyOctets);
  random_octets(std::as_writable_bytes(std::span(secret.text.data(), secret.text.size())));
  SecretText encoded;
  encoded.text = base64_encode(secret.text);
  file.text.append(kKind).append(" ").append(to_string(id)).append(" ").append(encoded.text);
  file.text += '\n';
  if (file.text.size() > kMostFileOctets) {
    return fail(ErrorCode::kTooLarge, path + ": a key file can't be larger than 1 MiB");
  }
  auto replaced = replace(path, file.text, exists ? &old : nullptr, folder);
  if (!replaced) return failed(replaced);
  return id;
}

}  // namespace twinpost::store
