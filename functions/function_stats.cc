#include "functions/function_stats.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <string_view>

#include "server/base/numbers.h"

namespace tandem {

namespace {

double us_per_call(const CommandStats& calls) {
  if (calls.calls == 0) return 0;
  return static_cast<double>(calls.microseconds()) / static_cast<double>(calls.calls);
}

// An error text comes from a script: it must not end the line or look like another field.
std::string as_field_value(std::string text) {
  std::replace_if(
      text.begin(), text.end(),
      [](char c) {
        return static_cast<unsigned char>(c) < ' ' || c == ',' || c == '=' || c == ':' || c == '#';
      },
      '_');
  return text;
}

void reply_count(Reply& reply, std::string_view name, uint64_t count) {
  reply.bulk(name);
  reply.integer(static_cast<int64_t>(count));
}

void reply_percentiles(Reply& reply, const LatencyHistogram& latencies,
                       const std::vector<double>& percentiles) {
  reply.bulk("percentiles_usec");
  reply.map(percentiles.size());
  for (const double percentile : percentiles) {
    reply.bulk("p" + format_double(percentile));
    reply.real(static_cast<double>(latencies.percentile_ns(percentile)) / 1000);
  }
}

}  // namespace

std::string function_stats_text(const Function& function, const Settings& settings) {
  const FunctionStats& stats = *function.stats;
  const CommandStats& calls = stats.calls;
  char counts[192];
  const int length = std::snprintf(
      counts, sizeof counts,
      ",calls=%" PRIu64 ",usec=%" PRIu64 ",usec_per_call=%.2f,rejected_calls=%" PRIu64
      ",failed_calls=%" PRIu64,
      calls.calls, calls.microseconds(), us_per_call(calls), calls.rejected, calls.failed);
  std::string text = "library=" + function.library->name;
  text.append(counts, static_cast<size_t>(length));
  if (settings.latency_tracking && calls.latencies != nullptr) {
    text.append(",").append(calls.latencies->describe(settings.latency_tracking_info_percentiles));
  }
  text.append(",last_call=").append(std::to_string(stats.last_call_ms / 1000));
  return text.append(",last_error=").append(as_field_value(stats.last_error));
}

void reply_function_stats(Reply& reply, const FunctionStats& stats, const Settings& settings) {
  const CommandStats& calls = stats.calls;
  const bool tracked = settings.latency_tracking && calls.latencies != nullptr;
  reply.map(tracked ? 8 : 7);
  reply_count(reply, "calls", calls.calls);
  reply_count(reply, "usec", calls.microseconds());
  reply.bulk("usec_per_call");
  reply.real(us_per_call(calls));
  reply_count(reply, "rejected_calls", calls.rejected);
  reply_count(reply, "failed_calls", calls.failed);
  if (tracked) {
    reply_percentiles(reply, *calls.latencies, settings.latency_tracking_info_percentiles);
  }
  reply_count(reply, "last_call", static_cast<uint64_t>(stats.last_call_ms / 1000));
  reply.bulk("last_error");
  reply.bulk(stats.last_error);
}

}  // namespace tandem
