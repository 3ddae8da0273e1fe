#!/usr/bin/env python3
"""The Lua debugger beside redis-server 7.0: the same sessions on both, line by line; then what only
Tandem has (functions), what a session may not do to the server, and the two consoles.

Usage: debugger_test.py PATH_TO_TANDEM_SERVER PATH_TO_TANDEM_CLI
"""

import os
import re
import subprocess
import sys
import unittest

import peers

TANDEM_SERVER = None
TANDEM_CLI = None

# What Valkey, and so Tandem, words without the old name.
RENAMED = [
    ("Unknown Redis Lua debugger command", "Unknown Lua debugger command"),
    ("redis.breakpoint() called", "server.breakpoint() called"),
    ("Unknown Redis command called", "Unknown command called"),
    ("calling Redis command from", "calling command from"),
    ("Lua redis lib command arguments", "Command arguments"),
]

CALLS = """local a = 5
local t = {1,2,"x",{k='v'}}
local function f(x)
  local y = x*2
  redis.breakpoint()
  return y
end
local self = {}
self.me = self
redis.call('SET',KEYS[1],'v')
local b = f(a)
redis.debug('hello',t,self,nil,1.5,true)
local n = nil
for i=1,3 do
  b = b + i
end

local z = redis.pcall('INCR',KEYS[1])
return {b, 'done'}
"""

COMMANDS = r"""redis.call('SET',KEYS[1],'v')
local x = redis.pcall('INCR',KEYS[1])
redis.call('MSET',1,2,3,4,5,6,7,8,9,10,11,12,13,14)
local y = redis.call('GET','none')
redis.call('SET','b','\1\n"x')
local z = redis.call('MGET','b','none')
redis.call('ECHO', 1.5)
redis.setresp(3)
redis.call('HSET','h','f','v')
z = redis.call('HGETALL','h')
z = redis.call('ZADD','zz',1.5,'m')
z = redis.call('ZSCORE','zz','m')
z = redis.call('SMEMBERS','nos')
z = redis.call('GET','none')
local big = string.rep('x',300)
redis.pcall('nosuch')
redis.pcall('GET')
redis.pcall('SET',{})
redis.pcall('ECHO',big)
redis.pcall('DEL',unpack({1,2,3,4,5,6,7,8,9}))
redis.setresp(9)
return z
"""

TYPES = r"""local f = function() end
local t={1,nil,3,[10]=4,[true]=false}
local s="a\n\"\1\127"
local n=-1e100
local v=123456789
local w={{{}},{},{{{{1}}}}}
local long={}
for i=1,100 do long[i]=i end
return 1
"""

TAIL = """#!lua flags=allow-oom
local function f(a,...)
 local b=a
 return b
end
local function g(a)
  local c = f(a, 1)
  return c
end
return g(1,2)
"""

