// A request's whole way but the socket: parsed, checked, executed and answered, in pipelines of 64.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "server/base/clock.h"
#include "server/base/config.h"
#include "server/base/link.h"
#include "server/commands/families.h"
#include "server/commands/services.h"
#include "server/exec/executor.h"
#include "server/store/keyspace.h"

namespace tandem {
namespace {

constexpr int kBatch = 64;

class NowhereLink final : public Link {
 public:
  OutputBuffer& output() override { return output_; }
  void schedule_flush() override {}
  void pause_input(bool) override {}
  void close_after_flush() override {}
  void close_now() override {}
  std::string peer_address() const override { return "127.0.0.1:1"; }
  std::string local_address() const override { return "127.0.0.1:2"; }
  bool peer_is_loopback() const override { return true; }
  bool is_unix() const override { return false; }
  int fd() const override { return -1; }
  size_t input_buffered() const override { return 0; }
  size_t input_capacity() const override { return 0; }

 private:
  OutputBuffer output_;
};

struct World {
  World() {
    services.config = &config;
    services.clock = &clock;
    services.keyspace = &keyspace;
    services.executor = &executor;
    register_all_commands(executor.commands());
    client = executor.adopt_link(&link, ClientKind::kNormal);
  }

  void send(const std::string& bytes) {
    if (client->on_input(bytes) != bytes.size()) std::abort();
    link.output().consume(link.output().size());
  }

  Clock& clock = system_clock();
  Config config{"/"};
  Services services;
  Keyspace keyspace{16};
  Executor executor{keyspace, config, clock, services};
  NowhereLink link;
  Client* client = nullptr;
};

std::string key(int i) { return "key:" + std::to_string(100000000000 + i); }

std::string batch(const std::string& before_key, const std::string& after_key) {
  std::string bytes;
  for (int i = 0; i < kBatch; ++i) bytes += before_key + key(i) + after_key;
  return bytes;
}

std::string set_batch() {
  return batch("*3\r\n$3\r\nSET\r\n$16\r\n", "\r\n$64\r\n" + std::string(64, 'v') + "\r\n");
}

void run(benchmark::State& state, const std::string& prepare, const std::string& bytes) {
  World world;
  world.send(prepare);
  for (auto _ : state) world.send(bytes);
  state.SetItemsProcessed(state.iterations() * kBatch);
}

void BM_Ping(benchmark::State& state) {
  std::string bytes;
  for (int i = 0; i < kBatch; ++i) bytes += "*1\r\n$4\r\nPING\r\n";
  run(state, bytes, bytes);
}
BENCHMARK(BM_Ping);

void BM_Get(benchmark::State& state) {
  run(state, set_batch(), batch("*2\r\n$3\r\nGET\r\n$16\r\n", "\r\n"));
}
BENCHMARK(BM_Get);

void BM_Set(benchmark::State& state) { run(state, set_batch(), set_batch()); }
BENCHMARK(BM_Set);

void BM_Incr(benchmark::State& state) {
  const std::string bytes = batch("*2\r\n$4\r\nINCR\r\n$16\r\n", "\r\n");
  run(state, bytes, bytes);
}
BENCHMARK(BM_Incr);

// With somebody who reads the effects: the AOF or a replica.
void BM_SetWithEffects(benchmark::State& state) {
  struct Counter final : EffectSink {
    EffectTarget target() const override { return kEffectToAof; }
    bool wants_effects() const override { return true; }
    void on_effects(std::string_view bytes) override { size += bytes.size(); }
    size_t size = 0;
  } sink;
  World world;
  world.executor.effects().add_sink(&sink);
  const std::string bytes = set_batch();
  for (auto _ : state) world.send(bytes);
  benchmark::DoNotOptimize(sink.size);
  state.SetItemsProcessed(state.iterations() * kBatch);
}
BENCHMARK(BM_SetWithEffects);

}  // namespace
}  // namespace tandem
