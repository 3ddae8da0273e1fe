#!/usr/bin/env python3
"""Lua as scripts and functions see it beside redis-server: the names there are, and what a few
hundred snippets answer, errors included. Where Tandem follows Valkey 8.1 instead of redis-server
7.0, the difference is named below with its reason.

Usage: functions_test.py PATH_TO_TANDEM_SERVER
"""

import re
import sys

import peers
from functions_snippets import API_CALLS, FUNCTION_LOADS, LANGUAGE, LIBRARIES, REPLIES

# Walks what can be reached from the globals; fills `out`.
WALK = """
local out = {}
local function walk(name, t, seen)
  for k, v in pairs(t) do
    local n = name .. tostring(k)
    out[#out + 1] = n .. ' ' .. type(v)
    if type(v) == 'table' and not seen[v] then
      seen[v] = true
      walk(n .. '.', v, seen)
    end
  end
end
walk('', _G, {[_G] = true})
"""
GLOBALS = ("redis _G _VERSION assert bit cjson cmsgpack collectgarbage coroutine debug dofile error "
           "gcinfo getfenv getmetatable io ipairs load loadfile loadstring math module newproxy next "
           "package pairs pcall print rawequal rawget rawset require select setfenv setmetatable "
           "string struct table tonumber tostring type unpack xpcall KEYS ARGV").split()

# Names that only one of them has, with the reason.
ONLY_TANDEM = {
    "server": "Valkey's own name of the API",
    "os": "has os.clock alone since Valkey 8",
    "redis.breakpoint": "functions can be debugged here", "redis.debug": "functions can be debugged here",
    "redis.SERVER_NAME": "Valkey", "redis.SERVER_VERSION": "Valkey",
    "redis.SERVER_VERSION_NUM": "Valkey",
}
ONLY_PEER = {
    "__redis__err__handler": "an implementation's detail that redis-server keeps among the globals",
    "cmsgpack._COPYRIGHT": "of another implementation",
    "cmsgpack._DESCRIPTION": "of another implementation",
}
# Errors that Valkey words in another way, as regular expressions over redis-server's text.
REWORDED = [
    (r"redis\.(log|setresp|acl_check_cmd|register_function)\b", r"server.\1"),
    (r"redis\.set_repl\(\) requires two arguments", "server.set_repl() requires one argument"),
    (r"Unknown Redis command called", "Unknown command called"),
    (r"calling Redis command from script", "calling command from script"),
    (r"Lua redis lib command arguments", "Command arguments"),
]
# Snippets that Valkey 8.1 answers in another way, with the reason.
OTHERWISE = {
    "return redis.call('blpop', 'k1', 0)": "scripts may run blocking commands, which do not block",
    "return os.time()": "os is there, with os.clock alone",
    "return {pcall(struct.unpack, 'i0', 'abcd')}": "an integer of no bytes is refused",
}
# What only functions of Tandem know, since only they can be debugged.
DEBUGGED = ("return redis.breakpoint()", "return redis.debug('x')")
# The same for FUNCTION LOAD.
LOADS_OTHERWISE = {
    "('',": "names a function where redis-server says library",
    "('a b',": "the same",
}


class Pair:
    def __init__(self, tandem, peer):
        self.connections = [tandem.connect(), peer.connect()]

    def ask(self, *words):
        return [connection.command(*words) for connection in self.connections]


def reworded(reply):
    if isinstance(reply, list):
        return [reworded(each) for each in reply]
    is_bytes = isinstance(reply, bytes)
    if not is_bytes and not isinstance(reply, peers.ErrorReply):
        return reply
    text = reply.decode("latin-1") if is_bytes else str(reply)
    for pattern, replacement in REWORDED:
        text = re.sub(pattern, replacement, text)
    return text.encode("latin-1") if is_bytes else peers.ErrorReply(text)


def same(ours, theirs):
    return repr(ours) == repr(reworded(theirs))


