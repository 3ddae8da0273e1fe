#!/usr/bin/env python3
"""The commands of strings, hashes, keys and expiry beside redis-server: seeded random sequences go
to both, and every reply must agree, and so must what they leave behind.

Usage: data_test.py PATH_TO_TANDEM_SERVER [--seed N] [--seeds COUNT] [--steps COUNT]
A failure prints its seed; --seed runs that one again.
"""

import argparse
import random
import sys
import time

import peers

KEYS = ["k%d" % i for i in range(10)] + ["", "key with \x00 and \r\n", "K" * 300]
FIELDS = ["f%d" % i for i in range(12)] + ["", "12", "-7", "F" * 70]
NUMBERS = ["0", "1", "-1", "2", "10", "100", "-100", "9223372036854775807", "-9223372036854775808"]
NOT_NUMBERS = ["x", "", " 1", "1 ", "1.5", "9223372036854775808", "-0", "+1", "01", "0x10", "1e3"]
FLOATS = ["0", "1.5", "-2.25", "3e3", "0.1", "1e-5", "10.50", "-0", "x", "", "inf", "nan", "1e4000"]
TEXTS = ["a", "hello", "", "x" * 44, "y" * 45, "z" * 192, "w" * 193, "long " * 100, "\x00\xff\r\n",
         "ohmytext", "mynewtext"]
PATTERNS = ["*", "k*", "k[0-4]", "?1", "\\*", "[^k]*", "k[", "", "F*", "*1*", "**", "k\\"]
TYPES = ["string", "hash", "HASH", "list", "nothing"]
TIME_TOLERANCE_MS = 5000


