#include "server/commands/latency_doctor.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <string_view>

namespace tandem {
namespace {

// What events tell of, and what may be done about it.
struct Advice {
  std::string_view event;
  std::string_view text;
};
constexpr Advice kAdvice[] = {
    {"command", "Some commands do a lot of work: SLOWLOG GET shows which. Ask for less at a time."},
    {"command",
     "Deleting or expiring keys of many elements takes time: lazyfree-lazy-user-del, "
     "lazyfree-lazy-expire and UNLINK free them on another thread."},
    {"fast-command",
     "Commands that take no time by themselves had to wait for the processor: look for other "
     "programs on this machine, for swapping, and for a busy virtual machine host."},
    {"fork",
     "Copying the page tables for a child takes time that grows with the dataset: use a machine "
     "where fork() is fast, save less often, or divide the data among servers."},
    {"expire-cycle",
     "Many keys expire at the same time: spread their times, or make them expire sooner in "
     "smaller steps with a higher hz."},
    {"eviction-cycle",
     "Many keys had to be evicted at once: raise maxmemory, or let keys expire earlier."},
    {"eviction-del", "Evicted keys have many elements: set lazyfree-lazy-eviction to yes."},
    {"aof-write-pending-fsync",
     "The append-only file waits for an fsync that is under way: use a faster or a local disk, and "
     "keep other programs from writing to it."},
    {"aof-write-active-child",
     "The append-only file is written while a child writes to the same disk: consider "
     "no-appendfsync-on-rewrite, or a faster disk."},
    {"aof-write-alone", "Writing the append-only file takes long: use a faster or a local disk."},
    {"aof-fsync-always",
     "appendfsync always makes every write wait for the disk: with everysec they do not, and at "
     "most a second of writes can be lost."},
    {"aof-rename", "The disk of the append-only files is busy: use a faster or a local one."},
    {"rdb-unlink-temp-file", "Deleting files takes long: the disk is busy, or not a local one."},
};

std::string describe(std::string_view event, const LatencyMonitor::Series& series, int64_t now_s) {
  uint64_t sum = 0, deviations = 0;
  for (size_t i = 0; i < series.size(); ++i) sum += series.sample(i).latency_ms;
  const uint64_t average = sum / series.size();
  for (size_t i = 0; i < series.size(); ++i) {
    const uint64_t latency = series.sample(i).latency_ms;
    deviations += latency > average ? latency - average : average - latency;
  }
  const int64_t span_s = std::max<int64_t>(1, now_s - series.sample(0).time_s);
  char text[256];
  std::snprintf(text, sizeof text,
                ": %zu spikes, %" PRIu64 " ms on average (mean deviation %" PRIu64
                " ms), one every %.2f seconds; the worst ever took %" PRIu64 " ms.\n",
                series.size(), average, deviations / series.size(),
                static_cast<double>(span_s) / static_cast<double>(series.size()), series.max_ms());
  return std::string(event) + text;
}

std::string advise_about_slowlog(const LatencyMonitor& monitor, const Settings& settings) {
  if (monitor.find("command") == nullptr) return {};
  const std::string wanted = std::to_string(settings.latency_monitor_threshold * 1000);
  if (settings.slowlog_log_slower_than < 0 || settings.slowlog_max_len == 0) {
    return "- Slow commands are not remembered: CONFIG SET slowlog-log-slower-than " + wanted +
           " lets SLOWLOG show them.\n";
  }
  if (settings.slowlog_log_slower_than / 1000 <= settings.latency_monitor_threshold) return {};
  return "- Only commands slower than the spikes seen here are remembered: CONFIG SET "
         "slowlog-log-slower-than " +
         wanted + " lets SLOWLOG show these too.\n";
}

}  // namespace

std::string diagnose_latency(const LatencyMonitor& monitor, const Settings& settings,
                             int64_t now_s) {
  if (monitor.events().empty()) {
    return monitor.enabled() ? "Nothing has taken as long as latency-monitor-threshold so far.\n"
                             : "Latencies are not monitored: CONFIG SET latency-monitor-threshold "
                               "<milliseconds> starts it.\n";
  }
  std::string report = "The server was kept from answering:\n\n";
  int number = 0;
  for (const auto& [event, series] : monitor.events()) {
    report += std::to_string(++number) + ". " + describe(event, series, now_s);
  }
  std::string advice = advise_about_slowlog(monitor, settings);
  for (const Advice& one : kAdvice) {
    if (monitor.find(one.event) != nullptr) advice.append("- ").append(one.text).append("\n");
  }
  if (!advice.empty()) report += "\nWhat may help:\n\n" + advice;
  return report;
}

}  // namespace tandem
