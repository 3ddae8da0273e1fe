#!/usr/bin/env python3
"""Blocking commands beside redis-server: several clients block on few keys while one changes them.
After each change the same clients must have been served, with the same replies, and in the end both
servers must hold the same.

Usage: blocking_test.py PATH_TO_TANDEM_SERVER [--seed N] [--seeds COUNT] [--steps COUNT]
A failure prints its seed; --seed runs that one again.
"""

import argparse
import random
import re
import select
import sys

import peers

CLIENTS = 6
LISTS = ["l1", "l2", "l3"]
SORTED_SETS = ["z1", "z2", "z3"]
# Of several keys redis-server 7.0 serves the one that became ready, Valkey looks at all of them
# again in the order they are named. So only commands of one key wait for a key that holds now this,
# now that, or that the serving of another client fills.
MIXED = "mixed"
TARGETS = ["l3", MIXED]
STREAM = "stream"
GROUPS = ["g1", "g2"]
HISTORY = 12  # requests that a failure shows


class Generator:
    """What one client waits for and what another one changes, for the commands both servers have."""

    def __init__(self, seed, has):
        self.random = random.Random(seed)
        self.last_id = 0
        makers = {
            "blpop": [self.pop, self.pop, self.move, self.pop_many],
            "bzpopmin": [self.pop_scored, self.pop_scored_many],
            "xread": [self.read_stream, self.read_group],
        }
        self.blocking = [make for name in makers if has(name) for make in makers[name]]
        changes = [self.delete, self.text, self.rename, self.copy, self.expire]
        if has("blpop"):
            changes += 4 * [self.push] + [self.transaction, self.script]
        if has("bzpopmin"):
            changes += 3 * [self.add_scored]
        if has("xread"):
            changes += [self.add_entry, self.add_entry, self.create_group, self.drop_group]
        self.changing = changes

    def block(self):
        return self.random.choice(self.blocking)()

    def change(self):
        """A list of requests to send one after the other."""
        made = self.random.choice(self.changing)()
        return made if isinstance(made[0], list) else [made]

    def any_key(self):
        return self.random.choice(LISTS + SORTED_SETS + [MIXED])

    def list_key(self):
        return self.random.choice(LISTS + [MIXED])

    def sorted_set_key(self):
        return self.random.choice(SORTED_SETS + [MIXED])

    def keys(self, names):
        """What to wait for."""
        if self.random.random() < 0.3:
            return [self.random.choice([MIXED, names[-1]])]
        return [self.random.choice(names[:-1]) for _ in range(self.random.randint(1, 3))]

    def side(self, low="LEFT", high="RIGHT"):
        return self.random.choice([low, high])

    def number(self):
        return str(self.random.randint(1, 3))

    # What blocks.
    def pop(self):
        return [self.random.choice(["BLPOP", "BRPOP"]), *self.keys(LISTS), "0"]

    def move(self):
        if self.random.random() < 0.3:
            return ["BRPOPLPUSH", self.list_key(), self.random.choice(TARGETS), "0"]
        target = self.random.choice(TARGETS)
        return ["BLMOVE", self.list_key(), target, self.side(), self.side(), "0"]

    def pop_many(self):
        keys = self.keys(LISTS)
        return ["BLMPOP", "0", str(len(keys)), *keys, self.side(), "COUNT", self.number()]

    def pop_scored(self):
        return [self.random.choice(["BZPOPMIN", "BZPOPMAX"]), *self.keys(SORTED_SETS), "0"]

    def pop_scored_many(self):
        keys = self.keys(SORTED_SETS)
        return ["BZMPOP", "0", str(len(keys)), *keys, self.side("MIN", "MAX"), "COUNT",
                self.number()]

    def read_stream(self):
        since = self.random.choice(["$", "$", "0-0"])
        return ["XREAD", "COUNT", "2", "BLOCK", "0", "STREAMS", STREAM, since]

    def read_group(self):
        return ["XREADGROUP", "GROUP", self.random.choice(GROUPS), "me", "COUNT", self.number(),
                "BLOCK", "0", "STREAMS", STREAM, ">"]

    # What changes keys.
    def elements(self):
        return ["e%d" % self.random.randint(0, 9) for _ in range(self.random.randint(1, 3))]

    def push(self):
        return [self.random.choice(["LPUSH", "RPUSH"]), self.list_key(), *self.elements()]

    def add_scored(self):
        words = ["ZADD", self.sorted_set_key()]
        for element in self.elements():
            words += [self.number(), element]
        return words

    def add_entry(self):
        return ["XADD", STREAM, self.next_id(), "field", self.number()]

    def next_id(self):
        self.last_id += 1
        return "%d-1" % self.last_id

    def create_group(self):
        return ["XGROUP", "CREATE", STREAM, self.random.choice(GROUPS), "$", "MKSTREAM"]

    def drop_group(self):
        return ["XGROUP", "DESTROY", STREAM, self.random.choice(GROUPS)]

    def delete(self):
        return ["DEL", self.random.choice([self.any_key(), STREAM])]

    def text(self):
        return ["SET", MIXED, "text"]

    def two_keys(self):
        """From one to the other, which may hold the same types."""
        names = self.random.choice([LISTS, SORTED_SETS])
        return [self.random.choice(names), self.random.choice(names + [MIXED])]

    def rename(self):
        return ["RENAME", *self.two_keys()]

    def copy(self):
        return ["COPY", *self.two_keys()] + self.random.choice([[], ["REPLACE"]])

    def expire(self):
        return ["EXPIRE", self.any_key(), "-1"]

    # One key only: of several, redis-server 7.0 serves the one that was pushed to first, Valkey the
    # one that is named first.
    def transaction(self):
        key = self.random.choice(LISTS)
        inner = [["RPUSH", key, *self.elements()] for _ in range(self.random.randint(1, 3))]
        if self.random.random() < 0.3:
            inner.append(["DEL", key])
        if self.random.random() < 0.3:
            inner.append(["BLPOP", key, "0"])
        return [["MULTI"], *inner, ["EXEC"]]

    def script(self):
        code = ("for i = 1, #ARGV do redis.call('RPUSH', KEYS[1], ARGV[i]) end "
                "return redis.call('LLEN', KEYS[1])")
        return ["EVAL", code, "1", self.list_key(), *self.elements()]


