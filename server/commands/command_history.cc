#include "server/commands/command_history.h"

#include <algorithm>
#include <iterator>

namespace tandem {
namespace {

constexpr std::string_view kExpiryConditions = "Takes NX, XX, GT and LT.";
constexpr std::string_view kFractionalTimeout = "The timeout may have a fraction.";
constexpr std::string_view kSeveral = "Takes several at once.";
constexpr std::string_view kUnitsInCapitals = "Units may be written in capitals.";
constexpr std::string_view kByteOrBit = "Takes BYTE and BIT.";

// By command.
constexpr CommandChange kHistory[] = {
    {"acl|getuser", "6.2.0", "Shows the patterns of channels."},
    {"acl|getuser", "7.0.0", "Shows selectors, and patterns as the rules that made them."},
    {"acl|setuser", "6.2.0", "Takes patterns of channels."},
    {"acl|setuser", "7.0.0", "Takes selectors, and permissions for keys by kind of access."},
    {"auth", "6.0.0", "Takes the name of a user."},
    {"bgsave", "3.2.2", "Takes SCHEDULE."},
    {"bgsave", "8.1.0", "Takes CANCEL."},
    {"bitcount", "7.0.0", kByteOrBit},
    {"bitcount", "8.0.0", "The end may be left out."},
    {"bitpos", "7.0.0", kByteOrBit},
    {"blpop", "6.0.0", kFractionalTimeout},
    {"brpop", "6.0.0", kFractionalTimeout},
    {"brpoplpush", "6.0.0", kFractionalTimeout},
    {"bzpopmax", "6.0.0", kFractionalTimeout},
    {"bzpopmin", "6.0.0", kFractionalTimeout},
    {"client|kill", "2.8.12", "Takes filters, ID among them."},
    {"client|kill", "3.2.0", "The TYPE may be master."},
    {"client|kill", "5.0.0", "The TYPE slave is called replica too."},
    {"client|kill", "6.2.0", "Takes LADDR."},
    {"client|kill", "8.0.0", "Takes MAXAGE; the TYPE master is called primary too."},
    {"client|list", "2.8.12", "Shows the id."},
    {"client|list", "5.0.0", "Takes TYPE."},
    {"client|list", "6.0.0", "Shows the user."},
    {"client|list", "6.2.0", "Shows argv-mem, tot-mem, laddr and redir; takes ID."},
    {"client|list", "7.0.0", "Shows resp, multi-mem, rbs and rbp."},
    {"client|list", "7.0.3", "Shows ssub."},
    {"client|list", "8.0.0", "Shows capa, tot-net-in, tot-net-out and tot-cmds."},
    {"client|list", "8.1.0", "Takes all filters of CLIENT KILL."},
    {"client|pause", "6.2.0", "Takes WRITE and ALL."},
    {"cluster|meet", "4.0.0", "Takes the port of the cluster's bus."},
    {"cluster|slots", "4.0.0", "Shows the ids of nodes."},
    {"cluster|slots", "7.0.0", "Shows more of how to reach nodes."},
    {"command|info", "7.0.0", "Without a name: describes all commands."},
    {"config|get", "7.0.0", kSeveral},
    {"config|set", "7.0.0", kSeveral},
    {"exists", "3.0.3", kSeveral},
    {"expire", "7.0.0", kExpiryConditions},
    {"expireat", "7.0.0", kExpiryConditions},
    {"flushall", "4.0.0", "Takes ASYNC."},
    {"flushall", "6.2.0", "Takes SYNC."},
    {"flushdb", "4.0.0", "Takes ASYNC."},
    {"flushdb", "6.2.0", "Takes SYNC."},
    {"geoadd", "6.2.0", "Takes NX, XX and CH."},
    {"georadius", "6.2.0", "COUNT takes ANY."},
    {"georadius", "7.0.0", kUnitsInCapitals},
    {"georadius_ro", "6.2.0", "COUNT takes ANY."},
    {"georadiusbymember", "7.0.0", kUnitsInCapitals},
    {"geosearch", "7.0.0", kUnitsInCapitals},
    {"geosearch", "9.0.0", "Takes BYPOLYGON."},
    {"geosearchstore", "7.0.0", kUnitsInCapitals},
    {"geosearchstore", "9.0.0", "Takes BYPOLYGON."},
    {"hdel", "2.4.0", kSeveral},
    {"hello", "6.2.0", "The version may be left out."},
    {"hscan", "8.0.0", "Takes NOVALUES."},
    {"hset", "4.0.0", kSeveral},
    {"info", "7.0.0", kSeveral},
    {"lpop", "6.2.0", "Takes a count."},
    {"lpush", "2.4.0", kSeveral},
    {"lpushx", "4.0.0", kSeveral},
    {"migrate", "3.0.0", "Takes COPY and REPLACE."},
    {"migrate", "3.0.6", "Takes KEYS."},
    {"migrate", "4.0.7", "Takes AUTH."},
    {"migrate", "6.0.0", "Takes AUTH2."},
    {"pexpire", "7.0.0", kExpiryConditions},
    {"pexpireat", "7.0.0", kExpiryConditions},
    {"pttl", "2.8.0", "Answers -2 for a key that is not there."},
    {"renamenx", "3.2.0", "Both names may be the same."},
    {"restore", "3.0.0", "Takes REPLACE."},
    {"restore", "5.0.0", "Takes ABSTTL, IDLETIME and FREQ."},
    {"restore-asking", "3.0.0", "Takes REPLACE."},
    {"restore-asking", "5.0.0", "Takes ABSTTL, IDLETIME and FREQ."},
    {"rpop", "6.2.0", "Takes a count."},
    {"rpush", "2.4.0", kSeveral},
    {"rpushx", "4.0.0", kSeveral},
    {"sadd", "2.4.0", kSeveral},
    {"scan", "6.0.0", "Takes TYPE."},
    {"script|flush", "6.2.0", "Takes ASYNC and SYNC."},
    {"set", "2.6.12", "Takes EX, PX, NX and XX."},
    {"set", "6.0.0", "Takes KEEPTTL."},
    {"set", "6.2.0", "Takes GET, EXAT and PXAT."},
    {"set", "7.0.0", "Takes NX and GET together."},
    {"set", "8.1.0", "Takes IFEQ."},
    {"shutdown", "7.0.0", "Takes NOW, FORCE and ABORT."},
    {"slowlog|get", "4.0.0", "Shows the address and the name of the client."},
    {"spop", "3.2.0", "Takes a count."},
    {"srandmember", "2.6.0", "Takes a count."},
    {"srem", "2.4.0", kSeveral},
    {"ttl", "2.8.0", "Answers -2 for a key that is not there."},
    {"xadd", "6.2.0", "Takes NOMKSTREAM, MINID and LIMIT."},
    {"xadd", "7.0.0", "Takes an id of which only the time is given."},
    {"xautoclaim", "7.0.0", "Returns the ids of entries that are gone."},
    {"xgroup|create", "7.0.0", "Takes ENTRIESREAD."},
    {"xgroup|setid", "7.0.0", "Takes ENTRIESREAD."},
    {"xinfo|consumers", "7.2.0", "Shows inactive."},
    {"xinfo|groups", "7.0.0", "Shows entries-read and lag."},
    {"xinfo|stream", "6.0.0", "Takes FULL."},
    {"xinfo|stream", "7.0.0",
     "Shows max-deleted-entry-id, entries-added, recorded-first-entry-id, entries-read and lag."},
    {"xinfo|stream", "7.2.0", "Shows active-time of consumers."},
    {"xpending", "6.2.0", "Takes IDLE, and ranges without their ends."},
    {"xrange", "6.2.0", "Takes ranges without their ends."},
    {"xrevrange", "6.2.0", "Takes ranges without their ends."},
    {"xsetid", "7.0.0", "Takes ENTRIESADDED and MAXDELETEDID."},
    {"xtrim", "6.2.0", "Takes MINID and LIMIT."},
    {"zadd", "2.4.0", kSeveral},
    {"zadd", "3.0.2", "Takes XX, NX, CH and INCR."},
    {"zadd", "6.2.0", "Takes GT and LT."},
    {"zrange", "6.2.0", "Takes REV, BYSCORE, BYLEX and LIMIT."},
    {"zrangebyscore", "2.0.0", "Takes WITHSCORES."},
    {"zrank", "7.2.0", "Takes WITHSCORE."},
    {"zrem", "2.4.0", kSeveral},
    {"zrevrangebyscore", "2.1.6", "Takes ranges without their ends."},
    {"zrevrank", "7.2.0", "Takes WITHSCORE."},
};

constexpr bool before(const CommandChange& a, const CommandChange& b) {
  return a.command < b.command;
}
static_assert(std::is_sorted(std::begin(kHistory), std::end(kHistory), before));

constexpr CommandChange kDeprecated[] = {
    {"brpoplpush", "6.2.0", "BLMOVE with RIGHT and LEFT"},
    {"cluster|slaves", "5.0.0", "CLUSTER REPLICAS"},
    {"cluster|slots", "7.0.0", "CLUSTER SHARDS"},
    {"georadius", "6.2.0", "GEOSEARCH and GEOSEARCHSTORE with BYRADIUS"},
    {"georadius_ro", "6.2.0", "GEOSEARCH with BYRADIUS"},
    {"georadiusbymember", "6.2.0", "GEOSEARCH and GEOSEARCHSTORE with BYRADIUS and FROMMEMBER"},
    {"georadiusbymember_ro", "6.2.0", "GEOSEARCH with BYRADIUS and FROMMEMBER"},
    {"getset", "6.2.0", "SET with GET"},
    {"hmset", "4.0.0", "HSET with several fields"},
    {"psetex", "2.6.12", "SET with PX"},
    {"quit", "7.2.0", "closing the connection"},
    {"rpoplpush", "6.2.0", "LMOVE with RIGHT and LEFT"},
    {"setex", "2.6.12", "SET with EX"},
    {"setnx", "2.6.12", "SET with NX"},
    {"slaveof", "5.0.0", "REPLICAOF"},
    {"substr", "2.0.0", "GETRANGE"},
    {"zrangebylex", "6.2.0", "ZRANGE with BYLEX"},
    {"zrangebyscore", "6.2.0", "ZRANGE with BYSCORE"},
    {"zrevrange", "6.2.0", "ZRANGE with REV"},
    {"zrevrangebylex", "6.2.0", "ZRANGE with REV and BYLEX"},
    {"zrevrangebyscore", "6.2.0", "ZRANGE with REV and BYSCORE"},
};

constexpr std::string_view kSystemCommands[] = {"debug", "pfdebug", "pfselftest", "replconf",
                                                "restore-asking"};

}  // namespace

std::span<const CommandChange> command_history(std::string_view command) {
  struct ByCommand {
    bool operator()(const CommandChange& change, std::string_view name) const {
      return change.command < name;
    }
    bool operator()(std::string_view name, const CommandChange& change) const {
      return name < change.command;
    }
  };
  const auto [begin, end] =
      std::equal_range(std::begin(kHistory), std::end(kHistory), command, ByCommand());
  return {begin, end};
}

const CommandChange* command_deprecation(std::string_view command) {
  const auto* found =
      std::find_if(std::begin(kDeprecated), std::end(kDeprecated),
                   [command](const CommandChange& change) { return change.command == command; });
  return found == std::end(kDeprecated) ? nullptr : found;
}

bool is_system_command(std::string_view command) {
  return std::find(std::begin(kSystemCommands), std::end(kSystemCommands), command) !=
         std::end(kSystemCommands);
}

}  // namespace tandem
