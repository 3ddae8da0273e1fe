#include <optional>

#include "server/base/directive.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"

namespace tandem {

namespace {

constexpr size_t kMaxBindAddresses = 16;

Status set_bind(Settings& settings, std::span<const std::string> words, bool) {
  if (words.size() > kMaxBindAddresses) {
    return make_error(ErrorKind::kInvalid, "Too many bind addresses specified.");
  }
  if (words.size() == 1 && words[0].empty()) words = {};
  settings.bind.assign(words.begin(), words.end());
  return {};
}

std::string get_bind(const Settings& settings) {
  std::string text;
  for (const std::string& address : settings.bind) text += (text.empty() ? "" : " ") + address;
  return text;
}

constexpr std::string_view kClassNames[kClientClasses] = {"normal", "slave", "pubsub"};

std::optional<size_t> client_class(std::string_view name) {
  if (equals_ignore_case(name, "replica")) name = "slave";
  for (size_t i = 0; i < kClientClasses; ++i) {
    if (equals_ignore_case(name, kClassNames[i])) return i;
  }
  return std::nullopt;
}

Status set_client_limits(Settings& settings, std::span<const std::string> words, bool) {
  auto refuse = [](const char* reason) { return make_error(ErrorKind::kInvalid, reason); };
  if (words.size() % 4 != 0) {
    return refuse("Wrong number of arguments in buffer limit configuration.");
  }
  auto limits = settings.client_output_buffer_limit;
  for (size_t i = 0; i < words.size(); i += 4) {
    const auto which = client_class(words[i]);
    if (!which) return refuse("Invalid client class specified in buffer limit configuration.");
    const auto hard = parse_memory_size(words[i + 1]);
    const auto soft = parse_memory_size(words[i + 2]);
    const auto seconds = parse_int64(words[i + 3]);
    if (!hard || !soft || !seconds || *seconds < 0) {
      return refuse("Error in hard, soft or soft_seconds setting in buffer limit configuration.");
    }
    limits[*which] = {*hard, *soft, *seconds};
  }
  settings.client_output_buffer_limit = limits;
  return {};
}

std::vector<std::string> client_limit_lines(const Settings& settings) {
  std::vector<std::string> lines;
  for (size_t i = 0; i < kClientClasses; ++i) {
    const OutputBufferLimit& limit = settings.client_output_buffer_limit[i];
    lines.push_back(std::string(kClassNames[i]) + " " + std::to_string(limit.hard_bytes) + " " +
                    std::to_string(limit.soft_bytes) + " " + std::to_string(limit.soft_seconds));
  }
  return lines;
}

std::string get_client_limits(const Settings& settings) {
  std::string text;
  for (const std::string& line : client_limit_lines(settings)) {
    text += (text.empty() ? "" : " ") + line;
  }
  return text;
}

constexpr int64_t kMaxInt = INT32_MAX;
constexpr int64_t kMaxUnsigned = UINT32_MAX;
constexpr auto kMemory = IntegerUnit::kMemory;
using S = Settings;

const Directive kRows[] = {
    {"bind", "", CustomField{set_bind, get_bind}, kMultiWord},
    {"bind-source-addr", "", StringField{&S::bind_source_addr}},
    {"port", "", IntegerField{&S::port, 0, 65535}},
    {"unixsocket", "", StringField{&S::unixsocket}, kImmutable},
    {"unixsocketperm", "", IntegerField{&S::unixsocketperm, 0, 0777, IntegerUnit::kOctal},
     kImmutable},
    {"unixsocketgroup", "", StringField{&S::unixsocketgroup}, kImmutable},
    {"tcp-backlog", "", IntegerField{&S::tcp_backlog, 0, kMaxInt}, kImmutable},
    {"tcp-keepalive", "", IntegerField{&S::tcp_keepalive, 0, kMaxInt}},
    {"timeout", "", IntegerField{&S::timeout, 0, kMaxInt}},
    {"protected-mode", "", BoolField{&S::protected_mode}},
    {"maxclients", "", IntegerField{&S::maxclients, 1, kMaxUnsigned}},
    {"max-new-connections-per-cycle", "", IntegerField{&S::max_new_connections_per_cycle, 1, 1000}},
    {"client-output-buffer-limit", "",
     CustomField{set_client_limits, get_client_limits, client_limit_lines}, kMultiWord},
    {"client-query-buffer-limit", "",
     IntegerField{&S::client_query_buffer_limit, 1 << 20, INT64_MAX, kMemory}},
    {"proto-max-bulk-len", "", IntegerField{&S::proto_max_bulk_len, 1 << 20, INT64_MAX, kMemory}},
};

}  // namespace

std::span<const Directive> network_directives() { return kRows; }

}  // namespace tandem
