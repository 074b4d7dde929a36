#include "core/server/metrics.h"

#include <fmt/format.h>

namespace twinpost::server {

namespace {

// Label values: backslash, quote and newline escaped.
std::string quoted(std::string_view value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
  return text + '"';
}

class Page {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    text_ += fmt::format("# HELP twinpost_{} {}\n# TYPE twinpost_{} {}\n", name, help, name, type);
  }
  template <class T>
  void sample(std::string_view name, T value, std::string_view labels = {}) {
    text_ += labels.empty() ? fmt::format("twinpost_{} {}\n", name, value)
                            : fmt::format("twinpost_{}{{{}}} {}\n", name, labels, value);
  }
  template <class T>
  void counter(std::string_view name, T value, std::string_view help) {
    family(name, "counter", help);
    sample(name, value);
  }
  template <class T>
  void gauge(std::string_view name, T value, std::string_view help) {
    family(name, "gauge", help);
    sample(name, value);
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

double as_seconds(std::uint64_t microseconds) { return static_cast<double>(microseconds) / 1e6; }

void add_server(Page& page, const ServerFigures& server) {
  page.family("build_info", "gauge", "The version that runs; always 1.");
  page.sample("build_info", 1, "version=" + quoted(TWINPOST_VERSION));
  page.gauge("start_time_seconds", server.started.time_since_epoch().count(),
             "When the server was started, in Unix time.");
  page.gauge("uptime_seconds", static_cast<double>(server.uptime.count()) / 1e3,
             "For how long the server runs.");
  page.gauge("accounts", server.accounts, "Accounts in the accounts file.");
  page.family("connections", "gauge", "Connections that are open.");
  for (const auto& service : server.services) {
    page.sample("connections", service.open, "service=" + quoted(service.name));
  }
  page.family("connections_accepted_total", "counter", "Connections that were accepted.");
  for (const auto& service : server.services) {
    page.sample("connections_accepted_total", service.accepted, "service=" + quoted(service.name));
  }
  page.counter("pop3_uidls_changed_total", server.uidls_changed,
               "Messages whose UIDL was another one than when it was listed before; clients load "
               "them again.");
  page.counter("connections_refused_total", server.refused,
               "Connections that were refused because there were too many.");
}

// What Prometheus asks of a histogram: buckets are cumulative, ascending, and end in +Inf, which
// equals the count.
void add_commit_times(Page& page, const store::StoreFigures& store) {
  page.family("store_commit_seconds", "histogram", "How long commits of the store take.");
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < store::StoreFigures::kCommitBounds.size(); ++i) {
    count += store.commits_by_time.at(i);
    page.sample("store_commit_seconds_bucket", count,
                fmt::format("le=\"{}\"", as_seconds(store::StoreFigures::kCommitBounds.at(i))));
  }
  count += store.commits_by_time.back();
  page.sample("store_commit_seconds_bucket", count, "le=\"+Inf\"");
  page.sample("store_commit_seconds_sum", as_seconds(store.commit_microseconds));
  page.sample("store_commit_seconds_count", count);
}

void add_store(Page& page, const store::StoreFigures& store) {
  page.counter("store_commits_total", store.commits, "Transactions that the store committed.");
  add_commit_times(page, store);
  page.counter("store_writes_total", store.writes,
               "Changes that were committed, many in a commit.");
  page.counter("store_write_failures_total", store.write_failures, "Changes that failed.");
  page.counter("store_batch_retries_total", store.batch_retries,
               "Batches of changes that were rolled back and run one by one.");
  page.gauge("store_queue_depth", store.queued, "Changes that wait for the writer.");
  page.counter("store_change_scans_total", store.change_scans,
               "Times that all of a mailbox was read to find what changed.");
  page.counter("store_reaped_blobs_total", store.reaped_blobs,
               "Message bodies that were freed, nothing referring to them any more.");
  page.counter("store_forgotten_removals_total", store.forgotten_removals,
               "Removed messages that can't be undeleted any more.");
}

void add_space(Page& page, const store::StoreSpace& space) {
  page.gauge("store_file_bytes", space.file_octets, "Size of the data file.");
  page.gauge("store_free_bytes", space.free_octets,
             "Of the data file: in pages that are free to be written again.");
  page.gauge("disk_free_bytes", space.disk_free_octets, "What the data folder's disk has left.");
  page.gauge("disk_reserve_bytes", space.reserve_octets,
             "What new mail leaves free of the disk (limits.disk_reserve).");
  page.gauge("store_last_commit", space.last_commit, "Number of the last commit.");
  page.gauge("store_oldest_reader_lag", space.oldest_reader_lag,
             "How many commits the oldest running reader is behind.");
  page.gauge("store_readers", space.readers, "Read transactions that run.");
  page.gauge("store_format", space.format, "Version of the data file's format.");
}

}  // namespace

std::string metrics_text(const ServerFigures& server, const store::StoreFigures& store,
                         const std::optional<store::StoreSpace>& space) {
  Page page;
  add_server(page, server);
  add_store(page, store);
  page.gauge("store_up", space ? 1 : 0, "Whether the data file's figures could be read.");
  if (space) add_space(page, *space);
  return page.take();
}

}  // namespace twinpost::server
