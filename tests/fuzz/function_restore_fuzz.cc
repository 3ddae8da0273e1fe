#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "functions/function_engine.h"
#include "server/base/config.h"
#include "server/base/crc64.h"
#include "server/commands/families.h"
#include "server/commands/services.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

// All that FUNCTION RESTORE needs of a server.
struct Functions {
  Config config{"/"};
  Keyspace keyspace{1};
  Services services;
  Executor executor{keyspace, config, system_clock(), services};
  FunctionEngine engine{executor};
  std::unique_ptr<Client> client = executor.make_internal_client(ClientKind::kNormal);

  Functions() {
    services.config = &config;
    services.keyspace = &keyspace;
    services.executor = &executor;
    services.functions = &engine;
    register_all_commands(executor.commands());
  }
  void run(std::initializer_list<std::string_view> args) {
    executor.execute(*client, std::span(args.begin(), args.size()));
  }
};

// The footer that makes `records` a payload of RDB version 11: a fuzzer would not find it.
std::string with_footer(std::string_view records) {
  std::string payload(records);
  payload.append({'\x0b', '\0'});
  const uint64_t crc = crc64(0, payload);
  for (int shift = 0; shift < 64; shift += 8) payload.push_back(static_cast<char>(crc >> shift));
  return payload;
}

}  // namespace
}  // namespace tandem

// Any records, restored under each policy in turn: what a payload brings joins whole or not at all,
// and what joined can be dumped and called.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tandem;
  if (size == 0) return 0;
  static constexpr std::array<std::string_view, 3> kPolicies = {"FLUSH", "APPEND", "REPLACE"};
  const std::string_view records(reinterpret_cast<const char*>(data) + 1, size - 1);

  Functions server;
  server.run(
      {"FUNCTION", "LOAD", "#!lua name=before\nserver.register_function('f', function() end)"});
  const auto before = server.engine.functions().libraries();
  if (before.size() != 1) std::abort();
  const std::string payload = with_footer(records);
  const uint64_t changes = server.executor.dirty();
  server.run({"FUNCTION", "RESTORE", payload, kPolicies[data[0] % kPolicies.size()]});
  const bool restored = server.executor.dirty() != changes;
  if (!restored && server.engine.functions().libraries() != before) std::abort();
  server.run({"FUNCTION", "DUMP"});
  server.run({"FCALL", "f", "0"});
  return 0;
}
