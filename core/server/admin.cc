#include "core/server/admin.h"

#include <algorithm>
#include <array>
#include <exception>
#include <fmt/format.h>
#include <utility>

#include "core/base/ascii.h"
#include "core/base/exception_text.h"
#include "core/server/commands/commands.h"

namespace twinpost::server {

namespace {

constexpr std::array<std::pair<std::string_view, AdminOperation>, 15> kOperations = {{
    {"ping", admin_ping},
    {"space", admin_space},
    {"account", admin_account},
    {"adopt", admin_adopt},
    {"known", admin_known},
    {"uidls", admin_uidls},
    {"deposit", admin_deposit},
    {"advance", admin_advance},
    {"install", admin_install},
    {"provisioned", admin_provisioned},
    {"undelete", admin_undelete},
    {"forget", admin_forget},
    {"check", admin_check},
    {"compact", admin_compact},
    {"recode", admin_recode},
}};

Result<Json> run(AdminJob& job) {
  const auto name = job.request.find("do");
  if (name == job.request.end() || !name->is_string()) {
    return fail(ErrorCode::kInvalid, "do: is missing, or no text");
  }
  const std::string& text = name->get_ref<const std::string&>();
  const AdminOperation operation = find_admin_operation(text);
  if (operation == nullptr) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("do: this version can't do \"{}\"", ascii::printable(text, 60)));
  }
  try {
    return operation(job);
  } catch (const std::exception&) {
    return fail(ErrorCode::kInternal, exception_text(std::current_exception()));
  }
}

}  // namespace

AdminOperation find_admin_operation(std::string_view name) {
  const auto* const found = std::find_if(kOperations.begin(), kOperations.end(),
                                         [&](const auto& entry) { return entry.first == name; });
  return found == kOperations.end() ? nullptr : found->second;
}

ErrorCode error_code_of(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kConflict); ++i) {
    if (to_string(static_cast<ErrorCode>(i)) == name) return static_cast<ErrorCode>(i);
  }
  return ErrorCode::kInternal;
}

Json admin_error(const Error& error) {
  return Json{{"ok", false}, {"code", to_string(error.code)}, {"error", error.message}};
}

Json run_admin_operation(AdminJob& job) {
  if (!job.request.is_object()) {
    return admin_error({ErrorCode::kInvalid, "the request must be an object"});
  }
  if (!job.progress) {
    job.progress = [](std::string_view, std::uint64_t, std::uint64_t) { return true; };
  }
  auto answer = run(job);
  if (!answer) return admin_error(answer.error());
  (*answer)["ok"] = true;
  return *std::move(answer);
}

}  // namespace twinpost::server
