#!/usr/bin/env python3
"""The commands of connections and of the server itself beside redis-server 7.0: written requests go
to both, in RESP2 and RESP3, and the replies must agree in value and type.

Usage: admin_test.py PATH_TO_TANDEM_SERVER
"""

import re
import socket
import sys

import peers

# Each line is a request on one connection; those of a group share a connection.
GROUPS = """
ping
ping hello
ping a b
echo x
echo
select 5
select 99
select -1
select x
select 4294967297

auth a
auth default b
auth x y
auth a b c
hello 4
hello x
hello 2 auth x y
hello 2 auth x
hello 2 setname a\\nb
hello 2 nonsense
client setname me
client getname
reset
client getname

client id x
client getname
client setname worker
client getname
client setname a\\nb
client setname
client getname
client list type nothing
client list id x
client list id
client list foo bar
client kill 1.2.3.4:5
client kill id x
client kill id 0
client kill id 99999
client kill id 99999 id 99998
client kill addr 1.2.3.4:5
client kill foo bar
client kill skipme maybe
client kill type nothing
client kill user nobody
client kill id 99999 addr
client pause x
client pause -1
client pause 1 sometimes
client pause 0
client pause 1 write
client unpause
client reply sometimes
client reply on
client no-evict sometimes
client no-evict on
client no-evict off
client nonsense
client

config get hz
config get hz
config get nosuch
config get hash-max-ziplist-entries
config get
config set hz 11
config get hz
config set hz 10
config set hz
config set nosuch 1
config set maxmemory x
config set maxmemory 100mb maxmemory-policy nonsense
config get maxmemory
config set hz 10 hz 11
config set databases 3
config rewrite
config resetstat
config nonsense

multi
ping
select 99
exec
exec
discard
multi
discard
multi
nosuch command
ping
exec
multi
ping x y
exec
watch a b
set a 1
multi
ping
exec
watch a
unwatch
set a 2
multi
get a
exec
watch
exec x

command count x
command info nosuch nosuch|x get|x client|nosuch
command docs nosuch
command list filterby aclcat nosuch
command list filterby module x
command list filterby pattern nosuch*
command list filterby nonsense x
command list nonsense
command getkeys get a
command getkeys get a b
command getkeys mset a b c d
command getkeys nosuch a
command getkeys client nosuch
command getkeys client list
command getkeys fcall f 0
command getkeys fcall f 2 a b c
command getkeys fcall f 3 a b
command getkeys fcall f x a
command getkeys fcall f -1 a
command getkeys set a b
command getkeys copy a b
command getkeys object encoding a
command getkeysandflags bitfield k get u8 0
command getkeysandflags set a b
command getkeysandflags set a b get
command getkeysandflags set a get
command getkeysandflags copy a b
command getkeysandflags fcall f 2 a b c
command getkeysandflags fcall_ro f 1 a
command getkeysandflags mset a b c d
command nonsense

debug nonsense
debug object
debug object nosuch
debug sleep 0
debug sleep 0 0
debug populate x
debug populate -1
debug populate
debug populate 3
get key:2
debug populate 2 p 20
get p:1
debug populate 3 key 5
get key:0
debug digest
debug digest-value key:0 p:0 nosuch
debug set-active-expire
debug set-active-expire 0
debug set-active-expire 1
debug change-repl-id
debug

shutdown nonsense
shutdown save nosave
shutdown abort
shutdown abort now
time x
info nosuch

config set slowlog-log-slower-than -1
slowlog reset
slowlog len
slowlog get
slowlog get -1
slowlog get -2
slowlog get x
slowlog get 1 2
slowlog reset
slowlog nosuch
slowlog
latency latest
latency history nosuch
latency graph nosuch
latency reset
latency reset nosuch
latency histogram nosuch
latency history
latency nosuch
memory usage nosuch
memory usage nosuch samples 0
memory usage nosuch samples
memory usage nosuch samples x
memory usage nosuch samples -1
memory usage nosuch 5
memory usage
memory purge
memory nosuch
"""


def words_of(line):
    return [word.encode().decode("unicode_escape").encode("latin-1") for word in line.split(" ")]


def shown(value):
    return "%s %r" % (type(value).__name__, value)


