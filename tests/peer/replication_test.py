#!/usr/bin/env python3
"""Tandem replicating with redis-server 7.0: either may be the primary, with the other behind it or
in the middle of a chain; and redis-cli fetches snapshots.

Usage: replication_test.py PATH_TO_TANDEM_SERVER
"""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

import peers

REDIS = "redis-server"
TANDEM = sys.argv[1]
LIBRARY = """#!lua name=%s
redis.register_function('put_%s', function(keys, args)
  redis.call('SET', keys[1], args[1])
  return redis.call('HSET', keys[2], 'field', args[1])
end)
"""


class Node(peers.TcpServer):
    """A server with a client of its own, whose log is printed when a test fails."""

    def __init__(self, program, *options):
        # Long enough that whoever is stopped for a moment resumes where it was.
        super().__init__(program, "--repl-backlog-size", "256mb", *options)
        self.client = self.connect()

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        if failure:
            print("%s on port %d:" % (self.process.args[0], self.port))
            print("\n".join(self.log().splitlines()[-40:]))
        self.stop()

    def command(self, *words):
        reply = self.client.command(*words)
        assert not isinstance(reply, peers.ErrorReply), (words, reply)
        return reply

    def info(self, section="replication"):
        lines = self.command("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def follow(self, other):
        self.command("REPLICAOF", "127.0.0.1", other.port)

    def digest(self):
        return self.command("DEBUG", "DIGEST")

    def functions(self):
        libraries = self.command("FUNCTION", "LIST", "WITHCODE")
        return sorted(library[library.index(b"library_code") + 1] for library in libraries)


def in_sync(replica, primary):
    of_replica, of_primary = replica.info(), primary.info()
    return (of_replica.get("master_link_status") == "up"
            and of_replica["master_repl_offset"] == of_primary["master_repl_offset"]
            and of_replica["master_replid"] == of_primary["master_replid"])


def assert_same(replica, primary):
    peers.await_condition("the replica reaches its primary", lambda: in_sync(replica, primary))
    # A key may expire between one digest and the other.
    peers.await_condition("equal data", lambda: in_sync(replica, primary)
                          and replica.digest() == primary.digest())
    assert replica.functions() == primary.functions(), "the libraries differ"


class Writer(threading.Thread):
    """Writes to a server, with a seed, until it is stopped."""

    def __init__(self, server, seed, count=None):
        super().__init__()
        self.client = server.connect()
        self.random = random.Random(seed)
        self.count = count
        self.done = threading.Event()
        self.written = 0

    def write(self):
        dice = self.random
        key = "key:%d" % dice.randrange(500)
        table = "hash:%d" % dice.randrange(50)
        value = "v" * dice.randrange(1, 300)
        self.client.command("SELECT", dice.choice((0, 0, 0, 4)))
        choice = dice.randrange(12)
        if choice < 3:
            self.client.command("SET", key, value)
        elif choice < 5:
            self.client.command("HSET", table, "f%d" % dice.randrange(300), value)
        elif choice == 5:
            self.client.command("INCR", "counter")
        elif choice == 6:
            self.client.command("DEL", key)
        elif choice == 7:
            self.client.command("SET", key, value, "PX", dice.randrange(1, 100_000))
        elif choice == 8:
            for words in (("MULTI",), ("SET", key, "in"), ("HSET", table, "in", 1), ("EXEC",)):
                self.client.command(*words)
        elif choice == 9:
            self.client.command("FCALL", "put_first", 2, "of-function", "hash-of-function", value)
        elif choice == 10:
            name = dice.choice(("second", "third"))
            self.client.command("FUNCTION", "LOAD", "REPLACE", LIBRARY % (name, name))
        else:
            self.client.command("EXPIRE", table, dice.randrange(50, 1000))
        self.written += 1

    def run(self):
        while not self.done.is_set() and self.written != self.count:
            self.write()

    def stop(self):
        self.done.set()
        self.join()
        assert self.written > 10


def fill(server, seed):
    server.command("FUNCTION", "LOAD", LIBRARY % ("first", "first"))
    writer = Writer(server, seed, 3000)
    writer.run()
    server.command("SET", "large", b"\x00\xff" * 500_000)


def pair_test(primary_program, replica_program, *primary_options):
    """A replica joins while writes flow, loses its link, comes back, and is promoted."""
    with Node(primary_program, *primary_options) as primary, Node(replica_program) as replica:
        fill(primary, 1)
        replica.command("SET", "of its own", "goes away")
        writer = Writer(primary, 2)
        writer.start()
        replica.follow(primary)
        peers.await_condition("a full sync", lambda: replica.info()["master_link_status"] == "up")
        writer.stop()
        assert_same(replica, primary)
        assert primary.command("WAIT", 1, 1000 * peers.TIMEOUT) == 1

        # A link that breaks is taken up where it was.
        full_syncs = primary.info("stats")["sync_full"]
        writer = Writer(primary, 3)
        writer.start()
        for _ in range(5):
            replica.command("CLIENT", "KILL", "TYPE", "master")
            time.sleep(0.05)
            peers.await_condition("the link", lambda: replica.info()["master_link_status"] == "up")
        for _ in range(3):
            primary.command("CLIENT", "KILL", "TYPE", "replica")
            time.sleep(0.05)
            peers.await_condition("the link", lambda: replica.info()["master_link_status"] == "up")
        writer.stop()
        assert_same(replica, primary)
        stats = primary.info("stats")
        assert stats["sync_full"] == full_syncs, stats
        assert int(stats["sync_partial_ok"]) >= 5, stats

        assert replica.client.command("SET", "a", "b").startswith("READONLY")
        # The roles change places without a full sync.
        replica.command("REPLICAOF", "NO", "ONE")
        replica.command("SET", "after", "promotion")
        primary.follow(replica)
        assert_same(primary, replica)
        assert replica.info("stats")["sync_full"] == "0"
        assert primary.command("GET", "after") == b"promotion"


def chain_test(programs):
    """first -> second -> third; then the second takes the first's place."""
    with Node(programs[0]) as first, Node(programs[1]) as second, Node(programs[2]) as third:
        fill(first, 4)
        second.follow(first)
        peers.await_condition("the first link", lambda: second.info()["master_link_status"] == "up")
        third.follow(second)
        writer = Writer(first, 5)
        writer.start()
        peers.await_condition("the second link", lambda: third.info()["master_link_status"] == "up")
        writer.stop()
        assert_same(second, first)
        assert_same(third, first)
        second.command("REPLICAOF", "NO", "ONE")
        second.command("SET", "after", "promotion")
        peers.await_condition("the third follows", lambda: in_sync(third, second))
        assert_same(third, second)
        assert second.info("stats")["sync_full"] == "1", second.info("stats")


def compression_test():
    """A compressed pair with a redis and a Tandem behind it, which get what they can read."""
    lz4 = ("--repl-compression", "lz4")
    with Node(TANDEM, *lz4) as primary, Node(TANDEM, *lz4) as replica, Node(REDIS) as plain:
        fill(primary, 11)
        for i in range(2000):
            primary.command("SET", "alike:%d" % i, "the same text in every value, " * 3)
        for server in (replica, plain):
            server.follow(primary)
        assert_same(replica, primary)
        assert_same(plain, primary)
        assert replica.info()["master_link_compression"] == "lz4", replica.info()
        slaves = [line for name, line in primary.info().items() if name.startswith("slave")]
        assert sorted("compression=lz4" in line for line in slaves) == [False, True], slaves

        # The stream, of which much comes at once.
        before = replica.info()
        for _ in range(20):
            for i in range(500):
                primary.client.send("SET", "stream:%d" % i, "again the same text, " * 5)
            for _ in range(500):
                primary.client.read()
        assert_same(replica, primary)
        assert_same(plain, primary)
        raw, wire = (int(replica.info()["repl_input_%s_bytes" % form])
                     - int(before["repl_input_%s_bytes" % form]) for form in ("raw", "wire"))
        assert raw > 1_000_000 and wire < raw / 2, (raw, wire)

        # The chain goes on in the middle's own form, from the same offsets.
        with Node(TANDEM) as last:
            last.follow(replica)
            assert_same(last, primary)
            writer = Writer(primary, 12)
            writer.start()
            for _ in range(3):
                primary.command("CLIENT", "KILL", "TYPE", "replica")
                time.sleep(0.05)
            writer.stop()
            for server in (replica, last, plain):
                assert_same(server, primary)
            assert last.info()["master_link_compression"] == "lz4"
            assert last.info("stats")["sync_full"] == "0"
        assert primary.info("stats")["sync_full"] == "2", primary.info("stats")


def restart_test():
    """A replica of redis that is shut down saves its place and resumes from it."""
    with Node(REDIS) as primary, Node(TANDEM) as replica:
        fill(primary, 6)
        replica.follow(primary)
        peers.await_condition("a full sync", lambda: in_sync(replica, primary))
        replica.client.send("SHUTDOWN", "SAVE")
        replica.process.wait(peers.TIMEOUT)
        Writer(primary, 7, 200).run()
        with Node(TANDEM, "--dir", replica.directory, "--replicaof",
                  "127.0.0.1 %d" % primary.port) as again:
            assert_same(again, primary)
            assert primary.info("stats")["sync_full"] == "1", primary.info("stats")


def failover_test(primary_program, replica_program):
    """FAILOVER under writes: the roles change, and what was acknowledged is there."""
    with Node(primary_program) as old, Node(replica_program) as new:
        fill(old, 9)
        new.follow(old)
        assert_same(new, old)
        acknowledged = 0
        client = old.connect()
        old.command("FAILOVER", "TO", "127.0.0.1", new.port, "TIMEOUT", 1000 * peers.TIMEOUT)
        while True:
            reply = client.command("INCR", "acknowledged")
            if isinstance(reply, peers.ErrorReply):
                assert reply.startswith("READONLY"), reply
                break
            acknowledged = reply
        peers.await_condition("the roles change", lambda: new.info()["role"] == "master"
                              and old.info()["master_failover_state"] == "no-failover")
        assert int(new.command("GET", "acknowledged") or 0) == acknowledged
        Writer(new, 10, 200).run()
        assert_same(old, new)
        assert new.info("stats")["sync_full"] == "0", "the stream just goes on"


def fetch(server, *words):
    target = os.path.join(server.directory, "fetched.rdb")
    subprocess.run(["redis-cli", "-p", str(server.port), *words, target], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=peers.TIMEOUT)
    return target


def tools_test():
    """redis-cli takes snapshots, and a redis-server starts from them."""
    with Node(TANDEM) as server:
        fill(server, 8)
        whole = fetch(server, "--rdb")
        with Node(REDIS, "--dir", os.path.dirname(whole), "--dbfilename", "fetched.rdb") as loaded:
            assert loaded.digest() == server.digest()
            assert loaded.functions() == server.functions()
        functions = fetch(server, "--functions-rdb")
        with Node(REDIS, "--dir", os.path.dirname(functions), "--dbfilename",
                  "fetched.rdb") as loaded:
            assert loaded.command("DBSIZE") == 0
            assert loaded.functions() == server.functions()


def shutdown_test(primary_program, replica_program):
    """A primary that is told to end waits for a replica that lags."""
    with Node(primary_program, "--shutdown-timeout", "1000") as primary, \
            Node(replica_program) as replica:
        replica.follow(primary)
        peers.await_condition("the replica", lambda: replica.info()["master_link_status"] == "up")
        primary.command("SET", "key", "old")
        assert primary.command("WAIT", 1, 0) == 1
        os.kill(replica.process.pid, signal.SIGSTOP)
        primary.command("SET", "key", "new")
        asking, second, writing = primary.connect(), primary.connect(), primary.connect()

        def await_pending():
            peers.await_condition("the wait",
                                  lambda: "shutdown_in_milliseconds" in primary.info("server"))

        asking.send("SHUTDOWN")
        await_pending()
        assert second.command("SHUTDOWN", "ABORT") == "OK"
        assert asking.read() == "ERR Errors trying to SHUTDOWN. Check logs."
        assert second.command("SHUTDOWN", "ABORT") == "ERR No shutdown in progress."
        second.send("SHUTDOWN", "NOSAVE")
        await_pending()
        asking.send("SHUTDOWN", "NOW")
        writing.send("SET", "key", "never")
        peers.await_condition("three clients that wait",
                              lambda: primary.info("clients")["blocked_clients"] == "3")
        os.kill(replica.process.pid, signal.SIGCONT)
        assert primary.process.wait(30) == 0
        peers.await_condition("the last write", lambda: replica.command("GET", "key") == b"new")
        assert "1 of 1 replicas are in sync when shutting down." in primary.log()


def main():
    tests = [
        ("redis behind Tandem, diskless", lambda: pair_test(TANDEM, REDIS)),
        ("redis behind Tandem, through a file",
         lambda: pair_test(TANDEM, REDIS, "--repl-diskless-sync", "no")),
        ("Tandem behind redis, diskless",
         lambda: pair_test(REDIS, TANDEM, "--repl-diskless-sync", "yes")),
        ("Tandem behind redis, through a file",
         lambda: pair_test(REDIS, TANDEM, "--repl-diskless-sync", "no")),
        ("Tandem behind Tandem", lambda: pair_test(TANDEM, TANDEM)),
        ("Tandem with its AOF behind redis",
         lambda: pair_test(REDIS, TANDEM, "--appendonly", "yes")),
        ("redis - Tandem - redis", lambda: chain_test((REDIS, TANDEM, REDIS))),
        ("Tandem - redis - Tandem", lambda: chain_test((TANDEM, REDIS, TANDEM))),
        ("Tandem behind Tandem, compressed",
         lambda: pair_test(TANDEM, TANDEM, "--repl-compression", "lz4")),
        ("redis behind a Tandem that compresses",
         lambda: pair_test(TANDEM, REDIS, "--repl-compression", "lz4")),
        ("a compressed pair, a plain replica and a chain", compression_test),
        ("a restarted replica", restart_test),
        ("a failover from Tandem to redis", lambda: failover_test(TANDEM, REDIS)),
        ("a failover from redis to Tandem", lambda: failover_test(REDIS, TANDEM)),
        ("a failover from Tandem to Tandem", lambda: failover_test(TANDEM, TANDEM)),
        ("the end of a Tandem that redis follows", lambda: shutdown_test(TANDEM, REDIS)),
        ("redis-cli as a replica", tools_test),
    ]
    wanted = sys.argv[2:]
    for name, test in tests:
        if wanted and name not in wanted:
            continue
        started = time.monotonic()
        test()
        print("ok: %s (%.1f s)" % (name, time.monotonic() - started), flush=True)


if __name__ == "__main__":
    main()
