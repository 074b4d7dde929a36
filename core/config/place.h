// Where a value stands, for messages: the file and the path of keys in it. Internal to core/config.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "core/base/error.h"
#include "core/config/schema.h"

namespace twinpost::config {

struct FileContext {
  std::string source;               // names the file in messages
  std::string folder;               // relative paths start here; empty: they stay as they are
  const KeyInfo* schema = nullptr;  // of the whole file
};

// Borrows its FileContext.
class Place {
 public:
  explicit Place(const FileContext& file) : file_(&file) {}

  [[nodiscard]] Place key(std::string_view name) const {
    const std::string component = path_component(name);
    return {*file_, path_.empty() ? component : path_ + '.' + component};
  }
  [[nodiscard]] Place element(std::size_t index) const {
    return {*file_, path_ + '[' + std::to_string(index) + ']'};
  }

  // "FILE: path.to.key: what is wrong"
  [[nodiscard]] tl::unexpected<Error> fail(std::string_view what,
                                           ErrorCode code = ErrorCode::kInvalid) const {
    std::string message = file_->source;
    if (!message.empty()) message += ": ";
    if (!path_.empty()) message += path_ + ": ";
    message += what;
    return twinpost::fail(code, std::move(message));
  }

  [[nodiscard]] const FileContext& file() const { return *file_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  Place(const FileContext& file, std::string path) : file_(&file), path_(std::move(path)) {}

  const FileContext* file_;
  std::string path_;
};

}  // namespace twinpost::config
