// LATENCY.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "server/base/strings.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/commands/latency_doctor.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

using Series = LatencyMonitor::Series;

LatencyMonitor& monitor_of(Call& call) { return call.executor.watch().latency(); }

void latency_latest(Call& call) {
  const LatencyMonitor::Events& events = monitor_of(call).events();
  call.reply.array(events.size());
  for (const auto& [event, series] : events) {
    call.reply.array(6);
    call.reply.bulk(event);
    call.reply.integer(series.latest().time_s);
    call.reply.integer(static_cast<int64_t>(series.latest().latency_ms));
    call.reply.integer(static_cast<int64_t>(series.max_ms()));
    call.reply.integer(static_cast<int64_t>(series.sum_ms()));
    call.reply.integer(static_cast<int64_t>(series.count()));
  }
}

void latency_history(Call& call) {
  const Series* series = monitor_of(call).find(call.args[2]);
  const size_t count = series != nullptr ? series->size() : 0;
  call.reply.array(count);
  for (size_t i = 0; i < count; ++i) {
    call.reply.array(2);
    call.reply.integer(series->sample(i).time_s);
    call.reply.integer(static_cast<int64_t>(series->sample(i).latency_ms));
  }
}

void latency_reset(Call& call) {
  LatencyMonitor& monitor = monitor_of(call);
  size_t count = call.args.size() == 2 ? monitor.reset() : 0;
  for (const std::string_view event : call.args.subspan(2)) count += monitor.reset(event);
  call.reply.integer(static_cast<int64_t>(count));
}

// "15s", "3m", "2h", "1d".
std::string age_text(int64_t seconds) {
  if (seconds < 60) return std::to_string(seconds) + "s";
  if (seconds < 3600) return std::to_string(seconds / 60) + "m";
  if (seconds < 86400) return std::to_string(seconds / 3600) + "h";
  return std::to_string(seconds / 86400) + "d";
}

// A column for each sample of [begin, end): four rows of three heights each, and below it its age,
// one letter a line.
std::string draw_columns(const Series& series, size_t begin, size_t end, uint64_t low,
                         uint64_t high, int64_t now_s) {
  constexpr int kRows = 4, kHeights = 3;
  constexpr char kTops[] = {'_', 'o', '#'};
  std::vector<int> heights;
  std::vector<std::string> ages;
  size_t longest_age = 0;
  for (size_t i = begin; i < end; ++i) {
    const LatencyMonitor::Sample& sample = series.sample(i);
    const double range = static_cast<double>(std::max<uint64_t>(high - low, 1));
    const double height = static_cast<double>(sample.latency_ms - low) / range * kRows * kHeights;
    heights.push_back(std::min(static_cast<int>(height), kRows * kHeights - 1));
    ages.push_back(age_text(std::max<int64_t>(0, now_s - sample.time_s)));
    longest_age = std::max(longest_age, ages.back().size());
  }
  std::string text;
  for (int row = kRows - 1; row >= 0; --row) {
    for (const int height : heights) {
      const int top = height / kHeights;
      text += top == row ? kTops[height % kHeights] : top > row ? '|' : ' ';
    }
    text += '\n';
  }
  text += '\n';
  for (size_t line = 0; line < longest_age; ++line) {
    for (const std::string& age : ages) text += line < age.size() ? age[line] : ' ';
    text += '\n';
  }
  return text;
}

void latency_graph(Call& call) {
  const std::string event(call.args[2]);
  const Series* series = monitor_of(call).find(event);
  if (series == nullptr) {
    call.reply.error("ERR No samples available for event '" + event + "'");
    return;
  }
  uint64_t low = series->sample(0).latency_ms, high = low;
  for (size_t i = 0; i < series->size(); ++i) {
    low = std::min(low, series->sample(i).latency_ms);
    high = std::max(high, series->sample(i).latency_ms);
  }
  constexpr size_t kColumns = 80;
  std::string text = event + " - high " + std::to_string(high) + " ms, low " + std::to_string(low) +
                     " ms (all time high " + std::to_string(series->max_ms()) + " ms)\n" +
                     std::string(kColumns, '-') + '\n';
  const int64_t now_s = call.executor.clock().wall_ms() / 1000;
  for (size_t begin = 0; begin < series->size(); begin += kColumns) {
    const size_t end = std::min(begin + kColumns, series->size());
    text += draw_columns(*series, begin, end, low, high, now_s);
  }
  call.reply.verbatim("txt", text);
}

void latency_doctor(Call& call) {
  call.reply.verbatim("txt", diagnose_latency(monitor_of(call), call.executor.config().settings(),
                                              call.executor.clock().wall_ms() / 1000));
}

// The command, if its latencies were recorded, and those of its subcommands that have some.
void collect(const Command& command, std::vector<const Command*>* found) {
  if (command.stats.latencies != nullptr) found->push_back(&command);
  for (const auto& subcommand : command.subcommands) collect(*subcommand, found);
}