class Generator:
    """Makes commands, most of them well-formed, that meet on few keys."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.now = int(time.time())
        self.makers = [
            value for name, value in sorted(vars(Generator).items()) if name.startswith("make_")]

    def command(self):
        words = self.random.choice(self.makers)(self)
        if self.random.random() < 0.02:
            words = words[:self.random.randint(1, len(words))]
        elif self.random.random() < 0.02:
            words = words + [self.text()]
        if self.random.random() < 0.1:
            words[0] = words[0].lower()
        return [word.encode("latin-1") if isinstance(word, str) else word for word in words]

    # Pieces.
    def one_of(self, *choices):
        return self.random.choice(choices)

    def key(self):
        return self.random.choice(KEYS[:10] if self.random.random() < 0.9 else KEYS)

    def field(self):
        if self.random.random() < 0.05:
            return "more%d" % self.random.randint(0, 600)
        return self.random.choice(FIELDS)

    def number(self):
        return self.random.choice(NUMBERS if self.random.random() < 0.9 else NOT_NUMBERS)

    def small(self):
        return str(self.random.randint(-20, 20)) if self.random.random() < 0.9 else self.number()

    def value(self):
        return self.random.choice([self.number, self.text, self.small])()

    def text(self):
        return self.random.choice(TEXTS)

    def several(self, make, at_most=4):
        return [make() for _ in range(self.random.randint(1, at_most))]

    def pairs(self, first, second):
        words = []
        for _ in range(self.random.randint(1, 4)):
            words += [first(), second()]
        return words

    def optional(self, *words):
        return list(words) if self.random.random() < 0.3 else []

    def deadline(self, seconds):
        """A duration or time far from now, so that both servers are on the same side of it."""
        if self.random.random() < 0.1:
            return self.one_of("0", "-1", "x", "1.5", "9223372036854775807", "-9223372036854775808")
        ahead = self.random.randint(1000, 100000)
        return str(ahead if seconds else ahead * 1000)

    def time_of_day(self, seconds):
        if self.random.random() < 0.1:
            return self.one_of("1", "0", "-1", "x")
        at = self.now + self.random.randint(1000, 100000)
        return str(at if seconds else at * 1000)

    def expiry_option(self, past=True):
        name = self.one_of("EX", "PX", "EXAT", "PXAT")
        if not name.endswith("AT"):
            return [name, self.deadline(name == "EX")]
        at = self.time_of_day(name == "EXAT")
        # What SET does with a time in the past shows in DBSIZE for a while, differently.
        return [name, at if past or at != "1" else "0"]

    # Strings.
    def make_set(self):
        words = ["SET", self.key(), self.value()]
        words += self.optional(self.one_of("NX", "XX", "nx"))
        words += self.optional("GET")
        if self.random.random() < 0.4:
            words += self.expiry_option(past=False)
        return words + self.optional(self.one_of("KEEPTTL", "PERSIST", "XX", "bad"))[:1]

    def make_get(self):
        return [self.one_of("GET", "STRLEN", "GETDEL"), self.key()]

    def make_getex(self):
        return ["GETEX", self.key()] + self.one_of(
            [], ["PERSIST"], self.expiry_option(), self.expiry_option() + ["PERSIST"], ["EX"])

    def make_getset(self):
        return [self.one_of("GETSET", "SETNX", "APPEND"), self.key(), self.value()]

    def make_setex(self):
        name = self.one_of("SETEX", "PSETEX")
        return [name, self.key(), self.deadline(name == "SETEX"), self.value()]

    def make_mset(self):
        return [self.one_of("MSET", "MSETNX")] + self.pairs(self.key, self.value)

    def make_mget(self):
        return ["MGET"] + self.several(self.key)

    def make_increment(self):
        return [self.one_of("INCR", "DECR"), self.key()]

    def make_incrby(self):
        return [self.one_of("INCRBY", "DECRBY"), self.key(), self.number()]

    def make_incrbyfloat(self):
        return ["INCRBYFLOAT", self.key(), self.random.choice(FLOATS)]

    def make_setrange(self):
        return ["SETRANGE", self.key(), self.one_of("0", "1", "5", "300", "-1", "x",
                                                    "536870912", "9223372036854775807"),
                self.text()]

    def make_getrange(self):
        return [self.one_of("GETRANGE", "SUBSTR"), self.key(), self.small(), self.small()]

    def make_lcs(self):
        words = ["LCS", self.key(), self.key()]
        words += self.optional(self.one_of("LEN", "IDX", "idx"))
        words += self.optional("MINMATCHLEN", self.small())
        return words + self.optional("WITHMATCHLEN")

    # Hashes. HSET comes up often: many commands delete fields or keys.
    def make_hset(self):
        return [self.one_of("HSET", "HSET", "HMSET"), self.key()] + self.pairs(
            self.field, self.value)

    def make_hset_more(self):
        words = ["HSET", self.key()]
        for i in range(self.random.choice([1, 20, 200])):
            words += ["more%d" % i, self.small()]
        return words

    def make_hsetnx(self):
        return ["HSETNX", self.key(), self.field(), self.value()]

    def make_hget(self):
        return [self.one_of("HGET", "HEXISTS", "HSTRLEN"), self.key(), self.field()]

    def make_hmget(self):
        return [self.one_of("HMGET", "HDEL"), self.key()] + self.several(self.field)

    def make_hgetall(self):
        return [self.one_of("HGETALL", "HKEYS", "HVALS", "HLEN"), self.key()]

    def make_hincrby(self):
        return ["HINCRBY", self.key(), self.field(), self.number()]

    def make_hincrbyfloat(self):
        return ["HINCRBYFLOAT", self.key(), self.field(), self.random.choice(FLOATS)]

    def make_hrandfield(self):
        return self.one_of(["HRANDFIELD", self.key()],
                           ["HRANDFIELD", self.key(), self.small()],
                           ["HRANDFIELD", self.key(), self.small(), "WITHVALUES"])

    def make_hscan(self):
        return ["HSCAN", self.key(), self.one_of("0", "0", "0", "x", "18446744073709551616")] + self.scan_options()

    def scan_options(self):
        return (self.optional("MATCH", self.random.choice(PATTERNS)) +
                self.optional("COUNT", self.one_of("1", "10", "100000", "0", "-1", "x")))

    # Keys.
    def make_del(self):
        return [self.one_of("DEL", "UNLINK", "EXISTS", "EXISTS", "TOUCH")] + self.several(
            self.key, 3)

    def make_type(self):
        return ["TYPE", self.key()]

    def make_rename(self):
        return [self.one_of("RENAME", "RENAMENX"), self.key(), self.key()]

    def make_copy(self):
        return ["COPY", self.key(), self.key()] + self.optional(
            "DB", self.one_of("0", "1", "2", "16", "-1", "x")) + self.optional("REPLACE")

    def make_move(self):
        return ["MOVE", self.key(), self.one_of("0", "1", "2", "16", "-1", "x")]

    def make_keys(self):
        return self.one_of(["KEYS", self.random.choice(PATTERNS)], ["DBSIZE"], ["RANDOMKEY"])

    def make_scan(self):
        return ["SCAN", self.one_of("0", "0", "0", "x", "18446744073709551616")] + self.scan_options() + (
            self.optional("TYPE", self.random.choice(TYPES)))

    def make_select(self):
        if self.random.random() < 0.05:
            return self.one_of(["FLUSHDB"], ["FLUSHDB", "ASYNC"], ["FLUSHDB", "x"],
                               ["SWAPDB", "0", "1"], ["SWAPDB", "x", "1"], ["SWAPDB", "1", "77"])
        return ["SELECT", self.one_of("0", "0", "1", "2")]

    def make_object(self):
        return ["OBJECT", self.one_of("ENCODING", "REFCOUNT", "FREQ"), self.key()]

    # Expiry.
    def make_expire(self):
        name = self.one_of("EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT")
        seconds = not name.startswith("P")
        at = self.time_of_day(seconds) if name.endswith("AT") else self.deadline(seconds)
        return [name, self.key(), at] + self.optional(self.one_of("NX", "XX", "GT", "LT")) + (
            self.optional(self.one_of("NX", "XX", "GT", "LT", "YY"))[:1])

    def make_ttl(self):
        return [self.one_of("TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", "PERSIST"), self.key()]


def as_sorted(reply, pairs=False):
    """The elements in an order that does not depend on a hash table's."""
    if pairs and not isinstance(reply, peers.Map):
        reply = list(zip(reply[::2], reply[1::2]))
    return sorted(reply, key=repr)


