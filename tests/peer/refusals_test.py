#!/usr/bin/env python3
"""What functions and scripts are refused, alone and in a transaction, where a server's state forbids writes or
reads: on a replica, on one without its primary, without memory, without replicas, and when it cannot save. The same
calls go to Tandem and to redis-server 7.0, which must agree.

Usage: refusals_test.py PATH_TO_TANDEM_SERVER
"""

import hashlib
import os
import sys

import peers

LIBRARY = """#!lua name=kinds
redis.register_function('writes', function() return redis.call('SET', 'x', '1') end)
redis.register_function{function_name='reads', flags={'no-writes'},
                        callback=function() return redis.call('GET', 'x') end}
redis.register_function{function_name='frees', flags={'allow-oom'},
                        callback=function() return redis.call('GET', 'x') end}
redis.register_function{function_name='reads_stale', flags={'allow-stale', 'no-writes'},
                        callback=function() return redis.call('PING') end}
redis.register_function{function_name='writes_stale', flags={'allow-stale'},
                        callback=function() return redis.call('PING') end}
"""
KNOWN = "return 1"
# FCALL_RO of a function that writes is left out: Tandem refuses it everywhere with the text of the functions document.
CALLS = [
    ("FCALL", "writes", 0), ("FCALL", "reads", 0), ("FCALL", "frees", 0), ("FCALL", "reads_stale", 0),
    ("FCALL", "writes_stale", 0), ("FCALL", "nosuch", 0), ("FCALL_RO", "reads", 0), ("FCALL_RO", "reads_stale", 0),
    ("EVAL", "#!lua\nreturn 1", 0), ("EVAL", "#!lua flags=no-writes\nreturn 1", 0), ("EVAL_RO", "#!lua\nreturn 1", 0),
    ("EVAL", "#!lua flags=allow-stale,no-writes\nreturn 1", 0), ("EVAL", "return 1", 0), ("EVAL_RO", "return 1", 0),
    ("EVAL", "return redis.call('SET', KEYS[1], 1)", 1, "k"), ("EVAL_RO", "return redis.call('GET', KEYS[1])", 1, "k"),
    ("EVALSHA", hashlib.sha1(KNOWN.encode()).hexdigest(), 0), ("EVAL", "#!lua flags=nosuch\nreturn 1", 0),
]


def answers(client, state):
    found = []
    for call in CALLS:
        found.append((state, call, repr(client.command(*call))))
        client.command("MULTI")
        queued = client.command(*call)
        found.append((state + ", in a transaction", call, repr((queued, client.command("EXEC")))))
    return found


def cannot_save(primary, client):
    client.command("SET", "x", "changed")
    client.command("CONFIG", "SET", "save", "3600 1")
    os.mkdir(os.path.join(primary.directory, "dump.rdb"))  # in the way of the file
    client.command("BGSAVE")
    peers.await_condition("a snapshot that fails", lambda:
                          b"rdb_last_bgsave_status:err" in client.command("INFO", "persistence"))


def run(program):
    primary = peers.TcpServer(program)
    replica = peers.TcpServer(program, "--replicaof", "127.0.0.1", str(primary.port))
    try:
        client, replica_client = primary.connect(), replica.connect()
        client.command("FUNCTION", "LOAD", LIBRARY)
        client.command("SCRIPT", "LOAD", KNOWN)
        peers.await_condition("the library", lambda: len(replica_client.command("FUNCTION", "LIST")) == 1)
        found = answers(client, "all is well")
        assert client.command("WAIT", 1, 20000) == 1
        found += answers(replica_client, "on a replica")
        replica_client.command("CONFIG", "SET", "replica-serve-stale-data", "no")
        replica_client.command("REPLICAOF", "127.0.0.1", "1")
        found += answers(replica_client, "on a stale replica")
        client.command("CONFIG", "SET", "maxmemory", "1")
        found += answers(client, "without memory")
        client.command("CONFIG", "SET", "maxmemory", "0")
        client.command("CONFIG", "SET", "min-replicas-to-write", "3")
        found += answers(client, "without replicas")
        client.command("CONFIG", "SET", "min-replicas-to-write", "0")
        cannot_save(primary, client)
        return found + answers(client, "without snapshots")
    finally:
        replica.stop()
        primary.process.kill()  # it would refuse to end without a snapshot
        primary.stop()


def main():
    different = [(ours, theirs) for ours, theirs in zip(run(sys.argv[1]), run("redis-server"), strict=True)
                 if ours != theirs]
    for ours, theirs in different:
        print("%s: %s\n  Tandem: %s\n  Redis:  %s" % (*ours, theirs[2]))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
