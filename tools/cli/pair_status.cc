#include "tools/cli/pair_status.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <thread>

#include "server/base/numbers.h"
#include "tools/cli/formatter.h"
#include "tools/cli/function_server.h"
#include "tools/cli/text_table.h"
#include "tools/cli/tool_arguments.h"

namespace tandem::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr const char* kUsage =
    "Usage: tandem-cli [OPTIONS] pair status [SERVER] [--once] [--interval SECONDS] [--json]\n\n"
    "Shows the primary that SERVER (host:port, a socket or a URI; otherwise that of the options)\n"
    "is or follows, and all of its replicas, every second or every SECONDS. With --once it does\n"
    "so once and exits with 1 when something is not as it should be.\n";
// Between the two looks of --once, from which the rate of the stream is known.
constexpr double kOnceSeconds = 0.5;
// Asking for all code of all libraries costs servers and network more than the rest.
constexpr int64_t kLooksPerLibraries = 10;

int fail(const std::string& message) {
  std::fprintf(stderr, "tandem-cli: %s\n", message.c_str());
  return 1;
}

std::string decimal(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

std::string bytes_text(double bytes) {
  constexpr const char* kUnits[] = {"B", "KB", "MB", "GB", "TB"};
  size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < std::size(kUnits)) {
    bytes /= 1024;
    ++unit;
  }
  return (unit == 0 ? std::to_string(std::llround(bytes)) : decimal(bytes)) + " " + kUnits[unit];
}

std::string duration_text(double seconds) {
  if (seconds < 60) return decimal(seconds) + " s";
  if (seconds < 3600) return decimal(seconds / 60) + " min";
  return seconds < 86400 ? decimal(seconds / 3600) + " h" : "days";
}

// How long the primary's stream takes to grow so much; nothing when it does not grow.
std::optional<double> seconds_for(std::optional<int64_t> bytes, std::optional<double> rate) {
  if (!bytes) return std::nullopt;
  if (*bytes == 0) return 0;
  if (!rate || *rate <= 0) return std::nullopt;
  return static_cast<double>(*bytes) / *rate;
}

std::string backlog_text(const ServerView& server, std::optional<double> rate) {
  if (!server.backlog_left) return "-";
  std::string text = bytes_text(static_cast<double>(*server.backlog_left));
  if (const auto seconds = seconds_for(server.backlog_left, rate)) {
    text += " (" + duration_text(*seconds) + ")";
  }
  return text;
}

std::string libraries_text(const ServerView& server, const ServerView& primary) {
  if (!server.libraries) return "-";
  const std::string count = std::to_string(server.libraries->size());
  if (server.is_primary || !primary.libraries) return count;
  return count + (differing_libraries(server, primary).empty() ? " same" : " DIFFERENT");
}

std::string digests_text(const ServerView& server) {
  if (!server.digests) return "-";
  const std::string checked = std::to_string(server.digests->checked) + " slices";
  if (server.digests->all_same()) return checked + " same";
  return std::to_string(server.digests->mismatched) + " of " + checked + " DIFFERENT";
}

std::string number_or_dash(std::optional<int64_t> number) {
  return number ? std::to_string(*number) : "-";
}

ReplyValue text(std::string value) {
  return {.type = ReplyValue::Type::kBulk, .text = std::move(value)};
}
ReplyValue number(std::optional<int64_t> value) {
  if (!value) return {};
  return {.type = ReplyValue::Type::kInteger, .integer = *value};
}
ReplyValue fraction(std::optional<double> value) {
  if (!value) return {};
  return {.type = ReplyValue::Type::kDouble, .text = decimal(*value)};
}

// Builds a map.
class Object {
 public:
  Object& add(const char* name, ReplyValue value) {
    map_.elements.push_back(text(name));
    map_.elements.push_back(std::move(value));
    return *this;
  }
  ReplyValue take() { return std::move(map_); }

 private:
  ReplyValue map_{.type = ReplyValue::Type::kMap};
};

