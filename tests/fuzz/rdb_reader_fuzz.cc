#include <cstddef>
#include <cstdint>
#include <string_view>

#include "persistence/dump_payload.h"
#include "persistence/keyspace_loader.h"
#include "persistence/rdb_reader.h"
#include "server/store/keyspace.h"

// Any bytes, read as a snapshot and as DUMP and FUNCTION DUMP payloads: they load or are refused.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tandem;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);

  Keyspace keyspace(16);
  KeyspaceLoader loader(&keyspace, {.now_ms = 1'700'000'000'000});
  StringSource source(bytes);
  (void)read_snapshot(&source, {.verify_checksum = false}, &loader);

  std::string text;
  (void)decode_value_payload(bytes, {}, &text);
  (void)decode_libraries_payload(bytes);
  // The same value without a footer, which a fuzzer seldom gets right.
  StringSource value_source(bytes);
  RdbDecoder in(&value_source);
  if (Result<uint8_t> type = in.byte("a value type"); type.ok()) {
    (void)read_rdb_value(in, type.value(), "key", {});
  }
  return 0;
}
