// Long work on the whole store.
#include <algorithm>
#include <fmt/format.h>

#include "core/base/ascii.h"
#include "core/server/commands/commands.h"
#include "core/server/commands/request.h"
#include "core/server/store_options.h"

namespace twinpost::server {

namespace {

constexpr std::size_t kMostProblems = 100'000;

std::string_view severity_name(store::Severity severity) {
  switch (severity) {
    case store::Severity::kDerived: return "derived";
    case store::Severity::kMessage: return "message";
    case store::Severity::kStore: return "store";
  }
  return "";
}

Json to_json(const store::CheckReport& report) {
  Json details = Json::array();
  for (const store::CheckProblem& problem : report.details) {
    details.push_back(Json{{"severity", severity_name(problem.severity)},
                           {"where", problem.where},
                           {"what", problem.what},
                           {"repaired", problem.repaired}});
  }
  return Json{{"accounts", report.accounts},
              {"mailboxes", report.mailboxes},
              {"messages", report.messages},
              {"removed", report.removed},
              {"blobs", report.blobs},
              {"body_octets", report.body_octets},
              {"problems", report.problems},
              {"repaired", report.repaired},
              {"unreadable_messages", report.unreadable_messages},
              {"kept_bodies", report.kept_bodies},
              {"details", std::move(details)}};
}

// The store was opened with what the files said then: what they say now is not in force before the
// server's next start, and a recoding would find nothing to do.
Result<void> check_in_force(const config::ServerConfig& config, const store::BodyCoder& coder) {
  const auto wanted = store_options(config);
  if (!wanted) return tl::unexpected(wanted.error());
  const std::string& file = config.storage.key_file;
  const auto refuse = [](const std::string& what) {
    return fail(ErrorCode::kInvalid, "the server " + what + ": restart it first");
  };
  if (!wanted->keys && coder.encrypts()) {
    return refuse(fmt::format("still encrypts, with key {}, and storage.key_file is not set",
                              store::to_string(coder.current_key())));
  }
  if (wanted->keys) {
    const std::string newest = store::to_string(wanted->keys->current());
    if (!coder.encrypts()) {
      return refuse(fmt::format("does not encrypt yet; the newest key in {} is {}", file, newest));
    }
    if (coder.current_key() != wanted->keys->current()) {
      return refuse(fmt::format("still uses key {}; the newest in {} is {}",
                                store::to_string(coder.current_key()), file, newest));
    }
  }
  if (coder.compresses() != wanted->compression) {
    return refuse(
        fmt::format("still has storage.compression {}", coder.compresses() ? "on" : "off"));
  }
  return {};
}

}  // namespace

Result<Json> admin_check(AdminJob& job) {
  Members members(job.request);
  store::CheckOptions options;
  if (job.request.contains("bodies")) options.bodies = members.flag("bodies");
  options.repair = members.flag("repair");
  options.account = ascii::lower(members.optional_text("account").value_or(""));
  options.most_problems =
      members.optional_number("most_problems", 0, kMostProblems).value_or(options.most_problems);
  if (auto good = members.finish(); !good) return tl::unexpected(good.error());
  const auto report = job.store.check(options, job.progress);
  if (!report) return tl::unexpected(report.error());
  return to_json(*report);
}

Result<Json> admin_compact(AdminJob& job) {
  Members members(job.request);
  if (auto good = members.finish(); !good) return tl::unexpected(good.error());
  const auto compacted = job.store.compact(job.progress);
  if (!compacted) return tl::unexpected(compacted.error());
  return Json{{"octets_before", compacted->octets_before},
              {"octets_after", compacted->octets_after}};
}

Result<Json> admin_recode(AdminJob& job) {
  Members members(job.request);
  config::ServerConfig config = *job.config;
  if (job.request.contains("compression")) config.storage.compression = members.flag("compression");
  const auto key_file = members.optional_text("key_file");
  if (auto good = members.finish(); !good) return tl::unexpected(good.error());
  if (key_file) config.storage.key_file = *key_file;
  if (auto good = check_in_force(config, job.store.coder()); !good) {
    return tl::unexpected(good.error());
  }
  const auto bodies = job.store.recode(job.progress);
  if (!bodies) return tl::unexpected(bodies.error());
  return Json{{"bodies", *bodies}};
}

}  // namespace twinpost::server
