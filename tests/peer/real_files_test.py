#!/usr/bin/env python3
"""Files that other servers have written: every value in them is loaded as the .json beside them says,
and comes back the same from a snapshot and from an AOF of Tandem's own.

Usage: real_files_test.py PATH_TO_TANDEM_SERVER PATH_TO_DATA
"""

import base64
import json
import os
import shutil
import sys
import tempfile

import peers

FAILURES = []


def check(what, got, expected):
    if got != expected:
        FAILURES.append(what)
        print("%s:\n  got      %.300r\n  expected %.300r" % (what, got, expected))


def unpack(value):
    """The bytes behind the base64 of a .json."""
    return base64.b64decode(value)


def pairs(flat):
    return list(zip(flat[::2], flat[1::2]))


def read_stream(connection, key):
    info = dict(pairs(connection.command("XINFO", "STREAM", key)))
    groups = [dict(pairs(each)) for each in connection.command("XINFO", "GROUPS", key)]
    return {
        "entries": [(entry_id, pairs(fields))
                    for entry_id, fields in connection.command("XRANGE", key, "-", "+")],
        "len": info[b"length"],
        "last": info[b"last-generated-id"],
        "groups": sorted((each[b"name"], each[b"consumers"], each[b"pending"],
                          each[b"last-delivered-id"]) for each in groups),
    }


def expected_stream(value):
    return {
        "entries": [(entry_id.encode(), [(unpack(f), unpack(v)) for f, v in fields])
                    for entry_id, fields in value["entries"]],
        "len": value["len"],
        "last": value["last"].encode(),
        "groups": sorted((name.encode(), consumers, pending, last.encode())
                         for name, consumers, pending, last in value["groups"]),
    }


def read_value(connection, key, kind):
    if kind == "string":
        return connection.command("GET", key)
    if kind == "list":
        return connection.command("LRANGE", key, 0, -1)
    if kind == "set":
        return sorted(connection.command("SMEMBERS", key))
    if kind == "hash":
        return sorted(pairs(connection.command("HGETALL", key)))
    if kind == "zset":
        scores = pairs(connection.command("ZRANGE", key, 0, -1, "WITHSCORES"))
        return sorted((member, float(score)) for member, score in scores)
    return read_stream(connection, key)


def expected_value(entry):
    kind, value = entry["type"], entry["value"]
    if kind == "string":
        return unpack(value)
    if kind == "list":
        return [unpack(each) for each in value]
    if kind == "set":
        return sorted(unpack(each) for each in value)
    if kind == "hash":
        return sorted((unpack(field), unpack(text)) for field, text in value)
    if kind == "zset":
        return sorted((unpack(member), float(score)) for member, score in value)
    return expected_stream(value)


def check_dataset(name, connection, described):
    for db, keys in described["databases"].items():
        connection.command("SELECT", db)
        check("%s: number of keys in %s" % (name, db), connection.command("DBSIZE"), len(keys))
        for encoded, entry in keys.items():
            key = unpack(encoded)
            what = "%s: key %r of database %s" % (name, key, db)
            check(what + ", type", connection.command("TYPE", key), entry["type"])
            check(what + ", expiry", connection.command("PEXPIRETIME", key), entry["expireat_ms"])
            check(what, read_value(connection, key, entry["type"]), expected_value(entry))
    libraries = {}
    for library in connection.command("FUNCTION", "LIST"):
        fields = dict(pairs(library))
        functions = [dict(pairs(each))[b"name"].decode() for each in fields[b"functions"]]
        libraries[fields[b"library_name"].decode()] = sorted(functions)
    check(name + ": libraries", libraries,
          {library: sorted(names) for library, names in described["libraries"].items()})


def check_round_trips(name, connection):
    """A snapshot, and an AOF made of commands, bring the same dataset back."""
    digest = connection.command("DEBUG", "DIGEST")
    check(name + ": reload", connection.command("DEBUG", "RELOAD"), "OK")
    check(name + ": digest after a snapshot", connection.command("DEBUG", "DIGEST"), digest)
    connection.command("CONFIG", "SET", "aof-use-rdb-preamble", "no")
    connection.command("CONFIG", "SET", "appendonly", "yes")
    peers.await_condition("the rewrite ends", lambda: (
        b"aof_rewrite_in_progress:0" in connection.command("INFO", "persistence")))
    check(name + ": loading the AOF", connection.command("DEBUG", "LOADAOF"), "OK")
    check(name + ": digest after an AOF", connection.command("DEBUG", "DIGEST"), digest)


def copy_to_directory(*files):
    directory = tempfile.mkdtemp(prefix="files-")
    for path in files:
        if os.path.isdir(path):
            target = os.path.join(directory, "appendonlydir")
            os.mkdir(target)
            for each in os.listdir(path):
                shutil.copyfile(os.path.join(path, each), os.path.join(target, each))
        else:
            shutil.copyfile(path, os.path.join(directory, "dump.rdb"))
    return directory


def test_snapshot(program, data, name, redis):
    directory = copy_to_directory(os.path.join(data, name + ".rdb"))
    server = peers.Server(program, "--dir", directory)
    try:
        connection = server.connect()
        with open(os.path.join(data, name + ".json")) as file:
            check_dataset(name, connection, json.load(file))
        if redis:
            other_directory = copy_to_directory(os.path.join(data, name + ".rdb"))
            other = peers.Server("redis-server", "--dir", other_directory)
            try:
                check(name + ": digest", connection.command("DEBUG", "DIGEST"),
                      other.connect().command("DEBUG", "DIGEST"))
            finally:
                other.stop()
                shutil.rmtree(other_directory)
        check_round_trips(name, connection)
        with open(os.path.join(data, name + ".json")) as file:
            check_dataset(name + " (after round trips)", connection, json.load(file))
    finally:
        server.stop()
        shutil.rmtree(directory)


def test_aof(program, data):
    digests, libraries = [], []
    for each in (program, "redis-server"):
        directory = copy_to_directory(os.path.join(data, "redis70-appendonlydir"))
        server = peers.Server(each, "--dir", directory, "--appendonly", "yes")
        try:
            connection = server.connect()
            digests.append(connection.command("DEBUG", "DIGEST"))
            libraries.append(sorted(dict(pairs(each))[b"library_name"]
                                    for each in connection.command("FUNCTION", "LIST")))
        finally:
            server.stop()
            shutil.rmtree(directory)
    check("AOF: digest", digests[0], digests[1])
    check("AOF: libraries", libraries[0], libraries[1])


def main():
    program, data = sys.argv[1:]
    if not os.path.isdir(data):
        print("the files are not here: nothing was tested")
        return 77
    test_snapshot(program, data, "redis70-all-types", redis=True)
    test_snapshot(program, data, "valkey81-all-types", redis=False)
    test_aof(program, data)
    print("%d differences" % len(FAILURES))
    return 1 if FAILURES else 0


if __name__ == "__main__":
    sys.exit(main())