# Mode, the script with its keys and arguments, and what the client says (a line is split at "|").
SESSIONS = [
    ("yes", (CALLS, 1, "k", "a1", "a2"),
     "list l|3 l|5|1 l|0 l|-3 l|100 l|3|0 l|3|-1 w W LIST p p|a p|nosuch p|KEYS p|ARGV s s p "
     "b|11 b|99 b|0 b b|4 b|4 b b|-4 b b|15 b|-3 t n c t p p|a p|x c"),
    ("yes", (CALLS, 2, "k", "l"),
     "b|11 c s n p|a b|12 c c n e|a+1 e|return|a e|nosuch e|error('x') e|1,2 e|1+ eval|b=7 e|b e "
     "e|KEYS e|redis.call('get','none') e|redis.pcall('get','none') e|redis.sha1hex('') "
     "e|return|KEYS[1],2 e|#KEYS|+|1 e|{1,2,x='y'} "
     "r|GET|k redis|SET|k|10 REDIS|GET|k r r|nosuch r|hgetall|k r|lrange|nolist|0|-1 r|get "
     "r|command|count|x maxlen maxlen|5 m|70 maxlen|0 maxlen|-1 maxlen|abc maxlen|12abc foo b|x "
     "b|x|2|1x|3 list|abc s|1 n|n b|0 c"),
    ("sync", (COMMANDS, 1, "k"), "n n n n n n n n n n n n n n n n n n n n p|big p|big n"),
    ("sync", (COMMANDS, 1, "k"), "maxlen|0 n n n n n n n n n n n n n n n n n n n n p|big p n"),
    ("sync", (COMMANDS, 1, "k"), "b|4 b|8 b c c c"),
    ("yes", (TYPES, 0), "b|9 c p p|long m|100 p p|w a"),
    ("yes", (TAIL, 0), "w b|3|99|0|x b|3 c t p s t s s s s"),
    ("yes", ("return 1\n\n\r\n", 0), "l w a"),
    ("yes", ("return 1", 0), "b|1 b|1 ABORT"),
    ("yes", ("\n\n\nreturn redis.error_reply('My error')", 0), "w s"),
    ("yes", ("return {redis.breakpoint(), redis.breakpoint()}", 0), "c"),
    ("yes", ("local a = redis.breakpoint()\nlocal b = 1\nreturn {a, b}", 0), "c p c"),
    ("yes", ("redis.debug()\nredis.debug('a\\nb')\nreturn redis.debug(1)", 0), "s s s"),
    ("yes", ("redis.debug('" + "y" * 300 + "')\nreturn '" + "y" * 300 + "'", 0), "s r|echo|ok c"),
    ("yes", ("error('mine')", 0), "s"),
    ("yes", ("error({err='CODE mine'})", 0), "s"),
    ("yes", ("redis.call('get')", 0), "s"),
    ("yes", ("local x = 1\r\nreturn x\r\n", 0), "w s s"),
    ("yes", ("foo bar(", 0), ""),
    ("sync", ("foo bar(", 0), ""),
    ("yes", ("return 1", "x"), ""),
    ("yes", ("return 1", 3, "a"), ""),
    ("yes", ("#!lua flags=nosuch\nreturn 1", 0), ""),
    ("yes", ("return " * 2, 0), ""),
    ("yes", ("", 0), ""),
]


def worded_as_valkey(value):
    """The reply with its old wording replaced and addresses blotted out."""
    if isinstance(value, list):
        return [worded_as_valkey(element) for element in value]
    if not isinstance(value, str):
        return value
    text = str(value)
    for old, new in RENAMED:
        text = text.replace(old, new)
    return type(value)(re.sub(r"@0x[0-9a-f]+", "@ADDRESS", text))


class Session:
    """A debug session of a connection; `said` is everything that the server has."""

    def __init__(self, server, mode, *request):
        self.connection = server.connect()
        self.said = [self.connection.command("SCRIPT", "DEBUG", mode)]
        self.open = True
        self.take(self.connection.command(*request))

    def take(self, reply):
        self.said.append(reply)
        ended = not isinstance(reply, list) or reply[-1:] == ["<endsession>"]
        if not ended:
            return reply
        self.open = False
        if isinstance(reply, list):
            self.said.append(self.connection.read())
        try:
            self.said.append(self.connection.read())
        except (ConnectionError, OSError):
            self.said.append("closed")
        self.connection.close()
        return reply

    def say(self, *words):
        return self.take(self.connection.command(*words))

    @property
    def result(self):
        return self.said[-2]