ReplyValue server_json(const ServerView& server, const ServerView& primary,
                       std::optional<double> rate) {
  Object object;
  object.add("address", text(server.address));
  object.add("depth", number(server.depth));
  if (!server.failure.empty()) return object.add("failure", text(server.failure)).take();
  object.add("role", text(server.is_primary ? "primary" : "replica"));
  object.add("offset", number(server.offset));
  if (!server.is_primary) {
    object.add("link", text(server.link));
    object.add("lag_bytes", number(server.lag_bytes));
    object.add("lag_seconds", fraction(seconds_for(server.lag_bytes, rate)));
    object.add("silent_seconds", number(server.silent_seconds));
    object.add("backlog_left_bytes", number(server.backlog_left));
    object.add("backlog_left_seconds", fraction(seconds_for(server.backlog_left, rate)));
  }
  if (server.libraries) {
    ReplyValue names{.type = ReplyValue::Type::kArray};
    for (const auto& [name, code] : *server.libraries) names.elements.push_back(text(name));
    object.add("libraries", std::move(names));
    if (!server.is_primary && primary.libraries) {
      const bool same = differing_libraries(server, primary).empty();
      object.add("libraries_same", {.type = ReplyValue::Type::kBoolean, .integer = same ? 1 : 0});
    }
  }
  if (server.digests) {
    object.add("digest_slices_checked", number(server.digests->checked));
    object.add("digest_slices_mismatched", number(server.digests->mismatched));
    object.add("digest_first_bad_key", text(server.digests->first_bad_key));
    object.add("digest_size_mismatches", text(server.digests->sizes));
  }
  return object.take();
}

struct Wishes {
  Options options;
  bool once = false;
  bool json = false;
  double interval_seconds = 1;
};

Result<Wishes> read_wishes(const Options& options) {
  constexpr ToolArguments::Option kKnown[] = {{"--once"}, {"--json"}, {"--interval", true}};
  const auto parsed = ToolArguments::parse(std::span(options.command).subspan(2), kKnown);
  if (!parsed) return parsed.error();
  const ToolArguments& arguments = parsed.value();
  if (arguments.words().size() > 1) {
    return make_error(ErrorKind::kInvalid, "'pair status' looks at one server's pair");
  }
  Wishes wishes{options};
  if (!arguments.words().empty()) {
    Result<Options> named = options_for(arguments.words()[0], options);
    if (!named) return named.error();
    wishes.options = std::move(named).value();
  }
  wishes.once = arguments.has("--once");
  wishes.json = arguments.has("--json") || options.style.mode == OutputMode::kJson;
  if (const auto text = arguments.value("--interval")) {
    const auto seconds = parse_double(*text);
    if (!seconds || !(*seconds >= 0.1 && *seconds <= 86400)) {
      return make_error(ErrorKind::kInvalid, "--interval wants seconds, from 0.1 to 86400");
    }
    wishes.interval_seconds = *seconds;
  }
  return wishes;
}

// Looks at a pair from time to time, and knows how fast its stream grows.
class Watch {
 public:
  explicit Watch(const Options& options) : options_(options) {}

  // The first look only makes the second one know a rate.
  Status look() {
    const bool with_libraries = looks_++ % kLooksPerLibraries == 1;
    Result<PairView> view = look_at_pair(options_, with_libraries);
    if (!view) return view.error();
    const auto now = SteadyClock::now();
    if (!with_libraries) keep_libraries(&view.value());
    const ServerView& primary = view.value().front();
    rate_.reset();
    if (!view_.empty() && view_.front().address == primary.address && primary.failure.empty() &&
        primary.offset >= view_.front().offset) {
      const double seconds = std::chrono::duration<double>(now - looked_at_).count();
      rate_ = static_cast<double>(primary.offset - view_.front().offset) / seconds;
    }
    view_ = std::move(view).value();
    looked_at_ = now;
    return {};
  }

  void print(bool json, bool clear) const {
    std::string out = clear ? "\x1b[H\x1b[2J" : "";
    out += json ? pair_json(view_, rate_) : pair_table(view_, rate_);
    std::fwrite(out.data(), 1, out.size(), stdout);
    std::fflush(stdout);
  }
  bool well() const { return problems_of(view_).empty(); }

