#!/usr/bin/env python3
"""The arguments that COMMAND DOCS describes, beside redis-server's: their words, types, flags and
keys must agree. The names are each server's own.

Usage: docs_test.py PATH_TO_TANDEM_SERVER [unittest arguments]
"""

import sys
import unittest

import peers

TANDEM_SERVER = None

# What these take has changed since redis-server 7.0.
CHANGED = {
    "bgsave": "CANCEL since 8.1",
    "bitcount": "the end may be left out since 8.0",
    "client|kill": "more filters since 8.0",
    "client|list": "all filters of CLIENT KILL since 8.1",
    "command|getkeys": "described since 7.2",
    "command|getkeysandflags": "described since 7.2",
    "config|get": "described without a block around each parameter since 7.2",
    "function|list": "WITHSTATS is Tandem's own",
    "geosearch": "BYPOLYGON since 9.0",
    "geosearchstore": "BYPOLYGON since 9.0",
    "hscan": "NOVALUES since 8.0",
    "psubscribe": "described without a block around each pattern since 7.2",
    "replicaof": "FORCE is Tandem's own",
    "set": "IFEQ since 8.1",
    "slaveof": "FORCE is Tandem's own",
    "slowlog|get": "WITHFUNCTION is Tandem's own",
    "xinfo|stream": "FULL described as a word since 7.2",
    "zrank": "WITHSCORE since 7.2",
    "zrevrank": "WITHSCORE since 7.2",
}


def as_dict(value):
    return {key.decode() if isinstance(key, bytes) else key: item for key, item in value}


def shape(argument):
    fields = as_dict(argument)
    kept = {key: fields[key] for key in ["type", "token", "key_spec_index", "since"]
            if key in fields}
    kept["flags"] = sorted(fields.get("flags", []))
    kept["arguments"] = [shape(inner) for inner in fields.get("arguments", [])]
    return kept


def collect(name, docs, into):
    fields = as_dict(docs)
    into[name] = [shape(argument) for argument in fields.get("arguments", [])]
    for subcommand, inner in fields.get("subcommands", []):
        collect(subcommand.decode(), inner, into)


def documented(connection):
    connection.command("HELLO", "3")
    arguments = {}
    for name, docs in connection.command("COMMAND", "DOCS"):
        collect(name.decode(), docs, arguments)
    return arguments


class Docs(unittest.TestCase):
    def test_arguments(self):
        servers = [peers.Server(TANDEM_SERVER), peers.Server("redis-server")]
        try:
            ours, theirs = [documented(server.connect()) for server in servers]
        finally:
            for server in servers:
                server.stop()
        compared = 0
        for name in sorted(set(ours) & set(theirs) - set(CHANGED)):
            with self.subTest(name):
                self.assertEqual(ours[name], theirs[name])
                compared += 1
        self.assertGreater(compared, 120)
        for name in CHANGED:
            if name in ours:
                self.assertNotEqual(ours[name], theirs[name], name + " has not changed")


if __name__ == "__main__":
    TANDEM_SERVER = sys.argv.pop(1)
    unittest.main(verbosity=2)
