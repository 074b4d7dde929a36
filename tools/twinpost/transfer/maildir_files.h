// Files and folders that others may change at any moment, and that may have been laid out to deceive: everything is
// opened by a name below a folder that is open already, symbolic links are never followed, and what is no
// regular file is refused without waiting (a FIFO would block its opener). Blocking.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <vector>

#include "core/base/error.h"

namespace twinpost::tools {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] int release();
  void close();

 private:
  int fd_ = -1;
};

inline constexpr int kHere = -100;  // AT_FDCWD: `name` is a path
// What stands in the uppermost folder of a new filesystem.
inline constexpr std::string_view kLostAndFound = "lost+found";

// kNotFound, kPermission; kInvalid for what is no folder, or a symbolic link (which is followed where `folder` is kHere).
[[nodiscard]] Result<Descriptor> open_folder(int folder, const std::string& name);
// For reading. kInvalid for what is no regular file.
[[nodiscard]] Result<Descriptor> open_file(int folder, const std::string& name);
// The names in it, "." and ".." left out, in no order.
[[nodiscard]] Result<std::vector<std::string>> names_in(int folder);
// nullopt where nothing of that name is there. A symbolic link is one.
[[nodiscard]] std::optional<struct stat> status_of(int folder, const std::string& name);
[[nodiscard]] bool is_folder(int folder, const std::string& name);

// Calls `line` with each line, without its LF (and CR before it), until it returns false. A line longer than `longest`
// is passed over and counted in `too_long`.
[[nodiscard]] Result<void> for_each_line(int fd, std::size_t longest,
                                         const std::function<bool(std::string_view)>& line,
                                         std::uint64_t* too_long = nullptr);

// Makes the folder (0700) where it is missing, and opens it.
[[nodiscard]] Result<Descriptor> make_folder(int folder, const std::string& name);
// Writes it all, through signals and short writes.
[[nodiscard]] Result<void> write_all(int fd, std::string_view octets, const std::string& name);
// Puts a file there in one step, on the disk when this returns.
[[nodiscard]] Result<void> replace_file(int folder, const std::string& name,
                                        std::string_view octets);
[[nodiscard]] Result<void> sync(int fd, const std::string& name);

}  // namespace twinpost::tools