// The command of a full name, "config" or "config|get"; null when there is none.
const Command* find_by_full_name(Call& call, std::string_view name) {
  const size_t bar = name.find('|');
  const Command* command = call.executor.commands().find(name.substr(0, bar));
  if (command == nullptr || bar == std::string_view::npos) return command;
  return command->find_subcommand(name.substr(bar + 1));
}

void latency_histogram(Call& call) {
  std::vector<const Command*> found;
  if (call.args.size() == 2) {
    for (const auto& command : call.executor.commands().commands()) collect(*command, &found);
  }
  for (const std::string_view name : call.args.subspan(2)) {
    if (const Command* command = find_by_full_name(call, name)) collect(*command, &found);
  }
  call.reply.map(found.size());
  for (const Command* command : found) {
    const LatencyHistogram& latencies = *command->stats.latencies;
    size_t steps = 0;
    latencies.for_each_step([&](uint64_t, uint64_t) { ++steps; });
    call.reply.bulk(command->name);
    call.reply.map(2);
    call.reply.bulk("calls");
    call.reply.integer(static_cast<int64_t>(latencies.count()));
    call.reply.bulk("histogram_usec");
    call.reply.map(steps);
    latencies.for_each_step([&](uint64_t micros, uint64_t count) {
      call.reply.integer(static_cast<int64_t>(micros));
      call.reply.integer(static_cast<int64_t>(count));
    });
  }
}

void latency_help(Call& call) {
  reply_help(call,
             {{"DOCTOR", "Explain in words what was slow, and what may help."},
              {"GRAPH <event>", "Draw the latencies of <event>."},
              {"HISTOGRAM [<command> ...]",
               "Return how long calls of each <command> took: for each power of two of\n"
               "microseconds, how many took no longer. All commands unless some are named."},
              {"HISTORY <event>", "Return the time and the milliseconds of each spike of <event>."},
              {"LATEST",
               "Return for each event the time of its latest spike, its milliseconds, the worst\n"
               "one, their sum and how many there were."},
              {"RESET [<event> ...]",
               "Forget these events, all unless some are named, and return how many these were."}});
}

constexpr CommandRow kRows[] = {
    {.name = "latency",
     .arity = -2,
     .flags = "",
     .categories = "@slow",
     .summary = "Where the server's time went.",
     .since = "2.8.13",
     .group = "server",
     .complexity = "Depends on subcommand."},
    {.name = "latency|doctor",
     .handler = latency_doctor,
     .arity = 2,
     .flags = "admin,loading,noscript,stale",
     .categories = "@admin,@dangerous,@slow",
     .tips = "nondeterministic_output;request_policy:all_nodes;response_policy:special",
     .summary = "Explains latency spikes in words.",
     .since = "2.8.13",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "latency|graph",
     .handler = latency_graph,
     .arity = 3,
     .flags = "admin,loading,noscript,stale",
     .categories = "@admin,@dangerous,@slow",
     .tips = "nondeterministic_output;request_policy:all_nodes;response_policy:special",
     .summary = "Draws the latency spikes of an event.",
     .since = "2.8.13",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "latency|help",
     .handler = latency_help,
     .arity = 2,
     .flags = "loading,stale",
     .categories = "@slow",
     .summary = "Describes the subcommands.",
     .since = "2.8.13",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "latency|histogram",
     .handler = latency_histogram,
     .arity = -2,
     .flags = "admin,loading,noscript,stale",
     .categories = "@admin,@dangerous,@slow",
     .tips = "nondeterministic_output;request_policy:all_nodes;response_policy:special",
     .summary = "Returns the distribution of commands' latencies.",
     .since = "7.0.0",
     .group = "server",
     .complexity = "O(N), where N is the number of commands with latencies"},
    {.name = "latency|history",
     .handler = latency_history,
     .arity = 3,
     .flags = "admin,loading,noscript,stale",
     .categories = "@admin,@dangerous,@slow",
     .tips = "nondeterministic_output;request_policy:all_nodes;response_policy:special",
     .summary = "Returns the latency spikes of an event.",
     .since = "2.8.13",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "latency|latest",
     .handler = latency_latest,
     .arity = 2,
     .flags = "admin,loading,noscript,stale",
     .categories = "@admin,@dangerous,@slow",
     .tips = "nondeterministic_output;request_policy:all_nodes;response_policy:special",
     .summary = "Returns the latest latency spike of each event.",
     .since = "2.8.13",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "latency|reset",
     .handler = latency_reset,
     .arity = -2,
     .flags = "admin,loading,noscript,stale",
     .categories = "@admin,@dangerous,@slow",
     .tips = "request_policy:all_nodes;response_policy:agg_sum",
     .summary = "Forgets latency spikes.",
     .since = "2.8.13",
     .group = "server",
     .complexity = "O(1)"},
};

}  // namespace

std::span<const CommandRow> latency_commands() { return kRows; }

}  // namespace tandem
