#pragma once

// Restores a value from a payload that may be damaged and puts it through every command of its
// type, in process. Shared by the fuzz target and by the unit test that damages payloads by a seed.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "persistence/dump_payload.h"
#include "persistence/rdb_format.h"
#include "server/base/config.h"
#include "server/commands/dataset_digest.h"
#include "server/commands/families.h"
#include "server/commands/services.h"
#include "server/exec/client.h"
#include "server/exec/executor.h"
#include "server/resp/reply.h"
#include "server/store/keyspace.h"

namespace tandem {

// Ends the process unless a command replies exactly one value, as long as it says: a header that a
// damaged value has made too long or too short would break the connection. Keeps the first bulks.
class CheckedReply final : public Reply {
 public:
  explicit CheckedReply(std::string command) : command_(std::move(command)) {}
  ~CheckedReply() override { require(missing_ == 0); }
  CheckedReply(const CheckedReply&) = delete;
  CheckedReply& operator=(const CheckedReply&) = delete;

  const std::vector<std::string>& bulks() const { return bulks_; }

  void integer(int64_t) override { add(0); }
  void bulk(std::string_view bytes) override {
    if (bulks_.size() < 3) bulks_.emplace_back(bytes);
    add(0);
  }
  void simple(std::string_view) override { add(0); }
  void error(std::string_view) override { add(0); }
  void null() override { add(0); }
  void null_array() override { add(0); }
  void array(size_t length) override { add(length); }
  void map(size_t pairs) override { add(2 * pairs); }
  void set(size_t length) override { add(length); }
  void push(size_t length) override { add(length); }
  void real(double) override { add(0); }
  void boolean(bool) override { add(0); }
  void big_number(std::string_view) override { add(0); }
  void verbatim(std::string_view, std::string_view) override { add(0); }
  int protocol() const override { return 3; }

 private:
  // One value, which is `values` more.
  void add(size_t values) {
    require(missing_ > 0);
    missing_ += values - 1;
  }
  void require(bool holds) const {
    if (holds) return;
    std::fprintf(stderr, "a reply of the wrong length: %s\n", command_.c_str());
    std::abort();
  }

  std::string command_;
  size_t missing_ = 1;
  std::vector<std::string> bulks_;
};

class RestoreProbe {
 public:
  RestoreProbe() {
    services_.config = &config_;
    services_.clock = &clock_;
    services_.keyspace = &keyspace_;
    services_.executor = &executor_;
    register_all_commands(executor_.commands());
    client_ = executor_.make_internal_client(ClientKind::kInternal);
  }

  // Runs a command, its words apart by spaces; $1, $2 and $3 stand for the `parts`. Returns the
  // first bulks of its reply. A command that does not exist, or fails, is as good as any.
  std::vector<std::string> run(std::string_view line, const std::vector<std::string>& parts = {}) {
    std::vector<std::string_view> words;
    while (!line.empty()) {
      const size_t end = std::min(line.find(' '), line.size());
      std::string_view word = line.substr(0, end);
      if (word.size() == 2 && word[0] == '$') {
        const auto part = static_cast<size_t>(word[1] - '1');
        word = part < parts.size() ? std::string_view(parts[part]) : "absent";
      }
      words.push_back(word);
      line.remove_prefix(std::min(end + 1, line.size()));
    }
    return run_words(words);
  }

  std::vector<std::string> run_words(const std::vector<std::string_view>& words) {
    Command* command = executor_.commands().resolve(words);
    if (command == nullptr || command->handler == nullptr ||
        !command->accepts_arg_count(words.size())) {
      return {};
    }
    CheckedReply reply(command->name);
    executor_.effects().begin_unit();
    executor_.call(*client_, *command, words, reply);
    executor_.effects().end_unit();
    return reply.bulks();
  }

  // What DUMP writes for a key before the footer; empty without the key.
  std::string dump(std::string_view key) {
    const Entry* entry = find(key);
    if (entry == nullptr) return {};
    const std::string payload = dump_value(*entry);
    return payload.substr(0, payload.size() - rdb::kPayloadFooterBytes);
  }

