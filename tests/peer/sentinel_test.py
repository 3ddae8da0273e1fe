#!/usr/bin/python3
"""Debian's redis-sentinel over a Tandem pair and over pairs of Tandem and redis-server 7.0: it finds the replica,
promotes it when the primary dies and when it is told to, and brings the old primary back as a replica, while a client
with python3-redis's Sentinel support goes on.

Usage: sentinel_test.py PATH_TO_TANDEM_SERVER
"""

import concurrent.futures
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import peers
import redis
import redis.sentinel

REDIS = "redis-server"
TANDEM = sys.argv[1]
NAME = "the-pair"
PATIENCE = 150
LIBRARY = """#!lua name=counters
redis.register_function('count', function(keys, args)
  return redis.call('INCRBY', keys[1], args[1])
end)
redis.register_function{function_name='counted', flags={'no-writes'}, callback=function(keys)
  return redis.call('GET', keys[1])
end}
"""


def await_condition(what, condition):
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if condition():
                return
        except (redis.RedisError, OSError):
            pass
        if time.monotonic() > deadline:
            raise AssertionError("in vain: " + what)
        time.sleep(0.02)


class Process:
    """A server on a port and in a directory of its own, which can be killed and started again there."""

    def __init__(self, words):
        self.port = peers.free_port()
        self.directory = tempfile.mkdtemp(prefix="sentinel-")
        self.log_path = os.path.join(self.directory, "log")
        self.words = words
        self.start()

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self.words, *self.arguments()], stdout=log, stderr=log)
        self.client = redis.Redis(port=self.port, decode_responses=True)
        await_condition("a start of " + self.words[0], self.client.ping)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, with_log):
        if self.process.poll() is None:
            self.kill()
        if with_log:
            with open(self.log_path, encoding="latin-1") as log:
                print("%s on port %d:" % (self.words[0], self.port), *log.readlines()[-40:])
        shutil.rmtree(self.directory, ignore_errors=True)


class Node(Process):
    def __init__(self, program, primary=None):
        self.primary = primary
        super().__init__([program])

    def arguments(self):
        words = ["--port", str(self.port), "--dir", self.directory, "--appendonly", "yes", "--save", "",
                 "--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0"]
        return words + (["--replicaof", "127.0.0.1", str(self.primary.port)] if self.primary else [])

    def role(self):
        return self.client.info("replication")["role"]

    def follows(self, other):
        link = self.client.info("replication")
        return (link["role"] == "slave" and link["master_port"] == other.port and
                link["master_link_status"] == "up")

    def dataset(self):
        libraries = self.client.execute_command("FUNCTION", "LIST", "WITHCODE")
        return self.client.execute_command("DEBUG", "DIGEST"), {library[1]: library[-1] for library in libraries}


class SentinelNode(Process):
    def __init__(self, primary):
        self.primary = primary
        super().__init__(["redis-sentinel"])

    def arguments(self):
        path = os.path.join(self.directory, "sentinel.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"port {self.port}\nbind 127.0.0.1\ndir {self.directory}\n"
                       f"sentinel monitor {NAME} 127.0.0.1 {self.primary.port} 2\n"
                       f"sentinel down-after-milliseconds {NAME} 4000\n"
                       f"sentinel failover-timeout {NAME} 10000\n")
        return [path]

    def primary_state(self):
        return self.client.sentinel_master(NAME)

    def replica_count(self):
        return sum(not replica["is_disconnected"] for replica in self.client.sentinel_slaves(NAME))


class Watched:
    """A primary, its replica and the three Sentinels that watch them, until all know one another."""

    def __init__(self, primary, replica):
        self.all = []
        self.primary = self.add(Node(primary))
        self.primary.client.function_load(LIBRARY)
        self.replica = self.add(Node(replica, self.primary))
        await_condition("the replica's link", lambda: self.replica.follows(self.primary))
        self.sentinels = [self.add(SentinelNode(self.primary)) for _ in range(3)]
        for sentinel in self.sentinels:
            await_condition("the Sentinels and the replica being found", lambda s=sentinel:
                            s.primary_state()["num-other-sentinels"] == 2 and s.replica_count() == 1)
        self.finder = redis.sentinel.Sentinel([("127.0.0.1", s.port) for s in self.sentinels], socket_timeout=20)

    def add(self, process):
        self.all.append(process)
        return process

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        for process in self.all:
            process.stop(with_log=failure is not None)

    def known_primary(self, node):
        return all(tuple(s.client.sentinel_get_master_addr_by_name(NAME)) == ("127.0.0.1", node.port)
                   for s in self.sentinels)

    def count(self, by):
        """Through the client library, as an application would; the reply only once a replica has it."""
        client = self.finder.master_for(NAME, socket_timeout=20)
        total = client.fcall("count", 1, "counter", by)
        return total if client.wait(1, 10000) == 1 else None

    def counted_by_the_replica(self):
        return self.finder.slave_for(NAME, socket_timeout=20).fcall_ro("counted", 1, "counter")


def check_promotion(pair, acknowledged):
    """The replica has become the primary with all that was acknowledged, and takes writes."""
    await_condition("the promotion", lambda: pair.replica.role() == "master")
    await_condition("the Sentinels' agreement", lambda: pair.known_primary(pair.replica))
    total = int(pair.replica.client.fcall_ro("counted", 1, "counter"))
    assert total >= acknowledged, (total, acknowledged)


def check_return(pair):
    """The old primary follows the new one, and an application sees one dataset."""
    await_condition("the old primary's return", lambda: pair.primary.follows(pair.replica))
    results = []
    await_condition("an acknowledged write", lambda: results.append(pair.count(1)) or results[-1] is not None)
    await_condition("equal datasets", lambda: pair.primary.dataset() == pair.replica.dataset())
    await_condition("a read from the replica", lambda: int(pair.counted_by_the_replica()) >= results[-1])


def dies(pair):
    assert pair.count(5) == 5
    pair.primary.kill()
    check_promotion(pair, acknowledged=5)
    pair.primary.primary = None  # it starts as the primary that it was
    pair.primary.start()
    check_return(pair)


def steps_down(pair):
    assert pair.count(5) == 5
    # The order of an operator: while it is being elected, a Sentinel may refuse.
    await_condition("a failover's start",
                    lambda: pair.sentinels[0].client.execute_command("SENTINEL", "FAILOVER", NAME))
    check_promotion(pair, acknowledged=5)
    check_return(pair)


def run(primary, replica, scenario):
    with Watched(primary, replica) as pair:
        scenario(pair)
    return "%s primary, %s replica, %s" % (os.path.basename(primary), os.path.basename(replica), scenario.__name__)


def main():
    # Sentinel's own waiting is most of the time, so all run at once.
    cases = [(TANDEM, TANDEM, dies), (TANDEM, TANDEM, steps_down), (TANDEM, REDIS, steps_down), (REDIS, TANDEM, dies)]
    with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
        for done in [pool.submit(run, *case) for case in cases]:
            print("ok:", done.result(), flush=True)


if __name__ == "__main__":
    main()