def comparable(words, reply):
    """What of a reply must be equal: not the order of a table, nor what chance or the clock says."""
    name = words[0].upper()
    if isinstance(reply, peers.ErrorReply):
        # A quoted word ends at its first zero byte there.
        return reply.split("\x00")[0]
    if name in (b"KEYS", b"HKEYS", b"HVALS"):
        return as_sorted(reply)
    if name == b"HGETALL":
        return as_sorted(reply, pairs=True)
    if name == b"SCAN":
        return sorted(set(reply[1]))
    if name == b"HSCAN":
        return sorted(set(zip(reply[1][::2], reply[1][1::2])))
    if name == b"RANDOMKEY":
        return reply is None
    if name == b"HRANDFIELD":
        return len(reply) if isinstance(reply, list) else reply is None
    if name == b"OBJECT":
        # A small string's encoding tells of its past: INCRBYFLOAT leaves "11" as text here and as
        # an integer there.
        if reply in (b"int", b"embstr"):
            return b"int or embstr"
        # redis-server shares its small integers.
        return reply if isinstance(reply, bytes) or reply is None else "an integer"
    return reply


def same(words, ours, theirs):
    name = words[0].upper()
    if name in (b"TTL", b"PTTL", b"EXPIRETIME", b"PEXPIRETIME") and (
            isinstance(ours, int) and isinstance(theirs, int) and ours > 0 and theirs > 0):
        per_second = 1 if name in (b"TTL", b"EXPIRETIME") else 1000
        return abs(ours - theirs) <= TIME_TOLERANCE_MS * per_second / 1000
    return comparable(words, ours) == comparable(words, theirs)