class BesideRedis(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.redis = peers.Server("redis-server")
        cls.tandem = peers.Server(TANDEM_SERVER)

    @classmethod
    def tearDownClass(cls):
        cls.redis.stop()
        cls.tandem.stop()

    def hold(self, server, mode, script, commands):
        admin = server.connect()
        admin.command("FLUSHALL")
        admin.close()
        session = Session(server, mode, "EVAL", *script)
        said = list(session.said)
        for line in commands.split():
            if not session.open:
                break
            words = line.split("|")
            before = len(session.said)
            session.say(*words)
            said.append(words)
            said += session.said[before:]
        if session.open:
            session.connection.close()
        return said

    def test_sessions(self):
        for mode, script, commands in SESSIONS:
            with self.subTest(script=script, mode=mode):
                expected = worded_as_valkey(self.hold(self.redis, mode, script, commands))
                found = worded_as_valkey(self.hold(self.tandem, mode, script, commands))
                for theirs, ours in zip(expected, found):
                    self.assertEqual(repr(theirs), repr(ours))
                self.assertEqual(len(expected), len(found))

    def test_replies_outside_a_session(self):
        for requests in [
                [("SCRIPT", "DEBUG", "X"), ("SCRIPT", "DEBUG"), ("SCRIPT", "DEBUG", "YES", "x")],
                [("SCRIPT", "DEBUG", "YES"), ("EVALSHA", "x" * 40, 0), ("EVALSHA", "x", 0),
                 ("RESET",), ("EVALSHA", "x" * 40, 0), ("SCRIPT", "DEBUG", "no"),
                 ("EVAL", "return 1", 0)],
                [("MULTI",), ("SCRIPT", "DEBUG", "YES"), ("EVAL", "return 1", 0), ("EXEC",)],
                [("EVAL", "return redis.call('SCRIPT','DEBUG','YES')", 0)],
                [("EVAL", "return {redis.breakpoint(), redis.debug(1)}", 0)]]:
            with self.subTest(requests=requests):
                replies = []
                for server in (self.redis, self.tandem):
                    connection = server.connect()
                    replies.append([worded_as_valkey(connection.command(*r)) for r in requests])
                    connection.close()
                self.assertEqual(repr(replies[0]), repr(replies[1]))

    def test_not_in_a_pipeline(self):
        replies = []
        for server in (self.redis, self.tandem):
            connection = server.connect()
            words = b"*1\r\n$4\r\nPING\r\n*3\r\n$6\r\nSCRIPT\r\n$5\r\nDEBUG\r\n$3\r\nYES\r\n"
            connection.socket.sendall(words)
            replies.append([connection.read(), connection.read()])
            connection.close()
        self.assertEqual(repr(replies[0]), repr(replies[1]))

    def test_transaction(self):
        said = []
        for server in (self.redis, self.tandem):
            connection = server.connect()
            for words in (("DEL", "after"), ("SCRIPT", "DEBUG", "YES"), ("MULTI",),
                          ("EVAL", "return 1", 0), ("SET", "after", 1)):
                connection.command(*words)
            stopped = connection.command("EXEC")
            end = connection.command("c")
            rest = connection.file.read()
            connection.close()
            other = server.connect()
            said.append([stopped, end, other.command("GET", "after")])
            other.close()
        # Of the array around it redis-server sends what happens to stand in its memory, at times.
        self.assertEqual(rest, b"*2\r\n:1\r\n")
        self.assertEqual(repr(worded_as_valkey(said[0])), repr(said[1]))

    def test_endless_loop(self):
        said = []
        for server in (self.redis, self.tandem):
            admin = server.connect()
            admin.command("CONFIG", "SET", "busy-reply-threshold", 50)
            session = Session(server, "yes", "EVAL", "local i=0\nwhile true do i=i+1 end", 0)
            stops = session.say("c")
            session.say("t")
            session.say("a")
            admin.command("CONFIG", "SET", "busy-reply-threshold", 5000)
            admin.close()
            said.append([stops] + session.said)
        self.assertEqual(repr(said[0]), repr(said[1]))


LIBRARY = """#!lua name=lib

local function helper(x)
  local doubled = x * 2
  server.breakpoint()
  return doubled
end

server.register_function('f', function(keys, args)
  local n = tonumber(args[1])
  server.call('SET', keys[1], n)
  server.debug('n is', n)
  local result = helper(n)
  return result
end)

server.register_function{function_name='endless', callback=function()
  while true do end
end, flags={'no-writes'}}
"""


class Tandem(unittest.TestCase):
    def setUp(self):
        self.server = peers.Server(TANDEM_SERVER, "--appendonly", "yes")
        self.admin = self.server.connect()
        self.assertEqual(self.admin.command("FUNCTION", "LOAD", LIBRARY), "lib")

    def tearDown(self):
        self.admin.close()
        self.server.stop()

    def children(self):
        pid = self.server.process.pid
        found = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid="], stdout=subprocess.PIPE,
                               check=False).stdout.split()
        return [int(child) for child in found]

    def await_no_children(self):
        peers.await_condition("the child ends", lambda: not self.children())

    def test_function(self):
        session = Session(self.server, "yes", "FCALL", "f", 1, "key", "21")
        self.assertEqual(session.said[1], ["* Stopped at 10, stop reason = step over",
                                           "-> 10    local n = tonumber(args[1])"])
        self.assertEqual(session.say("w")[0], "   1   #!lua name=lib")
        self.assertEqual(session.say("p", "KEYS"), ['<value> {"key"}'])
        self.assertEqual(session.say("p", "ARGV"), ['<value> {"21"}'])
        self.assertEqual(session.say("p"), ['<value> keys = {"key"}', '<value> args = {"21"}'])
        self.assertEqual(session.say("b", "4")[1], "  #4     local doubled = x * 2")
        session.say("s")
        self.assertEqual(session.say("s"), ["<redis> SET key 21", '<reply> "+OK"',
                                            "* Stopped at 12, stop reason = step over",
                                            "-> 12    server.debug('n is', n)"])
        self.assertEqual(session.say("c"), ['<debug> line 12: "n is", 21',
                                            "* Stopped at 4, stop reason = break point",
                                            "->#4     local doubled = x * 2"])
        self.assertEqual(session.say("t"), ["In helper:", "->#4     local doubled = x * 2",
                                            "From f:", "   13    local result = helper(n)"])
        self.assertEqual(session.say("server", "GET", "key"),
                         ["<redis> GET key", '<reply> "21"'])
        self.assertEqual(session.say("c")[0],
                         "* Stopped at 6, stop reason = server.breakpoint() called")
        session.say("c")
        self.assertEqual(session.result, 42)
        self.assertIsNone(self.admin.command("GET", "key"))
        self.await_no_children()
        self.assertEqual(self.admin.command("FCALL", "f", 1, "key", "4"), 8)

    def test_read_only_call(self):
        session = Session(self.server, "yes", "FCALL_RO", "endless", 0)
        self.assertEqual(session.said[1][0], "* Stopped at 18, stop reason = step over")
        session.say("a")
        self.assertEqual(session.result, "ERR script aborted for user request script: endless, on "
                                         "@user_function:18.")
        connection = self.server.connect()
        connection.command("SCRIPT", "DEBUG", "YES")
        self.assertEqual(connection.command("FCALL", "nosuch", 0), "ERR Function not found")
        connection.close()

    def test_forked_session_changes_nothing(self):
        self.admin.command("SET", "big", "x")
        self.admin.command("WAITAOF", 1, 0, 0)
        before = self.admin.command("INFO", "persistence")
        script = ("for i=1,100 do server.call('RPUSH','list',i) end\n"
                  "server.call('UNLINK','list','big')\nserver.call('FLUSHALL','ASYNC')\n"
                  "server.call('PUBLISH','news','x')\nreturn server.call('DBSIZE')")
        listener = self.server.connect()
        listener.command("SUBSCRIBE", "news")
        session = Session(self.server, "yes", "EVAL", script, 0)
        # Others are served meanwhile.
        self.assertEqual(self.admin.command("GET", "big"), b"x")
        session.say("c")
        self.assertEqual(session.result, 0)
        self.assertEqual(self.admin.command("DBSIZE"), 1)
        size = re.compile(rb"aof_current_size:\d+")
        after = self.admin.command("INFO", "persistence")
        self.assertEqual(size.findall(before), size.findall(after))
        self.assertEqual(self.admin.command("PUBLISH", "news", "last"), 1)
        self.assertEqual(listener.read(), [b"message", b"news", b"last"])
        listener.close()
        self.assertEqual(self.admin.command("DEBUG", "LOADAOF"), "OK")
        self.assertEqual(self.admin.command("GET", "big"), b"x")

    def test_sync_session_keeps_changes(self):
        session = Session(self.server, "sync", "FCALL", "f", 1, "key", "5")
        self.assertEqual(self.children(), [])
        session.say("b", "4")
        session.say("c")
        session.say("b", "0")
        session.say("c")
        session.say("c")
        self.assertEqual(session.result, 10)
        self.assertEqual(self.admin.command("GET", "key"), b"5")
        self.assertEqual(self.admin.command("DEBUG", "LOADAOF"), "OK")
        self.assertEqual(self.admin.command("GET", "key"), b"5")

    def test_child_ends_with_its_client(self):
        # Waiting at a stop, running at length, and in code that eval runs.
        for words in ((), ("c",), ("e", "while true do end")):
            with self.subTest(words=words):
                session = Session(self.server, "yes", "FCALL", "endless", 0)
                self.assertEqual(len(self.children()), 1)
                if words:
                    session.connection.send(*words)
                session.connection.file.close()
                session.connection.socket.close()
                self.await_no_children()

    def test_server_goes_on_when_a_sync_client_leaves(self):
        self.admin.command("CONFIG", "SET", "busy-reply-threshold", 50)
        session = Session(self.server, "sync", "FCALL", "f", 1, "key", "5")
        session.connection.file.close()
        session.connection.socket.close()
        self.assertEqual(self.admin.command("GET", "key"), b"5")
        session = Session(self.server, "sync", "FCALL", "endless", 0)
        session.connection.send("c")
        session.connection.file.close()
        session.connection.socket.close()
        self.assertEqual(self.admin.command("PING"), "PONG")

    def test_session_ends_with_the_server(self):
        session = Session(self.server, "yes", "FCALL", "endless", 0)
        (child,) = self.children()
        self.admin.send("SHUTDOWN", "NOSAVE")
        self.server.process.wait(peers.TIMEOUT)
        self.assertEqual(session.connection.file.read(), b"")
        peers.await_condition("the child is gone",
                              lambda: not os.path.exists("/proc/%d/fd/0" % child))

    def test_only_the_clients_socket_is_inherited(self):
        idle = self.server.connect()
        session = Session(self.server, "yes", "FCALL", "endless", 0)
        (child,) = self.children()
        folder = "/proc/%d/fd" % child
        sockets = [fd for fd in os.listdir(folder)
                   if int(fd) > 2 and os.readlink(os.path.join(folder, fd)).startswith("socket:")]
        self.assertEqual(len(sockets), 1)
        session.say("a")
        idle.close()

    def test_values_without_end(self):
        script = ("local t = {}\nfor i = 1, 50 do t['k' .. i] = t end\nlocal deep = {}\n"
                  "local at = deep\nfor i = 1, 100000 do at[1] = {} at = at[1] end\n"
                  "server.debug(t, deep)\nreturn 1")
        session = Session(self.server, "yes", "EVAL", script, 0)
        session.say("b", "6")
        session.say("c")
        for limit in ("100", "0"):
            session.say("maxlen", limit)
            for line in session.say("p") + session.say("p", "t") + session.say("p", "deep"):
                self.assertLess(len(line), 2 << 20)
        self.assertLess(len(session.say("s")[0]), 3 << 20)
        self.assertEqual(session.say("e", "error(setmetatable({}, {}))"), ["<error> unknown error"])
        self.assertEqual(session.say("e", "\x1bLua"), ["<error> precompiled code is not accepted"])
        session.say("c")
        self.assertEqual(session.result, 1)

    def test_output_between_stops_is_bounded(self):
        script = "local s = string.rep('x', 1000000)\nfor i = 1, 200 do server.debug(s) end\nreturn 1"
        session = Session(self.server, "yes", "EVAL", script, 0)
        lines = session.say("c")
        self.assertLess(sum(len(line) for line in lines), 20 << 20)
        self.assertEqual(session.result, 1)

    def test_abort_cannot_be_caught(self):
        session = Session(self.server, "yes", "EVAL",
                          "while true do pcall(function() while true do end end) end", 0)
        session.say("a")
        self.assertEqual(type(session.result), peers.ErrorReply)

    def test_coroutines(self):
        script = ("local c = coroutine.wrap(function()\n  local inside = 7\n"
                  "  coroutine.yield(inside)\nend)\nlocal x = c()\nreturn x")
        session = Session(self.server, "yes", "EVAL", script, 0)
        session.say("b", "3")
        self.assertEqual(session.say("c")[0], "* Stopped at 3, stop reason = break point")
        self.assertEqual(session.say("p"), ["<value> inside = 7"])
        session.say("c")
        self.assertEqual(session.result, 7)