def same_load(ours, theirs):
    """A loaded library's name comes as a line here, as a bulk there."""
    if isinstance(ours, peers.Status) and isinstance(theirs, bytes):
        return ours.encode() == theirs
    return same(ours, theirs)


def names_of(reply):
    """The walk's names; what is below `server` is what is below `redis`."""
    names = set()
    for each in reply:
        name = each.decode()
        names.add(re.sub(r"^server\.", "redis.", name))
    return names


def compare_names(what, replies):
    failures = []
    for reply in replies:
        if not isinstance(reply, list):
            return ["%s: %r" % (what, reply)]
    ours, theirs = (names_of(reply) for reply in replies)
    # What is walked first under one of two names differs.
    for name in sorted(ours - theirs):
        if name.split()[0] not in ONLY_TANDEM and not name.startswith("os."):
            failures.append("%s: only here: %s" % (what, name))
    for name in sorted(theirs - ours):
        if name.split()[0] not in ONLY_PEER:
            failures.append("%s: missing: %s" % (what, name))
    return failures


def check_names(pair):
    failures = compare_names("EVAL", pair.ask("EVAL", WALK + "return out", 0))
    library = "#!lua name=names\nredis.register_function('names', function()\n%s return out end)"
    pair.ask("FUNCTION", "LOAD", "REPLACE", library % WALK)
    failures += compare_names("FCALL", pair.ask("FCALL", "names", 0))
    return failures


def check_load_names(pair):
    """While a library loads, only the API is there."""
    failures = []
    for name in GLOBALS:
        code = "#!lua name=probe\nlocal value = %s\nredis.register_function('probe', value)" % name
        ours, theirs = pair.ask("FUNCTION", "LOAD", "REPLACE", code)
        if not same_load(ours, theirs):
            failures.append("load of %s: %r, not %r" % (name, ours, theirs))
    return failures


def check_snippets(pair, world, snippets):
    failures = []
    for snippet in snippets:
        if snippet in OTHERWISE or (world == "FCALL" and snippet in DEBUGGED):
            continue
        for resp in (2, 3):
            if resp == 3 and snippets is not REPLIES:
                continue
            pair.ask("FLUSHALL")
            pair.ask("HELLO", resp)
            if world == "EVAL":
                ours, theirs = pair.ask("EVAL", snippet, 2, "k1", "k2", "a1", "a2")
            else:
                code = ("#!lua name=snippet\nredis.register_function('snippet', "
                        "function(KEYS, ARGV)\n%s\nend)" % snippet)
                loaded = pair.ask("FUNCTION", "LOAD", "REPLACE", code)
                if not same_load(*loaded):
                    failures.append("%s: loads as %r, not %r" % (snippet, *loaded))
                    continue
                ours, theirs = pair.ask("FCALL", "snippet", 2, "k1", "k2", "a1", "a2")
            if not same(ours, theirs):
                failures.append("%s %s\n    is  %r\n    not %r" % (world, snippet, ours, theirs))
    return failures


def check_loads(pair):
    failures = []
    for code in FUNCTION_LOADS:
        pair.ask("FUNCTION", "FLUSH")
        ours, theirs = pair.ask("FUNCTION", "LOAD", code)
        if any("register_function" + call in code for call in LOADS_OTHERWISE):
            continue
        if not same_load(ours, theirs):
            failures.append("FUNCTION LOAD %r\n    is  %r\n    not %r" % (code, ours, theirs))
    return failures


def main():
    program = sys.argv[1]
    servers = []
    try:
        for each in (program, "redis-server"):
            servers.append(peers.Server(each))
        pair = Pair(*servers)
        failures = check_names(pair) + check_load_names(pair) + check_loads(pair)
        count = 0
        for snippets in (API_CALLS, LANGUAGE, LIBRARIES, REPLIES):
            for world in ("EVAL", "FCALL"):
                failures += check_snippets(pair, world, snippets)
                count += len(snippets)
    finally:
        for server in servers:
            server.stop()
    for failure in failures:
        print(failure)
    print("%d snippets compared, %d differences" % (count, len(failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