class Pair:
    """Both servers, given the same commands."""

    def __init__(self, ours, theirs):
        self.connections = [ours.connect(), theirs.connect()]

    def close(self):
        for connection in self.connections:
            connection.close()

    def command(self, *words):
        for connection in self.connections:
            connection.send(*words)
        return [connection.read() for connection in self.connections]

    def finish_scan(self, words, replies):
        """Takes the rest of a scan that has begun, so that all of it can be compared."""
        place = 2 if words[0].upper() == b"HSCAN" else 1
        for connection, reply in zip(self.connections, replies):
            while not isinstance(reply, peers.ErrorReply) and reply[0] != b"0":
                words = words[:place] + [reply[0]] + words[place + 1:]
                reply[0], more = connection.command(*words)
                reply[1] += more

    def check(self, words):
        ours, theirs = self.command(*words)
        if words[0].upper() in (b"SCAN", b"HSCAN"):
            self.finish_scan(words, [ours, theirs])
        if not same(words, ours, theirs):
            return "%r\n  tandem: %r\n  redis:  %r" % (words, ours, theirs)
        return None

    def restore_from_redis(self, key):
        """Both get a key from the payload that redis-server dumps."""
        payload = self.connections[1].command("DUMP", key)
        if payload is None:
            return None
        return self.check([b"RESTORE", key, b"0", payload, b"REPLACE"])

    def check_dataset(self):
        for database in range(3):
            self.command("SELECT", database)
            keys, theirs = self.command("KEYS", "*")
            if sorted(keys) != sorted(theirs):
                return "database %d holds\n  tandem: %r\n  redis:  %r" % (
                    database, sorted(keys), sorted(theirs))
            for key in keys:
                for reader in ([b"GET", key], [b"HGETALL", key], [b"PEXPIRETIME", key],
                               [b"OBJECT", b"ENCODING", key]):
                    failure = self.check(reader)
                    if failure:
                        return "database %d: %s" % (database, failure)
        return self.check([b"DEBUG", b"DIGEST"])


def run_sequence(pair, seed, steps):
    """Returns what went wrong, or None."""
    generator = Generator(seed)
    pair.command("FLUSHALL")
    pair.command("SELECT", "0")
    # Expired keys go when they are looked at, on both at the same command.
    pair.command("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    pair.command("HELLO", "3" if seed % 2 else "2")
    history = []
    for step in range(steps):
        words = generator.command()
        history.append(words)
        failure = pair.check(words)
        if failure is None and generator.random.random() < 0.01:
            failure = pair.restore_from_redis(generator.key().encode("latin-1"))
        if failure:
            before = "\n".join("    %r" % (words,) for words in history[-6:-1])
            return "step %d: %s\n  after:\n%s" % (step, failure, before)
    return pair.check_dataset()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("server")
    parser.add_argument("--peer", default="redis-server")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--steps", type=int, default=1500)
    arguments = parser.parse_args()
    seeds = [arguments.seed] if arguments.seed is not None else range(1, arguments.seeds + 1)
    servers = []
    failed = 0
    try:
        for program in (arguments.server, arguments.peer):
            servers.append(peers.Server(program))
        pair = Pair(*servers)
        for seed in seeds:
            try:
                failure = run_sequence(pair, seed, arguments.steps)
            except OSError as error:
                print("seed %d: %s\n%s" % (seed, error, servers[0].log()))
                return 1
            if failure:
                failed += 1
                print("seed %d: %s" % (seed, failure))
        pair.close()
    finally:
        for server in servers:
            server.stop()
    print("%d of %d sequences agree" % (len(seeds) - failed, len(seeds)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
