// twinpost key new|list: the key file of encryption at rest.
#include <cerrno>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include "store/keyring.h"
#include "tools/twinpost/commands.h"

namespace twinpost::tools {

namespace {

// The file that was named, else the configuration's.
Result<std::string> key_file(const Context& context, const std::string& named) {
  if (!named.empty()) return named;
  auto config = context.server_config();
  if (!config) return tl::unexpected(config.error());
  if (!(*config)->storage.key_file.empty()) return (*config)->storage.key_file;
  return fail(ErrorCode::kInvalid,
              fmt::format("{}: storage.key_file is not set; set it, or name the file",
                          context.config_file));
}

// What root makes is for the daemon, whose the store's folder is.
Result<void> give_to_daemon(const Context& context, const std::string& file) {
  if (::geteuid() != 0) return {};
  auto config = context.server_config();
  struct stat data {};
  if (!config || ::stat((*config)->data.c_str(), &data) != 0 || data.st_uid == 0) return {};
  if (::chown(file.c_str(), data.st_uid, data.st_gid) == 0) return {};
  return tl::unexpected(system_error(file, errno));
}

Result<void> make_key(const Context& context, const std::string& named) {
  auto file = key_file(context, named);
  if (!file) return tl::unexpected(file.error());
  struct stat before {};
  const bool is_new = ::stat(file->c_str(), &before) != 0;
  auto id = store::Keyring::add_key(*file);
  if (!id) return tl::unexpected(id.error());
  if (is_new) {
    if (auto given = give_to_daemon(context, *file); !given) return given;
  }
  fmt::print("{}: key {} added, and current from the next start of twinpostd on\n", *file,
             store::to_string(*id));
  fmt::print("Keep a copy in a safe place: without its keys the mail is lost.\n");
  if (!is_new) {
    fmt::print("After that start, twinpost reencrypt rewrites what older keys have encrypted.\n");
  }
  return {};
}

Result<void> list_keys(const Context& context, const std::string& named) {
  auto file = key_file(context, named);
  if (!file) return tl::unexpected(file.error());
  auto keys = store::Keyring::load(*file);
  if (!keys) return tl::unexpected(keys.error());
  for (const store::KeyId id : (*keys)->ids()) {
    fmt::print("{}{}\n", store::to_string(id), id == (*keys)->current() ? "  current" : "");
  }
  return {};
}

}  // namespace

void add_key_commands(CLI::App& app, Context& context) {
  auto file = std::make_shared<std::string>();
  CLI::App* key = app.add_subcommand("key", "the keys of encryption at rest");
  key->require_subcommand(1);
  const auto add = [&](const std::string& name, const std::string& help,
                       Result<void> (*run)(const Context&, const std::string&)) {
    CLI::App* command = key->add_subcommand(name, help);
    command->add_option("FILE", *file, "the key file, in place of the configuration's");
    command->callback([&context, file, run] {
      if (auto done = run(context, *file); !done) context.fail(done.error().message);
    });
  };
  add("new", "add a key to the file, which is made where it is missing", make_key);
  add("list", "the ids of the keys", list_keys);
}

}  // namespace twinpost::tools
