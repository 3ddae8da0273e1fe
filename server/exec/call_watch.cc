#include "server/exec/call_watch.h"

#include "server/base/numbers.h"

namespace tandem {
namespace {

// What a threshold that is off compares as.
uint64_t least(int64_t threshold, uint64_t unit = 1) {
  uint64_t product = 0;
  if (threshold < 0) return UINT64_MAX;
  return __builtin_mul_overflow(static_cast<uint64_t>(threshold), unit, &product) ? UINT64_MAX
                                                                                  : product;
}

size_t digits_of(size_t number) {
  size_t digits = 1;
  for (; number >= 10; number /= 10) ++digits;
  return digits;
}

}  // namespace

CallWatch::CallWatch(Config& config, Clock& clock)
    : settings_(config.settings()),
      clock_(clock),
      log_(settings_),
      latency_(settings_, clock),
      ticks_per_second_(ticks_per_us() * 1'000'000),
      ns_per_tick_((uint64_t{1000} << kFractionBits) / ticks_per_us()) {
  follow_settings();
  config.on_change(
      {"slowlog-log-slower-than", "slowlog-max-len", "commandlog-request-larger-than",
       "commandlog-large-request-max-len", "commandlog-reply-larger-than",
       "commandlog-large-reply-max-len", "latency-monitor-threshold", "latency-tracking"},
      [this]() -> Status {
        follow_settings();
        return {};
      });
}

void CallWatch::follow_settings() {
  track_latencies_ = settings_.latency_tracking;
  slow_ticks_ = least(log_.threshold(CommandLogKind::kSlow), ticks_per_us());
  if (latency_.enabled()) {
    slow_ticks_ =
        std::min(slow_ticks_, least(settings_.latency_monitor_threshold, 1000 * ticks_per_us()));
  }
  times_all_ = slow_ticks_ < 1000 * ticks_per_us();
  large_request_bytes_ = least(log_.threshold(CommandLogKind::kLargeRequest));
  large_reply_bytes_ = least(log_.threshold(CommandLogKind::kLargeReply));
}

void CallWatch::add_slow(const Client& client, const Command& command, Args args,
                         std::string_view function, uint64_t ticks) {
  const uint64_t elapsed_us = ticks / ticks_per_us();
  latency_.add(command.is(kFast) ? "fast-command" : "command", static_cast<int64_t>(elapsed_us));
  log_.add(CommandLogKind::kSlow, elapsed_us, client, command, args, function,
           clock_.wall_ms() / 1000);
}

void CallWatch::add_large(const Client& client, const Command& command, Args args,
                          size_t request_bytes, size_t reply_bytes) {
  const int64_t time_s = clock_.wall_ms() / 1000;
  const std::string_view function = called_function(command, args);
  log_.add(CommandLogKind::kLargeRequest, request_bytes, client, command, args, function, time_s);
  log_.add(CommandLogKind::kLargeReply, reply_bytes, client, command, args, function, time_s);
}

size_t request_size(Args args) {
  // "*2\r\n", then for each "$3\r\nGET\r\n".
  size_t bytes = digits_of(args.size()) + 3;
  for (const std::string_view arg : args) bytes += arg.size() + digits_of(arg.size()) + 5;
  return bytes;
}

}  // namespace tandem
