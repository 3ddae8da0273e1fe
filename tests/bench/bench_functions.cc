#include <benchmark/benchmark.h>

#include <cstdlib>
#include <iostream>
#include <string_view>
#include <vector>

#include "functions/function_engine.h"
#include "server/base/clock.h"
#include "server/base/config.h"
#include "server/commands/families.h"
#include "server/commands/services.h"
#include "server/exec/executor.h"
#include "server/resp/encoder.h"
#include "server/store/keyspace.h"

// What a function costs inside the server: from the dispatched request to the encoded reply.

namespace tandem {
namespace {

constexpr std::string_view kLibrary = R"(#!lua name=bench
server.register_function('empty', function() end)
server.register_function('set', function(keys, args)
  return server.call('SET', keys[1], args[1])
end)
server.register_function{function_name='get', flags={'no-writes'}, callback=function(keys)
  return server.call('GET', keys[1])
end}
server.register_function('incrby', function(keys, args)
  for i = 1, 1000 do server.call('INCRBY', keys[1], args[1]) end
end)
)";

// The commands and the engine, in process.
struct World {
  World() {
    services.functions = &engine;
    register_all_commands(executor.commands());
    client = executor.make_internal_client(ClientKind::kNormal);
    if (!engine.load(kLibrary, false).ok()) std::abort();
  }

  void run(benchmark::State& state, const std::vector<std::string_view>& request) {
    RespEncoder reply(&output);
    Command& command = *executor.commands().resolve(request);
    for (auto _ : state) {
      executor.call(*client, command, request, reply);
      output.consume(output.size());
    }
  }

  Config config{"/"};
  Services services;
  Keyspace keyspace{16};
  Executor executor{keyspace, config, system_clock(), services};
  FunctionEngine engine{executor};
  std::unique_ptr<Client> client;
  OutputBuffer output;
};

void call_empty(benchmark::State& state) { World().run(state, {"FCALL", "empty", "0"}); }
void call_with_key(benchmark::State& state) {
  World().run(state, {"FCALL", "empty", "1", "key:000000000001"});
}
void call_set(benchmark::State& state) {
  World().run(state, {"FCALL", "set", "1", "key:000000000001", "value"});
}
void call_get(benchmark::State& state) {
  World().run(state, {"FCALL_RO", "get", "1", "key:000000000001"});
}
void call_incrby_1000(benchmark::State& state) {
  World().run(state, {"FCALL", "incrby", "1", "counter", "1"});
}
void plain_set(benchmark::State& state) {
  World().run(state, {"SET", "key:000000000001", "value"});
}
void plain_incrby(benchmark::State& state) { World().run(state, {"INCRBY", "counter", "1"}); }

BENCHMARK(call_empty);
BENCHMARK(call_with_key);
BENCHMARK(call_set);
BENCHMARK(call_get);
BENCHMARK(call_incrby_1000);
BENCHMARK(plain_set);
BENCHMARK(plain_incrby);

}  // namespace
}  // namespace tandem