class Comparison:
    def __init__(self, ours, theirs):
        self.ours = ours
        self.theirs = theirs
        self.compared = 0
        self.differences = []

    def connect(self, protocol):
        connections = [self.ours.connect(), self.theirs.connect()]
        for connection in connections:
            connection.command("HELLO", protocol)
        return connections

    def check(self, what, ours, theirs):
        self.compared += 1
        if shown(ours) != shown(theirs):
            self.differences.append(
                "%s\n  redis-server: %.600s\n  this server:  %.600s" % (
                    what, shown(theirs), shown(ours)))

    def compare_groups(self, protocol):
        for group in GROUPS.strip().split("\n\n"):
            ours, theirs = self.connect(protocol)
            for line in group.split("\n"):
                words = words_of(line)
                self.check("RESP%d %s" % (protocol, line), ours.command(*words),
                           theirs.command(*words))
            ours.close()
            theirs.close()

    def compare_digests(self):
        ours, theirs = self.connect(2)
        for connection in (ours, theirs):
            connection.command("FLUSHALL")
            for db in (0, 7):
                connection.command("SELECT", db)
                for i in range(300):
                    connection.command("SET", "string:%d" % i, i if i % 3 else "text %d" % i)
                    connection.command("HSET", "hash:%d" % (i % 20), "field%d" % i, i * i)
                    if i % 5 == 0:
                        connection.command("PEXPIREAT", "string:%d" % i, 4102444800000)
                connection.command("HSET", "long", "f", "x" * 1000)
                connection.command("APPEND", "string:1", "more")
                connection.command("SETRANGE", "gap", 70, "end")
        self.check("DEBUG DIGEST", ours.command("DEBUG", "DIGEST"),
                   theirs.command("DEBUG", "DIGEST"))

    def compare_info_fields(self):
        """Of the sections that tools read, the fields both have come in the same order, and each
        field that this server leaves out is one that it has nothing to say on."""
        texts = [connection.command("INFO", "everything").decode() for connection in
                 self.connect(2)]
        ours, theirs = [re.findall(r"^# (\w+)", text, re.M) for text in texts]
        ours.remove("Functionstats")  # which no other server has
        self.check("INFO's sections", ours, theirs)
        for section in ("Server", "Clients", "Memory", "Persistence", "Stats", "Replication",
                        "CPU", "Cluster"):
            ours, theirs = [
                re.findall(r"^([\w.]+):", re.search(r"# %s\r\n(.*?)(\r\n\r\n|$)" % section, text,
                                                    re.S).group(1), re.M) for text in texts]
            both = set(ours) & set(theirs)
            self.check("INFO %s" % section, [name for name in ours if name in both],
                       [name for name in theirs if name in both])

    def compare_memory_stats(self):
        """The fields that both have come in the same order and are of the same kinds."""
        for protocol in (2, 3):
            connections = self.connect(protocol)
            for connection in connections:
                connection.command("SET", "key", "value", "EX", "1000")
            replies = [connection.command("MEMORY", "STATS") for connection in connections]
            ours, theirs = [
                dict(reply) if protocol == 3 else dict(zip(reply[::2], reply[1::2])) for reply in
                replies]
            both = set(ours) & set(theirs)
            self.check("RESP%d MEMORY STATS" % protocol,
                       [(name, type(ours[name]).__name__) for name in ours if name in both],
                       [(name, type(theirs[name]).__name__) for name in theirs if name in both])
            self.check("MEMORY STATS leaves out", set(theirs) - set(ours), set())

    def compare_client_lines(self):
        lines = [connection.command("CLIENT", "INFO").decode() for connection in self.connect(2)]
        ours, theirs = [[word.split("=")[0] for word in line.split()] for line in lines]
        self.check("CLIENT INFO's fields", [name for name in ours if name in theirs], theirs)

    def compare_replies_off(self):
        for connection in (self.ours.connect(), self.theirs.connect()):
            connection.send("CLIENT", "REPLY", "OFF")
            connection.send("PING")
            connection.send("CLIENT", "REPLY", "ON")
            self.check("CLIENT REPLY ON", connection.read(), peers.Status("OK"))
            connection.send("CLIENT", "REPLY", "SKIP")
            connection.send("PING", "skipped")
            connection.send("PING", "seen")
            self.check("CLIENT REPLY SKIP", connection.read(), b"seen")
            connection.close()

    def compare_hello(self):
        for protocol in (2, 3):
            replies = [server.connect().command("HELLO", protocol) for server in
                       (self.ours, self.theirs)]
            fields = [dict(reply) if protocol == 3 else dict(zip(reply[::2], reply[1::2])) for
                      reply in replies]
            for mine in fields:
                for name in (b"server", b"version", b"id"):
                    mine.pop(name)
            self.check("HELLO %d" % protocol, fields[0], fields[1])

    def compare_descriptor_limit(self):
        replies = [connection.command("CONFIG", "SET", "maxclients", 50000000) for connection in self.connect(2)]
        self.check("more clients than descriptors", *[re.sub(r"\d+", "N", reply) for reply in replies])

    def compare_addresses(self):
        """CONFIG SET port and bind move the sockets at once; what cannot be listened on changes nothing."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            ours, theirs = [addresses_seen(server, str(taken.getsockname()[1])) for server in
                            (self.ours, self.theirs)]
        for mine, yours in zip(ours, theirs, strict=True):
            self.check("an address, " + mine[0], mine, yours)


def answers(host, port):
    try:
        with socket.create_connection((host, int(port)), peers.TIMEOUT) as client:
            client.sendall(b"PING\r\n")
            return client.recv(16) == b"+PONG\r\n"
    except OSError:
        return False


def addresses_seen(server, taken):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = str(probe.getsockname()[1])
    seen = []
    client = server.connect()
    steps = [("port", free), ("port", taken), ("bind", "127.0.0.2"), ("bind", "300.1.1.1"),
             ("bind", "127.0.0.1 -::1"), ("port", "0")]
    for name, value in steps:
        reply = client.command("CONFIG", "SET", name, value)
        now = client.command("CONFIG", "GET", name)[1].decode()
        seen.append((name + " " + value.replace(free, "free").replace(taken, "taken"), reply,
                     now.replace(free, "free"), answers("127.0.0.1", free), answers("127.0.0.2", free)))
    client.close()
    return seen


def main():
    ours = peers.Server(sys.argv[1])
    theirs = peers.Server("redis-server")
    try:
        comparison = Comparison(ours, theirs)
        for protocol in (2, 3):
            comparison.compare_groups(protocol)
        comparison.compare_digests()
        comparison.compare_info_fields()
        comparison.compare_memory_stats()
        comparison.compare_client_lines()
        comparison.compare_replies_off()
        comparison.compare_hello()
        comparison.compare_descriptor_limit()
        comparison.compare_addresses()
    finally:
        ours.stop()
        theirs.stop()
    for difference in comparison.differences:
        print(difference)
    print("%d replies compared, %d differ" % (comparison.compared, len(comparison.differences)))
    return 1 if comparison.differences else 0


if __name__ == "__main__":
    sys.exit(main())