class Side:
    """One server with the client that changes keys and those that block."""

    def __init__(self, server):
        self.driver = server.connect()
        self.clients = [server.connect() for _ in range(CLIENTS)]
        self.ids = [client.command("CLIENT", "ID") for client in self.clients]
        self.driver.command("FLUSHALL")

    def blocked(self):
        """Which of the clients are blocked now."""
        text = self.driver.command("CLIENT", "LIST").decode()
        flags = dict((int(i), f) for i, f in re.findall(r"^id=(\d+) .* flags=(\S+)", text, re.M))
        return [i for i in range(CLIENTS) if "b" in flags[self.ids[i]]]

    def close(self):
        for client in self.clients + [self.driver]:
            client.close()


def normal(reply):
    """redis-server 7.0 has words of its own for a group or a stream that goes while it is awaited;
    Valkey's are those of any XREADGROUP."""
    if isinstance(reply, peers.ErrorReply) and reply.split()[0] in ("NOGROUP", "UNBLOCKED"):
        return "client unblocked" if "via CLIENT UNBLOCK" in reply else "the group is gone"
    return reply


def settle(sides, waiting, history):
    """Awaits that the servers have read everything; the replies that have come."""
    blocked = [side.blocked() for side in sides]
    if blocked[0] != blocked[1]:
        return "blocked are %s and %s after %s" % (*blocked, history[-HISTORY:])
    for i in [i for i in waiting if i not in blocked[0]]:
        replies = [normal(side.clients[i].read()) for side in sides]
        if replies[0] != replies[1]:
            return "client %d gets %r and %r after %s" % (i, *replies, history[-HISTORY:])
        waiting.discard(i)
    return None


def run_sequence(servers, seed, steps, has):
    generator = Generator(seed, has)
    sides = [Side(server) for server in servers]
    waiting, history = set(), []
    try:
        for _ in range(steps):
            idle = [i for i in range(CLIENTS) if i not in waiting]
            chance = generator.random.random()
            if idle and chance < 0.5:
                i = generator.random.choice(idle)
                request = generator.block()
                history.append((i, request))
                waiting.add(i)
                for side in sides:
                    side.clients[i].send(*request)
                    # Another connection's next request may overtake it.
                    await_read(side, i)
            elif waiting and chance < 0.53:
                i = generator.random.choice(sorted(waiting))
                how = generator.random.choice(["TIMEOUT", "ERROR"])
                history.append(("UNBLOCK", i, how))
                replies = [side.driver.command("CLIENT", "UNBLOCK", side.ids[i], how)
                           for side in sides]
                if replies[0] != replies[1]:
                    return "CLIENT UNBLOCK: %r and %r" % tuple(replies)
            else:
                for request in generator.change():
                    history.append(request)
                    replies = [side.driver.command(*request) for side in sides]
                    if replies[0] != replies[1]:
                        return "%s: %r and %r" % (request, *replies)
            failure = settle(sides, waiting, history)
            if failure:
                return failure
        digests = [side.driver.command("DEBUG", "DIGEST") for side in sides]
        return None if digests[0] == digests[1] else "digests %r and %r" % tuple(digests)
    finally:
        for side in sides:
            side.close()


def await_read(side, i):
    """Awaits that the client's request has been run: it is blocked then, or answered."""
    def done():
        answered, _, _ = select.select([side.clients[i].socket], [], [], 0)
        return answered or i in side.blocked()
    peers.await_condition("that client %d is heard" % i, done)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("server")
    parser.add_argument("--peer", default="redis-server")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=300)
    arguments = parser.parse_args()
    seeds = [arguments.seed] if arguments.seed is not None else range(1, arguments.seeds + 1)
    servers = []
    failed = 0
    try:
        for program in (arguments.server, arguments.peer):
            servers.append(peers.Server(program))
        asker = servers[0].connect()
        known = {name: asker.command("COMMAND", "INFO", name)[0] is not None
                 for name in ("blpop", "bzpopmin", "xread")}
        asker.close()
        for seed in seeds:
            failure = run_sequence(servers, seed, arguments.steps, known.get)
            if failure:
                failed += 1
                print("seed %d: %s" % (seed, failure))
    finally:
        for server in servers:
            server.stop()
    print("%d of %d sequences agree" % (len(seeds) - failed, len(seeds)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
