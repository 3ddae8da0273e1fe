// Payloads of RESTORE that are damaged behind a right footer: refused, or values that every command
// of their type can walk. TANDEM_DAMAGE_ROUNDS=n looks n times as long, TANDEM_DAMAGE_SEED=n
// elsewhere.

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "server/base/numbers.h"
#include "server/base/random.h"
#include "tests/fuzz/restore_probe.h"

namespace tandem {
namespace {

using namespace std::string_literals;

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : parse_uint64(text).value_or(otherwise);
}

// Commands that make one value under "key": each encoding of each type, with what its formats can
// express. Those of types that do not exist make nothing.
std::vector<std::vector<std::string>> recipes() {
  const auto repeated = [](std::string line, int count, auto part) {
    for (int i = 0; i < count; ++i) line += ' ' + part(i);
    return line;
  };
  const auto number = [](int i) { return std::to_string(i * 37 % 1000 - 500); };
  const auto word = [](int i) { return "member:" + std::to_string(i); };
  const auto pair = [](int i) { return "f" + std::to_string(i) + " value" + std::to_string(i); };
  const auto scored = [](int i) {
    return std::to_string(i % 7) + (i % 2 == 0 ? "" : ".25") + " m" + std::to_string(i);
  };
  const std::string groups = "XGROUP CREATE key g1 0";
  return {
      {"SET key 12"},
      {"SET key text"},
      {"SET key " + std::string(200, 'a')},
      {repeated("PFADD key", 3, word)},
      {repeated("PFADD key", 300, word)},
      {repeated("PFADD key", 300, word), "PFDEBUG TODENSE key"},
      {repeated("SADD key", 5, number)},
      {"SADD key 1 70000 -5"},
      {"SADD key 1 5000000000 -5000000000"},
      {repeated("SADD key", 6, word), "SADD key 12 -7 70000"},
      {repeated("SADD key", 200, word)},
      {repeated("HSET key", 4, pair), "HSET key n 12 m -70000 l 5000000000"},
      {repeated("HSET key", 3, pair), "HSET key long " + std::string(70, 'x')},
      {repeated("HSET key", 4, pair), "HEXPIRE key 1000 FIELDS 2 f1 f2"},
      {repeated("RPUSH key", 5, word), "RPUSH key 12 -7 70000 5000000000"},
      {repeated("RPUSH key", 2000, word)},
      {"RPUSH key a", "RPUSH key " + std::string(9000, 'b'), "RPUSH key c 1"},
      {repeated("ZADD key", 5, scored), "ZADD key inf a -inf b 1e300 c -0.5 12"},
      {repeated("ZADD key", 200, scored)},
      {"GEOADD key 13.361389 38.115556 Palermo 15.087269 37.502669 Catania"},
      {"XADD key 5-1 a 1 b 2", "XADD key 6-1 a 3 b 4", "XADD key 6-2 other fields"},
      {"XADD key 5-1 a 1", "XADD key 5-2 a 2", "XADD key 5-3 a 3", "XDEL key 5-2", groups,
       "XGROUP CREATE key g2 5-1 ENTRIESREAD 1", "XREADGROUP GROUP g1 c1 COUNT 1 STREAMS key >",
       "XREADGROUP GROUP g1 c2 STREAMS key >", "XGROUP CREATECONSUMER key g1 c3"},
      {repeated("XADD key 7-1", 150, pair), "XADD key 7-2 a 1"},
      {"XADD key 5-1 a 1", "XDEL key 5-1", groups},
  };
}

// A value of each older encoding, which is no longer written: items "a", "3", "b", "4".
std::vector<std::string> old_payloads() {
  const auto text = [](std::string_view bytes) {
    return std::string(1, static_cast<char>(bytes.size())) + std::string(bytes);
  };
  // Four entries: two texts of one byte, and numbers of the two shortest forms in between.
  std::string ziplist = "\0\0\0\0\0\0\0\0\x04\0"s +
                        "\0\x01"
                        "a"s +
                        "\x03\xf4"s +
                        "\x02\x01"
                        "b"s +
                        "\x03\xc0\x04\0"s + "\xff"s;
  ziplist[0] = static_cast<char>(ziplist.size());
  ziplist[4] = static_cast<char>(ziplist.size() - 5);  // where the last entry begins
  const std::string sized_ziplist = text(ziplist);
  const std::string zipmap = text(
      "\x02\x01"
      "a\x01\0"
      "b\x01"
      "3\x02\0"
      "45\xff"s);
  const std::string stream_v1_prefix = "\x0f\0"s;
  return {
      "\x01\x02\x01"
      "a\x01"
      "b"s,  // list
      "\x03\x02\x01"
      "a\x03"
      "1.5\x01"
      "b\xfe"s,                                    // sorted set with text scores
      "\x09" + zipmap,                             // hash
      "\x0a" + sized_ziplist,                      // list
      "\x0c" + sized_ziplist,                      // sorted set
      "\x0d" + sized_ziplist,                      // hash
      "\x0e\x02" + sized_ziplist + sized_ziplist,  // list
      stream_v1_prefix + "\0\0\0\0"s,
  };
}

class RestoreDamageTest : public ::testing::Test {
 protected:
  RestoreDamageTest() {
    for (const auto& recipe : recipes()) {
      probe_.run("DEL key");
      for (const std::string& line : recipe) probe_.run(line);
      std::string payload = probe_.dump("key");
      if (!payload.empty()) payloads_.push_back(std::move(payload));
    }
    for (std::string& payload : old_payloads()) payloads_.push_back(std::move(payload));
  }

