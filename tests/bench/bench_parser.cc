// The request parser on what a pipelining client sends: the bytes are those of redis-benchmark.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/resp/request_parser.h"

namespace tandem {
namespace {

constexpr int kBatch = 64;

std::string get_batch() {
  std::string bytes;
  for (int i = 0; i < kBatch; ++i) {
    bytes += "*2\r\n$3\r\nGET\r\n$16\r\nkey:" + std::to_string(100000000000 + i) + "\r\n";
  }
  return bytes;
}

std::string set_batch(size_t value_bytes) {
  const std::string value(value_bytes, 'v');
  std::string bytes;
  for (int i = 0; i < kBatch; ++i) {
    bytes += "*3\r\n$3\r\nSET\r\n$16\r\nkey:" + std::to_string(100000000000 + i) + "\r\n$" +
             std::to_string(value_bytes) + "\r\n" + value + "\r\n";
  }
  return bytes;
}

void parse_all(RequestParser& parser, std::string_view input) {
  while (!input.empty()) {
    if (parser.parse(input, {}) != RequestParser::Outcome::kRequest) std::abort();
    benchmark::DoNotOptimize(parser.args().data());
    input.remove_prefix(parser.consumed());
  }
}

void parse_whole(benchmark::State& state, const std::string& bytes) {
  RequestParser parser;
  for (auto _ : state) parse_all(parser, bytes);
  state.SetItemsProcessed(state.iterations() * kBatch);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes.size()));
}

void BM_ParseGet(benchmark::State& state) { parse_whole(state, get_batch()); }
BENCHMARK(BM_ParseGet);

void BM_ParseSet(benchmark::State& state) {
  parse_whole(state, set_batch(static_cast<size_t>(state.range(0))));
}
BENCHMARK(BM_ParseSet)->Arg(3)->Arg(64)->Arg(1024);

void BM_ParseInline(benchmark::State& state) {
  std::string bytes;
  for (int i = 0; i < kBatch; ++i) bytes += "PING\r\n";
  parse_whole(state, bytes);
}
BENCHMARK(BM_ParseInline);

// One request that arrives in pieces: work done once must not be done again.
void BM_ParseManyArgsInPieces(benchmark::State& state) {
  const int64_t count = state.range(0);
  std::string bytes = "*" + std::to_string(count) + "\r\n";
  for (int64_t i = 0; i < count; ++i) bytes += "$5\r\nabcde\r\n";
  constexpr size_t kPiece = 16 * 1024;
  for (auto _ : state) {
    RequestParser parser;
    for (size_t end = kPiece; end < bytes.size(); end += kPiece) {
      if (parser.parse({bytes.data(), end}, {}) != RequestParser::Outcome::kNeedMore) std::abort();
    }
    parse_all(parser, bytes);
  }
  state.SetItemsProcessed(state.iterations() * count);
}
BENCHMARK(BM_ParseManyArgsInPieces)->Arg(1000)->Arg(100000);

}  // namespace
}  // namespace tandem