class Consoles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = peers.TcpServer(TANDEM_SERVER)
        cls.script = os.path.join(cls.server.directory, "script.lua")
        with open(cls.script, "w") as script:
            script.write("server.call('SET', KEYS[1], ARGV[1])\nreturn {KEYS[1], ARGV[1]}\n")
        admin = cls.server.connect()
        admin.command("FUNCTION", "LOAD", LIBRARY)
        admin.close()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def run_console(self, program, *words, said=""):
        done = subprocess.run([program, "-p", str(self.server.port), *words], input=said.encode(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=peers.TIMEOUT, check=False)
        text = re.sub("\x1b\\[[0-9;]*m", "", done.stdout.decode())
        return done.returncode, text, done.stderr.decode()

    def get(self, key):
        admin = self.server.connect()
        value = admin.command("GET", key)
        admin.close()
        return value

    def test_scripts(self):
        for program in ("redis-cli", TANDEM_CLI):
            with self.subTest(program=program):
                said = "s\np nosuch\nhelp\nrestart\nc\n"
                code, text, errors = self.run_console(program, "--ldb", "--eval", self.script, "k1",
                                                      ",", "v1", said=said)
                self.assertEqual((code, errors), (0, ""))
                self.assertIn("-> 1   server.call('SET', KEYS[1], ARGV[1])\n", text)
                self.assertIn('<redis> SET k1 v1\n<reply> "+OK"\n* Stopped at 2', text)
                self.assertIn("No such variable.\n", text)
                self.assertIn("Lua debugger help:\n", text)
                self.assertEqual(text.count("* Stopped at 1"), 2)
                self.assertIn('1) "k1"\n2) "v1"\n\n(Lua debugging session ended -- dataset changes '
                              "rolled back)\n", text)
                self.assertIsNone(self.get("k1"))
                code, text, errors = self.run_console(program, "--ldb-sync-mode", "--eval",
                                                      self.script, "k2", ",", "v2", said="c\n")
                self.assertEqual((code, errors), (0, ""))
                self.assertIn('2) "v2"\n\n(Lua debugging session ended)\n', text)
                self.assertEqual(self.get("k2"), b"v2")
                admin = self.server.connect()
                admin.command("DEL", "k2")
                admin.close()

    def test_without_the_debugger(self):
        for program in ("redis-cli", TANDEM_CLI):
            self.assertEqual(self.run_console(program, "--eval", self.script, "k3", ",", "v3"),
                             (0, "k3\nv3\n", ""))
            self.assertEqual(self.run_console(program, "--eval", "/nowhere"),
                             (1, "", "Can't open file '/nowhere': No such file or directory\n"))
        self.assertEqual(self.run_console(TANDEM_CLI, "--fcall", "f", "k4", ",", "4"),
                         (0, "8\n", ""))
        self.assertEqual(self.run_console(TANDEM_CLI, "--ldb")[0], 1)

    def test_functions(self):
        said = "p keys\nb 4\nc\np x\ne 'a' .. 'b'\nc\nc\nl\nrestart\nquit\n"
        code, text, errors = self.run_console(TANDEM_CLI, "--ldb", "--fcall", "f", "k5", ",", "21",
                                              said=said)
        self.assertEqual((code, errors), (0, ""))
        self.assertIn('<value> {"k5"}\n', text)
        self.assertIn("* Stopped at 4, stop reason = break point\n", text)
        self.assertIn("<value> 21\n", text)
        self.assertIn('<retval> "ab"\n', text)
        self.assertIn("(integer) 42\n", text)
        self.assertIn("There is no session: restart or quit.\n", text)
        self.assertEqual(text.count("* Stopped at 10"), 2)
        self.assertIsNone(self.get("k5"))

    def test_function_that_is_not_there(self):
        code, text, _ = self.run_console(TANDEM_CLI, "--ldb", "--fcall", "nosuch")
        self.assertEqual(code, 1)
        self.assertIn("The debugging session can't start:\n(error) ERR Function not found\n", text)


if __name__ == "__main__":
    TANDEM_SERVER, TANDEM_CLI = sys.argv[1:3]
    del sys.argv[1:3]
    unittest.main(warnings="ignore")