  void probe(const std::string& payload) {
    if (probe_.probe(payload)) ++accepted_;
    ++tried_;
  }

  RestoreProbe probe_;
  std::vector<std::string> payloads_;
  size_t tried_ = 0, accepted_ = 0;
  const uint64_t rounds_ = from_environment("TANDEM_DAMAGE_ROUNDS", 1);
  Random random_{from_environment("TANDEM_DAMAGE_SEED", 1)};
};

TEST_F(RestoreDamageTest, WholePayloadsAreTaken) {
  for (const std::string& payload : payloads_) {
    // The stream of no entries and no groups is one that no server writes.
    EXPECT_TRUE(probe_.probe(payload) || payload[0] == '\x0f') << static_cast<int>(payload[0]);
  }
}

TEST_F(RestoreDamageTest, AnyByteChanged) {
  constexpr size_t kPositions = 120;
  for (const std::string& payload : payloads_) {
    for (uint64_t i = 0; i < kPositions * rounds_; ++i) {
      // All bytes of a short payload, the first ones of a long one, then any.
      const size_t at = i < std::min<size_t>(payload.size(), kPositions / 2)
                            ? static_cast<size_t>(i)
                            : random_.below(payload.size());
      std::string damaged = payload;
      damaged[at] = static_cast<char>(random_.below(3) == 0 ? damaged[at] ^ (1 << random_.below(8))
                                                            : random_.below(256));
      probe(damaged);
    }
  }
  // Most damage to contents cannot be seen, and much to structure can.
  EXPECT_GT(accepted_, tried_ / 10);
  EXPECT_LT(accepted_, tried_ * 9 / 10);
}

TEST_F(RestoreDamageTest, CutOffOrTooLong) {
  for (const std::string& payload : payloads_) {
    for (uint64_t i = 0; i < 20 * rounds_; ++i) {
      probe(payload.substr(0, random_.below(payload.size())));
    }
    probe(payload + '\0');
    probe(payload + payload);
  }
}

TEST_F(RestoreDamageTest, PiecesMovedAbout) {
  for (const std::string& payload : payloads_) {
    for (uint64_t i = 0; i < 40 * rounds_; ++i) {
      std::string damaged = payload;
      const size_t at = random_.below(payload.size()), to = random_.below(payload.size());
      const size_t length = 1 + random_.below(20);
      const std::string& source =
          random_.below(2) == 0 ? payload : payloads_[random_.below(payloads_.size())];
      const size_t from = random_.below(source.size());
      switch (random_.below(3)) {
        case 0:
          damaged.replace(at, length, source.substr(from, length));
          break;
        case 1:
          damaged.insert(at, source.substr(from, length));
          break;
        default:
          damaged.erase(std::min(at, to), length);
          if (damaged.empty()) continue;
      }
      probe(damaged);
    }
  }
}

}  // namespace
}  // namespace tandem
