#!/usr/bin/env python3
"""Random commands on a Tandem primary: its AOF, a Tandem replica and a redis-server replica must end
with the same dataset.

Usage: random_replication_test.py PATH_TO_TANDEM_SERVER [--seed N] [--commands N] [--seeds N]
Every command that the server lists takes part, with words that often make sense to it and often do
not. What fails prints its seed.
"""

import argparse
import random
import sys

import peers

LIBRARY = """#!lua name=%s
redis.register_function('%s', function(keys, args)
  for i, key in ipairs(keys) do redis.pcall('APPEND', key, args[i] or 'x') end
  redis.pcall('HINCRBY', 'a hash', 'calls', 1)
  return {keys, args}
end)
"""
WORDS = ["a", "b", "c", "a hash", "a stream", "readers", "ada", "another", "field", "*", "", "\x00\r\n\xff", "x" * 300, "0", "1",
         "-1", "2", "3", "100", "9223372036854775807", "-9223372036854775808", "0.5", "nan", "inf",
         "EX", "PX", "EXAT", "PXAT", "KEEPTTL", "PERSIST", "NX", "XX", "GT", "LT", "GET", "MATCH",
         "COUNT", "WITHVALUES", "REPLACE", "ABSTTL", "IDLETIME", "FREQ", "DB", "LEN", "IDX",
         "99999999999999", "ASYNC", "SYNC", "FLUSH", "APPEND", "LIBRARYNAME", "WITHCODE", "append_all",
         LIBRARY % ("lib", "append_all"), LIBRARY % ("other", "append_more"), "append_more"]
# Whatever ends a connection, waits, changes who follows whom, or changes the server's own settings.
LEFT_OUT = {"shutdown", "replicaof", "slaveof", "sync", "psync", "replconf", "failover", "quit", "auth",
            "hello", "reset", "wait", "waitaof", "monitor", "debug", "client", "config", "save",
            "bgsave", "bgrewriteaof", "keys", "subscribe", "psubscribe", "ssubscribe", "unsubscribe",
            "punsubscribe", "sunsubscribe", "blpop", "brpop", "blmove", "brpoplpush", "blmpop",
            "bzpopmin", "bzpopmax", "bzmpop"}
RARELY = {"flushall", "flushdb", "swapdb", "function|flush", "function|delete", "select"}
KEYS = ["a", "b", "c", "a hash", "another"]


def sensible_command(chance):
    """One that is likely to do something."""
    def key():
        return chance.choice(KEYS)

    def word():
        return chance.choice(WORDS)

    return chance.choice([
        lambda: ["FUNCTION", "LOAD", "REPLACE", LIBRARY % ("lib", "append_all")],
        lambda: ["FCALL", "append_all", "2", key(), key(), word(), word()],
        lambda: ["FCALL", "append_all", "0"],
        lambda: ["HSET", "a hash", word(), word(), word(), word()],
        lambda: ["HSET", "a hash", "field %d" % chance.randrange(200), word()],
        lambda: ["SET", key(), word(), "PX", str(chance.randrange(1, 30))],
        lambda: ["SET", key(), word()],
        lambda: ["MSET", key(), word(), key(), word()],
        lambda: ["PEXPIRE", key(), str(chance.randrange(-5, 100))],
        lambda: ["INCRBYFLOAT", key(), "0.1"],
        lambda: ["XADD", "a stream", "*", "field", word()],
        lambda: ["XADD", "a stream", chance.choice(["MAXLEN", "MINID"]), chance.choice("=~"),
                 str(chance.randrange(300)), "*", word(), word()],
        lambda: ["XGROUP", "CREATE", "a stream", "readers", "0", "MKSTREAM"],
        lambda: ["XREADGROUP", "GROUP", "readers", chance.choice(["ada", "grace"]), "COUNT",
                 str(chance.randrange(1, 9)), "STREAMS", "a stream", ">"],
        lambda: ["XREADGROUP", "GROUP", "readers", "ada", "NOACK", "STREAMS", "a stream", ">"],
        lambda: ["XAUTOCLAIM", "a stream", "readers", "grace", "0", "-", "COUNT",
                 str(chance.randrange(1, 9))],
        lambda: ["XTRIM", "a stream", "MAXLEN", "~", str(chance.randrange(300))],
    ])()


def replication_field(client, field):
    for line in client.command("INFO", "replication").decode().splitlines():
        if line.startswith(field + ":"):
            return line.split(":", 1)[1]
    return ""


def random_commands(client, count, chance):
    names = sorted(name.decode() for name in client.command("COMMAND", "LIST"))
    names = [name for name in names if name.split("|")[0] not in LEFT_OUT]
    payloads = [b""]
    transaction = 0
    for _ in range(count):
        name = chance.choice(names)
        if name in RARELY and chance.random() > 0.03:
            continue
        # A transaction is soon ended, or everything would only be queued.
        transaction = transaction + 1 if name == "multi" or transaction else 0
        if transaction > 6:
            name, transaction = "exec", 0
        words = name.split("|")
        if name != "exec":
            for _ in range(chance.choice([0, 1, 1, 2, 2, 3, 3, 4, 5, 6])):
                words.append(chance.choice(payloads if chance.random() < 0.05 else WORDS))
            if chance.random() < 0.2:
                words = sensible_command(chance)
        reply = client.command(*words)
        if name in ("dump", "function|dump") and isinstance(reply, bytes):
            payloads = payloads[-7:] + [reply]
    client.command("RESET")


def dataset(client):
    libraries = client.command("FUNCTION", "LIST", "WITHCODE")
    # The digest leaves out consumer groups.
    pending = client.command("XPENDING", "a stream", "readers")
    return (client.command("DEBUG", "DIGEST"), pending,
            sorted((lib[1], lib[7]) for lib in libraries))


def aof_is_same(client):
    before = dataset(client)
    assert client.command("DEBUG", "LOADAOF") == "OK"
    return dataset(client) == before


def run(program, seed, count):
    servers = []
    try:
        servers.append(peers.TcpServer(program, "--appendonly", "yes", "--repl-digest-period", "1"))
        follow = ("--replicaof", "127.0.0.1 %d" % servers[0].port)
        servers.append(peers.TcpServer(program, *follow))
        servers.append(peers.TcpServer("redis-server", *follow))
        client, *replicas = [server.connect() for server in servers]
        random_commands(client, count, random.Random(seed))
        # Keys may expire until nothing is left to expire, so the offset may still move.
        for name, replica in zip(("Tandem", "redis-server"), replicas):
            peers.await_condition(name + " has the same dataset", lambda: (
                replication_field(replica, "slave_repl_offset") ==
                replication_field(client, "master_repl_offset") and
                dataset(replica) == dataset(client)))
        assert replication_field(replicas[0], "digest_slices_mismatched") in ("", "0"), \
            replicas[0].command("INFO", "replication").decode()
        peers.await_condition("the AOF has the same dataset", lambda: aof_is_same(client))
    finally:
        for server in servers:
            server.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("server")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--commands", type=int, default=15000)
    options = parser.parse_args()
    for seed in range(options.seed, options.seed + options.seeds):
        try:
            run(options.server, seed, options.commands)
        except Exception as failure:
            print("seed %d: %s: %s" % (seed, type(failure).__name__, failure))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