 private:
  void keep_libraries(PairView* view) const {
    for (ServerView& server : *view) {
      const auto before = std::ranges::find(view_, server.address, &ServerView::address);
      if (before != view_.end()) server.libraries = before->libraries;
    }
  }

  const Options& options_;
  int64_t looks_ = 0;
  PairView view_;
  std::optional<double> rate_;
  SteadyClock::time_point looked_at_;
};

void wait(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

int status(const Options& options) {
  const Result<Wishes> wishes = read_wishes(options);
  if (!wishes) return fail(wishes.error().message);
  const auto& [server, once, json, interval_seconds] = wishes.value();
  Watch watch(server);
  const std::string name = server.endpoint.to_string();
  if (Status looked = watch.look(); !looked) return fail(name + ": " + looked.error().message);
  wait(once ? kOnceSeconds : std::min(interval_seconds, kOnceSeconds));
  const bool clear = !once && !json && isatty(STDOUT_FILENO) != 0;
  for (;;) {
    // A server that goes away while it is watched may come back.
    if (Status looked = watch.look(); looked) {
      watch.print(json, clear);
    } else if (once) {
      return fail(name + ": " + looked.error().message);
    } else {
      fail(name + ": " + looked.error().message);
    }
    if (once) return watch.well() ? 0 : 1;
    wait(interval_seconds);
  }
}

}  // namespace

std::string pair_table(const PairView& view, std::optional<double> rate) {
  TextTable table(
      {"SERVER", "ROLE", "LINK", "OFFSET", "LAG", "HEARD", "BACKLOG LEFT", "LIBRARIES", "DIGESTS"});
  for (const ServerView& server : view) {
    const std::string address =
        std::string(static_cast<size_t>(server.depth) * 2, ' ') + printable(server.address);
    if (!server.failure.empty()) {
      table.add(
          {address, server.is_primary ? "primary" : "replica", "?", "-", "-", "-", "-", "-", "-"});
      continue;
    }
    std::string lag = number_or_dash(server.lag_bytes);
    if (server.lag_bytes) {
      lag += " B";
      const auto seconds = seconds_for(server.lag_bytes, rate);
      if (seconds) lag += ", " + decimal(*seconds) + " s";
    }
    table.add({address, server.is_primary ? "primary" : "replica",
               server.is_primary ? "-" : printable(server.link), std::to_string(server.offset), lag,
               server.silent_seconds ? number_or_dash(server.silent_seconds) + " s ago" : "-",
               backlog_text(server, rate), libraries_text(server, view.front()),
               digests_text(server)});
  }
  std::string out = table.format();
  if (rate) out += "The stream grows by " + bytes_text(*rate) + " a second.\n";
  for (const std::string& problem : problems_of(view)) out += "! " + printable(problem) + "\n";
  return out;
}

std::string pair_json(const PairView& view, std::optional<double> rate) {
  ReplyValue servers{.type = ReplyValue::Type::kArray};
  for (const ServerView& server : view) {
    servers.elements.push_back(server_json(server, view.front(), rate));
  }
  ReplyValue problems{.type = ReplyValue::Type::kArray};
  for (std::string& problem : problems_of(view)) problems.elements.push_back(text(problem));
  const ReplyValue all = Object()
                             .add("servers", std::move(servers))
                             .add("bytes_per_second", fraction(rate))
                             .add("problems", std::move(problems))
                             .take();
  return format_reply(all, {.mode = OutputMode::kJson});
}

int run_pair(const Options& options) {
  const std::span<const std::string> words = std::span(options.command).subspan(1);
  if (!words.empty() && words[0] == "status") return status(options);
  const bool asked = !words.empty() && (words[0] == "help" || words[0] == "--help");
  std::fputs(kUsage, asked ? stdout : stderr);
  return asked ? 0 : 1;
}

}  // namespace tandem::cli