  // Gives a payload, without its footer, to RESTORE, and what comes of it to every command. False
  // when it was refused.
  bool probe(std::string_view payload) {
    if (!restore("key", payload)) return false;
    probe_key();
    // What was read can be written, and that read again.
    const std::string digest = value_digest(find("key"));
    if (!restore("key", dump("key")) || value_digest(find("key")) != digest) {
      std::fprintf(stderr, "a value that was restored does not survive DUMP and RESTORE\n");
      std::abort();
    }
    run("FLUSHALL");
    return true;
  }

 private:
  struct StandingClock final : Clock {
    int64_t wall_us() override { return int64_t{1'700'000'000} * 1'000'000; }
    int64_t monotonic_us() override { return 1'000'000; }
  };
  using Lines = std::vector<std::string_view>;

  Entry* find(std::string_view key) { return keyspace_.database(0).peek(key); }

  bool restore(std::string_view key, std::string_view payload) {
    // A checksum of zero is not checked.
    std::string whole(payload);
    whole += static_cast<char>(rdb::kNewestVersion);
    whole.append(rdb::kPayloadFooterBytes - 1, '\0');
    run("DEL key");
    run_words({"RESTORE", key, "0", whole});
    return find(key) != nullptr;
  }

  // Reads the value, then gives a copy of it to each command that writes.
  void probe_key() {
    const ValueType type = find("key")->type();
    const std::vector<std::string> parts = run(members_of(type));
    for (const std::string_view line : reads_of_any()) run(line, parts);
    for (const std::string_view line : reads_of(type)) run(line, parts);
    value_digest(find("key"));
    for (const std::string_view line : writes_of(type)) {
      run("COPY key copy REPLACE");
      run(line, parts);
      value_digest(find("copy"));
      value_digest(find("other"));
      run("DEL other");
    }
    run("RENAME copy other");
    run("UNLINK other copy");
  }

  static std::string_view members_of(ValueType type) {
    switch (type) {
      case ValueType::kString:
        return "GETRANGE key 0 100";
      case ValueType::kList:
        return "LRANGE key 0 2";
      case ValueType::kSet:
        return "SMEMBERS key";
      case ValueType::kSortedSet:
        return "ZRANGE key 0 2";
      case ValueType::kHash:
        return "HKEYS key";
      case ValueType::kStream:
        return "XRANGE key - + COUNT 1";
    }
    return "";
  }

  static const Lines& reads_of_any() {
    static const Lines kLines = {
        "TYPE key",  "OBJECT ENCODING key", "MEMORY USAGE key SAMPLES 0",
        "DUMP key",  "OBJECT FREQ key",     "SORT key ALPHA LIMIT 0 10",
        "TOUCH key",
    };
    return kLines;
  }

  static const Lines& reads_of(ValueType type) {
    static const Lines kString = {
        "GET key",
        "STRLEN key",
        "GETBIT key 7",
        "BITCOUNT key",
        "BITCOUNT key 3 -3 BIT",
        "BITPOS key 0",
        "BITFIELD_RO key GET i64 #1 GET u5 13",
        "PFCOUNT key absent",
        "PFDEBUG DECODE key",
    };
    static const Lines kList = {
        "LLEN key",        "LRANGE key 0 -1",  "LINDEX key 0", "LINDEX key -1",
        "LINDEX key 17",   "LRANGE key -7 -3", "LPOS key $2",  "LPOS key $1 RANK -1 COUNT 0",
        "LPOS key absent", "LRANGE key 5 5",
    };
    static const Lines kSet = {
        "SCARD key",           "SMEMBERS key",      "SISMEMBER key $1",
        "SMISMEMBER key $2 x", "SRANDMEMBER key",   "SRANDMEMBER key 5",
        "SRANDMEMBER key -5",  "SSCAN key 0",       "SSCAN key 0 COUNT 10000 MATCH *1*",
        "SINTER key key",      "SUNION key absent", "SDIFF key absent",
        "SISMEMBER key 77",    "SISMEMBER key x",   "SINTERCARD 2 key key",
    };
    static const Lines kSortedSet = {
        "ZCARD key",
        "ZRANGE key 0 -1 WITHSCORES",
        "ZRANGE key 0 -1 REV",
        "ZRANGE key 3 7",
        "ZRANGEBYSCORE key -inf +inf WITHSCORES LIMIT 1 5",
        "ZREVRANGEBYSCORE key +inf (1",
        "ZRANGEBYLEX key - +",
        "ZREVRANGEBYLEX key + [b",
        "ZCOUNT key -inf 5",
        "ZLEXCOUNT key - (x",
        "ZSCORE key $1",
        "ZMSCORE key $1 $2 absent",
        "ZRANK key $2 WITHSCORE",
        "ZREVRANK key $3",
        "ZRANDMEMBER key 5 WITHSCORES",
        "ZRANDMEMBER key -5",
        "ZSCAN key 0 COUNT 10000",
        "ZUNION 2 key key WITHSCORES",
        "ZINTER 2 key key WEIGHTS 2 -inf AGGREGATE MAX",
        "ZDIFF 2 key absent",
        "GEOPOS key $1",
        "GEODIST key $1 $2",
        "GEOHASH key $1",
        "GEOSEARCH key FROMLONLAT 0 0 BYRADIUS 20000 km WITHDIST COUNT 3",
    };
    static const Lines kHash = {
        "HGETALL key",
        "HKEYS key",
        "HVALS key",
        "HLEN key",
        "HGET key $1",
        "HMGET key $1 $2 absent",
        "HEXISTS key $3",
        "HSTRLEN key $1",
        "HRANDFIELD key 3 WITHVALUES",
        "HRANDFIELD key -5 WITHVALUES",
        "HRANDFIELD key",
        "HSCAN key 0",
        "HSCAN key 0 COUNT 10000 NOVALUES MATCH *1*",
        "HPTTL key FIELDS 2 $1 absent",
        "HPEXPIRETIME key FIELDS 1 $1",
    };
    static const Lines kStream = {
        "XLEN key",
        "XRANGE key - +",
        "XREVRANGE key + -",
        "XRANGE key $1 +",
        "XRANGE key 5 (9-3 COUNT 2",
        "XREAD COUNT 3 STREAMS key 0",
        "XREAD STREAMS key +",
        "XINFO STREAM key",
        "XINFO STREAM key FULL COUNT 0",
        "XINFO STREAM key FULL",
        "XINFO GROUPS key",
        "XINFO CONSUMERS key g1",
        "XPENDING key g1",
        "XPENDING key g1 - + 10",
        "XPENDING key g1 IDLE 0 - + 10 c1",
    };
    switch (type) {
      case ValueType::kString:
        return kString;
      case ValueType::kList:
        return kList;
      case ValueType::kSet:
        return kSet;
      case ValueType::kSortedSet:
        return kSortedSet;
      case ValueType::kHash:
        return kHash;
      case ValueType::kStream:
        return kStream;
    }
    return kString;
  }

  static const Lines& writes_of(ValueType type) {
    static const Lines kString = {
        "APPEND copy text",     "SETRANGE copy 3 text",
        "SETBIT copy 70 1",     "BITFIELD copy SET u8 3 1 INCRBY i5 9 1",
        "BITOP NOT other copy", "INCR copy",
        "INCRBYFLOAT copy 1.5", "PFADD copy a b c d e f g",
        "PFCOUNT copy",         "PFMERGE copy absent",
        "PFMERGE other copy",   "PFDEBUG TODENSE copy",
        "PFDEBUG GETREG copy",  "GETDEL copy",
        "GETEX copy EX 100",
    };
    static const Lines kList = {
        "LPUSH copy x 12 1234567890123",
        "RPUSH copy x 12 1234567890123",
        "LPOP copy 3",
        "RPOP copy 3",
        "LINSERT copy BEFORE $2 x",
        "LINSERT copy AFTER $1 x",
        "LSET copy 0 x",
        "LSET copy -2 12345",
        "LREM copy 0 $1",
        "LREM copy -1 $2",
        "LTRIM copy 1 -2",
        "LTRIM copy -3 -1",
        "LMOVE copy other LEFT RIGHT",
        "RPOPLPUSH copy copy",
        "LMPOP 1 copy RIGHT COUNT 5",
        "SORT copy ALPHA STORE other",
    };
    static const Lines kSet = {
        "SADD copy x 12 1234567890123",
        "SADD copy 70000",
        "SREM copy $1 $2 x",
        "SREM copy $3 5",
        "SPOP copy",
        "SPOP copy 3",
        "SPOP copy 100000",
        "SMOVE copy other $2",
        "SINTERSTORE other copy key",
        "SUNIONSTORE other copy key absent",
        "SDIFFSTORE other copy absent",
    };
    static const Lines kSortedSet = {
        "ZADD copy 1 $1 2.5 x -inf y",
        "ZADD copy XX GT INCR 3 $2",
        "ZINCRBY copy 1.5 $1",
        "ZREM copy $1 $3 x",
        "ZPOPMIN copy 2",
        "ZPOPMAX copy 2",
        "ZMPOP 1 copy MIN COUNT 3",
        "ZREMRANGEBYRANK copy 1 -2",
        "ZREMRANGEBYSCORE copy -inf 3",
        "ZREMRANGEBYLEX copy - (m",
        "ZUNIONSTORE other 2 copy key WEIGHTS 1 inf",
        "ZINTERSTORE other 2 copy key",
        "ZDIFFSTORE other 2 copy absent",
        "ZRANGESTORE other copy 1 5",
        "GEOADD copy 13.36 38.11 x",
        "GEOSEARCHSTORE other copy FROMLONLAT 0 0 BYBOX 9000 9000 km",
    };
    static const Lines kHash = {
        "HSET copy $1 x new y",
        "HSET copy $2 12345678901 $3 z",
        "HMSET copy other 12",
        "HSETNX copy $1 x",
        "HSETNX copy new x",
        "HDEL copy $1 absent",
        "HDEL copy $2 $3",
        "HINCRBY copy $1 1",
        "HINCRBYFLOAT copy $2 1.5",
        "HGETDEL copy FIELDS 2 $1 absent",
        "HEXPIRE copy 100 FIELDS 2 $1 absent",
        "HPEXPIREAT copy 1 FIELDS 1 $2",
        "HPERSIST copy FIELDS 1 $1",
        "HGETEX copy PX 100 FIELDS 1 $1",
        "HSETEX copy EX 100 FIELDS 1 $1 v",
    };
    static const Lines kStream = {
        "XADD copy * f v",
        "XADD copy MAXLEN ~ 3 * f v g w",
        "XADD copy $1 f v",
        "XDEL copy $1",
        "XTRIM copy MAXLEN 1",
        "XTRIM copy MINID ~ 5",
        "XSETID copy 99999999999999-1",
        "XGROUP CREATE copy new 0",
        "XGROUP CREATECONSUMER copy g1 c9",
        "XGROUP SETID copy g1 0",
        "XGROUP DELCONSUMER copy g1 c1",
        "XGROUP DESTROY copy g1",
        "XREADGROUP GROUP g1 c1 COUNT 2 STREAMS copy >",
        "XREADGROUP GROUP g1 c1 STREAMS copy 0",
        "XACK copy g1 $1",
        "XCLAIM copy g1 c2 0 $1",
        "XCLAIM copy g1 c2 0 $1 FORCE JUSTID",
        "XAUTOCLAIM copy g1 c2 0 0 COUNT 10",
    };
    switch (type) {
      case ValueType::kString:
        return kString;
      case ValueType::kList:
        return kList;
      case ValueType::kSet:
        return kSet;
      case ValueType::kSortedSet:
        return kSortedSet;
      case ValueType::kHash:
        return kHash;
      case ValueType::kStream:
        return kStream;
    }
    return kString;
  }

  StandingClock clock_;
  Config config_{"/"};
  Services services_;
  Keyspace keyspace_{16};
  Executor executor_{keyspace_, config_, clock_, services_};
  std::unique_ptr<Client> client_;
};

}  // namespace tandem
