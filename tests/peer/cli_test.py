#!/usr/bin/env python3
"""tandem-cli beside redis-cli: what both print for the same input must agree byte for byte.

Usage: cli_test.py PATH_TO_TANDEM_CLI [unittest arguments]
The server is Debian's redis-server on a free port, or a scripted peer in this process.
"""

import fcntl
import os
import pty
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

import peers

TANDEM_CLI = None
REDIS_CLI = "redis-cli"
TIMEOUT = peers.TIMEOUT
MODES = [[], ["--no-raw"], ["--raw"], ["-3"], ["-3", "--no-raw"], ["--json"], ["--json", "-2"],
         ["--quoted-json"], ["--csv"], ["-2", "--no-raw"]]


def environment(**more):
    env = {k: v for k, v in os.environ.items()
           if not re.match("(TANDEM|VALKEY|REDIS)CLI_", k) and k != "FAKETTY"}
    env.update(TERM="xterm", **more)
    return env


def run(program, arguments, stdin=b"", **env):
    done = subprocess.run([program] + arguments, input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=TIMEOUT, env=environment(**env))
    return done.returncode, done.stdout, done.stderr


class RedisServer:
    def __init__(self, directory, *arguments):
        self.port = peers.free_port()
        self.socket_path = os.path.join(directory, "redis-%d.sock" % self.port)
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--dir", directory, "--save", "",
             "--bind", "127.0.0.1", "--unixsocket", self.socket_path, "--enable-debug-command",
             "yes", "--repl-diskless-sync-delay", "0", *arguments],
            stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            try:
                if b"PONG" in self.command("PING") or b"NOAUTH" in self.command("PING"):
                    return
            except OSError:
                time.sleep(0.01)
        raise RuntimeError("redis-server did not start")

    def command(self, *words):
        """The first bytes of the reply to one command."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT) as link:
            link.sendall(b"*%d\r\n" % len(words) + b"".join(
                b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in words))
            return link.recv(65536)

    def stop(self):
        self.process.terminate()
        self.process.wait(TIMEOUT)


class ScriptedServer:
    """Answers every command but HELLO, AUTH and SELECT with the same bytes; `greet` first sees the
    connection and the words and may take over by returning True."""

    def __init__(self, answer=b"+OK\r\n", greet=None):
        self.answer = answer
        self.greet = greet
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.acceptor = threading.Thread(target=self.accept, daemon=True)
        self.acceptor.start()

    def accept(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(link,), daemon=True).start()

    def serve(self, link):
        stream = link.makefile("rb")
        try:
            while True:
                header = stream.readline()
                if not header:
                    break
                words = []
                for _ in range(int(header[1:])):
                    words.append(stream.read(int(stream.readline()[1:]) + 2)[:-2])
                if self.greet and self.greet(link, words):
                    break
                hello = words[0].upper() in (b"HELLO", b"AUTH", b"SELECT")
                link.sendall(b"+OK\r\n" if hello else self.answer)
        except OSError:
            pass
        finally:
            stream.close()
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            link.close()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self.acceptor.join(TIMEOUT)
        self.listener.close()


class Terminal:
    """A program on a pseudo-terminal."""

    def __init__(self, argv, **env):
        self.output = b""
        self.status = None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], argv, environment(**env))
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))

    def pump(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.output += data
        return bool(data)

    def kill(self):
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass

    def text(self):
        out = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|[\r\a]", b"", self.output)
        while b"\b" in out:
            out = re.sub(rb"[^\b]?\b", b"", out, 1)
        return out.decode("utf-8", "replace")

    def expect(self, pattern):
        """Waits for the pattern in what was printed since the last match."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            match = re.search(pattern, self.text())
            if match:
                self.output = b""
                return match
            if time.monotonic() > deadline or not self.pump(0.1):
                raise AssertionError("no %r in %r" % (pattern, self.text()))

    def send(self, text):
        os.write(self.fd, text.encode())

    def exit_code(self):
        while self.pump(0.1):
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                break
        else:
            _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


class CliCase(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="tandem-cli-")
        cls.server = RedisServer(cls.directory)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        shutil.rmtree(cls.directory)

    def agree(self, arguments, stdin=b"", port=None, **env):
        """Runs both and compares exit code, output and errors; returns them."""
        full = ["-p", str(port or self.server.port)] + arguments
        expected = run(REDIS_CLI, full, stdin, **env)
        found = run(TANDEM_CLI, full, stdin, **env)
        self.assertEqual(found, expected, "arguments %r, input %r" % (full, stdin))
        return found

    def run_ours(self, arguments, stdin=b"", port=None, **env):
        return run(TANDEM_CLI, ["-p", str(port or self.server.port)] + arguments, stdin, **env)


FILL = [
    ["FLUSHALL"],
    ["SET", "a", "1"],
    ["SET", "binary", "\x01'\\\n\r\t\a\b\x7f\xe4"],
    ["HSET", "h", "f1", "v1", "f2", "v2", "f3", "v3"],
    ["RPUSH", "l", *"abcdefghijkl"],
    ["SADD", "s", "1"],
    ["SET", "quote", "say \"x\""],
    ["ZADD", "z", "1.5", "m", "inf", "n"],
    ["XADD", "x", "1-1", "f", "v"],
    ["FUNCTION", "LOAD", "REPLACE",
     "#!lua name=lib\nredis.register_function('f', function() return 'hi' end)\n"
     "redis.register_function{function_name='g', callback=function() return 1 end, "
     "flags={'no-writes'}}"],
]

COMMANDS = [
    ["PING"], ["PING", "a b"], ["GET", "a"], ["GET", "none"], ["GET", "binary"], ["GET"],
    ["NOSUCH", "x"], ["HGETALL", "h"], ["HGETALL", "none"], ["LRANGE", "l", "0", "-1"],
    ["LRANGE", "none", "0", "-1"], ["SMEMBERS", "s"], ["SMEMBERS", "none"], ["INCR", "a"],
    ["ZRANGE", "z", "0", "-1", "WITHSCORES"], ["ZSCORE", "z", "m"], ["XRANGE", "x", "-", "+"],
    ["XINFO", "STREAM", "x", "FULL"], ["CONFIG", "GET", "maxmemory*"], ["FUNCTION", "LIST"],
    ["FUNCTION", "LIST", "WITHCODE"], ["FCALL", "f", "0"], ["FUNCTION", "STATS"],
    ["COMMAND", "INFO", "get", "fcall", "nosuch"], ["COMMAND", "DOCS", "set", "config|get"],
    ["EVAL", "return {1, {2, {3, 'x'}, {}}, false, {err='E'}, {ok='fine'}}", "0"],
    ["EVAL", "redis.setresp(3) return redis.call('HGETALL', 'h')", "0"],
    ["CLIENT", "GETNAME"], ["CLIENT", "TRACKINGINFO"], ["OBJECT", "ENCODING", "a"], ["TYPE", "a"],
    ["ROLE"], ["LATENCY", "DOCTOR"], ["INFO", "nosuch"], ["INFO", "keyspace"],
    ["MEMORY", "DOCTOR"], ["DEBUG", "SLEEP", "0"], ["ACL", "CAT"], ["ACL", "GETUSER", "default"],
    ["CLUSTER", "INFO"], ["CLUSTER", "SLOTS"], ["LCS", "a", "a", "IDX"], ["SELECT", "99"],
    ["EXEC"], ["MULTI"], ["OBJECT", "HELP"], ["AUTH", "x"], ["HELLO", "9"], ["RESET"],
    ["SUBSCRIBE"], ["", ""], ["SET", "k", ""], ["GET", "k"],
] + [["DEBUG", "PROTOCOL", t] for t in
     ("string", "integer", "double", "null", "array", "set", "map", "verbatim", "true", "false",
      "push")]


class OneCommandTest(CliCase):
    def setUp(self):
        for words in FILL:
            self.server.command(*words)

    def test_every_command_in_every_mode(self):
        for mode in MODES:
            for command in COMMANDS:
                if command[0] == "INCR":
                    self.server.command("SET", "a", "1")
                    expected = run(REDIS_CLI, ["-p", str(self.server.port)] + mode + command)
                    self.server.command("SET", "a", "1")
                    self.assertEqual(self.run_ours(mode + command), expected)
                    continue
                with self.subTest(mode=mode, command=command):
                    self.agree(mode + command)

    def test_options(self):
        for arguments in (
                ["-n", "3", "CLIENT", "LIST", "ID", "1"], ["-n", "99", "PING"],
                ["-n", "x", "PING"], ["-a", "bad", "PING"],
                ["--pass", "bad", "--user", "who", "--no-auth-warning", "PING"],
                ["--no-auth-warning", "-a", "bad", "PING"], ["-e", "NOSUCH"], ["-e", "GET", "a"],
                ["-r", "3", "GET", "a"], ["-r", "2", "-i", "0.01", "--no-raw", "PING"],
                ["-r", "0", "PING"], ["--nosuch", "PING"], ["-p"], ["-a"],
                ["-d", ",", "-D", ";", "--raw", "LRANGE", "l", "0", "2"],
                ["--quoted-input", "ECHO", '"a\\x00b"'],
                ["-u", "redis://127.0.0.1:%d/2" % self.server.port, "GET", "a"],
                ["-u", "redis://u%%3a:p%%40@127.0.0.1:%d" % self.server.port, "GET", "a"],
                ["-s", self.server.socket_path, "GET", "a"],
                ["-s", "/nonexistent/socket", "GET", "a"],
                ["-h", "nosuch.invalid", "GET", "a"], ["-h", "localhost", "GET", "a"],
                ["GET", "a", "-n", "1"], ["GET", "--raw"]):
            with self.subTest(arguments=arguments):
                self.agree(arguments)
        self.agree(["PING"], port=1)
        self.agree(["PING"], REDISCLI_AUTH="bad")
        self.assertEqual(self.run_ours(["--quoted-input", "ECHO", "'a'b"]),
                         (1, b"", b"Invalid quoted string\n"))
        self.agree(["GET", "a"], FAKETTY="1")

    def test_standard_input(self):
        text = b"line 1\nline 2\n\x00\xff"
        self.agree(["-x", "SET", "fed"], text)
        self.assertEqual(self.agree(["GET", "fed"])[1], text + b"\n")
        self.agree(["-X", "tag", "SET", "tag", "fed"], b"fed2")
        self.agree(["GET", "fed2"])
        self.agree(["-x", "FUNCTION", "LOAD", "REPLACE"],
                   b"#!lua name=lib\nredis.register_function('f', function() return 7 end)")
        self.agree(["--no-raw", "FCALL", "f", "0"])

    def test_version_and_help(self):
        code, out, _ = run(TANDEM_CLI, ["--version"])
        self.assertEqual((code, out[:11]), (0, b"tandem-cli "))
        code, out, _ = run(TANDEM_CLI, ["--help"])
        self.assertEqual(code, 0)
        self.assertIn(b"--functions-rdb", out)

    def test_shutdown(self):
        for program in (REDIS_CLI, TANDEM_CLI):
            server = RedisServer(self.directory)
            self.assertEqual(run(program, ["-p", str(server.port), "SHUTDOWN", "NOSAVE"]),
                             (0, b"", b""))
            server.process.wait(TIMEOUT)

    def test_password(self):
        server = RedisServer(self.directory, "--requirepass", "secret")
        try:
            for arguments in (["PING"], ["-a", "secret", "PING"],
                              ["--user", "default", "-a", "secret", "--no-auth-warning", "PING"],
                              ["-u", "redis://default:secret@127.0.0.1:%d" % server.port, "PING"],
                              ["-3", "PING"], ["--json", "PING"]):
                self.agree(arguments, port=server.port)
            self.assertEqual(self.agree(["PING"], port=server.port, REDISCLI_AUTH="secret")[1],
                             b"PONG\n")
            self.assertEqual(self.run_ours(["PING"], port=server.port, VALKEYCLI_AUTH="secret")[1],
                             b"PONG\n")
        finally:
            server.stop()


class PipeTest(CliCase):
    SCRIPTS = [
        b"SET a 1\nGET a\n\n  \nGET none\nNOSUCH x\nQUIT\nGET a\n",
        b"set a \"x\\x41\\n'\"\nget a\nget \"a\nget 'a'\necho \"a\"b\n",
        b"3 ECHO hi\n0 PING\n-1 PING\n7\nGET a\nexit\nGET a\n",
        b"SELECT 3\nSET b 1\nMULTI\nGET b\nSELECT 4\nEXEC\nGET b\nMULTI\nDISCARD\nSELECT 99\nRESET\n",
        b"HELLO 3\nHGETALL h\nRESET\nHGETALL h\nHELLO 2\nHGETALL h\n",
        b"CONFIG GET maxmemory*\nINFO keyspace\nGET a",
        b"CLIENT KILL TYPE normal SKIPME no\nPING\nPING\n",
        b"DEBUG SLEEP 0\n\"\"\nPING\n",
        b"HELLO 3\nCLIENT TRACKING ON\nGET a\nSET a 2\nDEBUG PROTOCOL push\nPING\n",
    ]

    def test_scripts(self):
        for script in self.SCRIPTS:
            for mode in MODES:
                with self.subTest(script=script, mode=mode):
                    self.assertEqual(self.outcome(TANDEM_CLI, mode, script),
                                     self.outcome(REDIS_CLI, mode, script))

    def outcome(self, program, mode, script):
        for words in FILL:
            self.server.command(*words)
        code, out, err = run(program, ["-p", str(self.server.port)] + mode, script)
        out = re.sub(rb'(\bid\b"?(?:\n 8\) \(integer\)|\D)*)\d+', rb"\1N", out)
        if script.startswith(b"CLIENT KILL"):
            # The server may still count connections that setting it up has just closed.
            out = re.sub(rb"^(\D*)\d+\n", rb"\1N\n", out)
            err = re.sub(rb"Connection reset by peer|Broken pipe",
                         b"Server closed the connection", err)
        out = out.replace(b"redis-cli repeat", b"tandem-cli repeat")
        return code, out, err

    def test_no_server(self):
        self.agree([], b"PING\nPING\n", port=1)
        self.agree([], b"", port=1)

    def test_slow_command_is_timed(self):
        code, out, _ = self.run_ours(["--no-raw"], b"DEBUG SLEEP 0.6\n")
        self.assertEqual(code, 0)
        self.assertRegex(out, rb"^OK\n\(\d+\.\d\ds\)\n$")
        self.assertGreaterEqual(float(out[out.index(b"(") + 1:out.index(b"s)")]), 0.6)

    def test_streams_of_messages(self):
        for mode in ([], ["--no-raw"], ["-3", "--no-raw"], ["-3"], ["--json"], ["--csv"]):
            for command in (["SUBSCRIBE", "ch", "other"], ["PSUBSCRIBE", "c*"], ["MONITOR"]):
                with self.subTest(mode=mode, command=command):
                    ours, theirs = (self.follow(program, mode + command)
                                    for program in (TANDEM_CLI, REDIS_CLI))
                    self.assertEqual(ours, theirs)

    def follow(self, program, arguments):
        """What a reading command prints until a last message arrives."""
        process = subprocess.Popen([program, "-p", str(self.server.port)] + arguments,
                                   stdout=subprocess.PIPE, env=environment())
        out = b""
        try:
            deadline = time.monotonic() + TIMEOUT
            while b"the end" not in out and time.monotonic() < deadline:
                self.server.command("PUBLISH", "ch", "the end")
                if select.select([process.stdout], [], [], 0.05)[0]:
                    out += os.read(process.stdout.fileno(), 65536)
        finally:
            process.terminate()
            process.wait(TIMEOUT)
            process.stdout.close()
        self.assertIn(b"the end", out)
        # Messages before the first and after the last whole one depend on timing.
        out = re.sub(rb"[\d.]+ \[0 127.0.0.1:\d+\]", b"TIME", out)
        return out[:out.index(b"the end")]


def random_reply(source, depth, resp3):
    """RESP bytes of a random tree. A map's keys are scalars: as JSON, redis-cli prints others as no
    JSON reader could read them."""
    kinds = ["bulk", "simple", "error", "integer", "null", "array", "array"]
    if resp3:
        kinds += ["double", "bool", "verbatim", "map", "map", "set"]
    kind = source.choice(kinds)
    if depth == 0 and kind in ("array", "map", "set"):
        kind = "bulk"
    text = bytes(source.choice(b"ab \"\\\n\r\t\x00\x7f\xc3\xa4'") for _ in range(source.randrange(6)))
    if kind == "bulk":
        return b"$%d\r\n%s\r\n" % (len(text), text)
    if kind == "simple":
        return b"+st\"at\\us\r\n"
    if kind == "error":
        return b"-ERR \"no\" such\r\n"
    if kind == "integer":
        return b":%d\r\n" % source.randrange(-2**63, 2**63)
    if kind == "null":
        return b"_\r\n" if resp3 else source.choice([b"$-1\r\n", b"*-1\r\n"])
    if kind == "double":
        return source.choice([b",3.25\r\n", b",inf\r\n", b",-inf\r\n", b",1e+20\r\n"])
    if kind == "bool":
        return source.choice([b"#t\r\n", b"#f\r\n"])
    if kind == "verbatim":
        return b"=%d\r\ntxt:%s\r\n" % (len(text) + 4, text)
    count = source.choice([0, 1, 2, 3, 11])
    if kind == "map":
        return b"%%%d\r\n" % count + b"".join(
            random_reply(source, depth - 1 if i % 2 else 0, True)
            for i in range(2 * count))
    return (b"*" if kind == "array" else b"~") + b"%d\r\n" % count + b"".join(
        random_reply(source, depth - 1, resp3) for _ in range(count))


class RandomRepliesTest(CliCase):
    def test_trees(self):
        seed = int(os.environ.get("TANDEM_TEST_SEED", random.randrange(2**32)))
        source = random.Random(seed)
        for round_number in range(40):
            resp3 = source.random() < 0.7
            answer = random_reply(source, 3, resp3)
            server = ScriptedServer(answer)
            # In quoted JSON redis-cli leaves a quote without the backslash that JSON asks for.
            modes = ["--no-raw", "--raw", "--json", "--csv"]
            if b'"' not in answer:
                modes.append("--quoted-json")
            try:
                for mode in modes:
                    with self.subTest(seed=seed, round=round_number, mode=mode, answer=answer):
                        self.agree([mode, "-3" if resp3 else "-2", "GET", "x"], port=server.port)
            finally:
                server.stop()

    def test_pushes(self):
        invalidation = b">2\r\n$10\r\ninvalidate\r\n*2\r\n$2\r\na'\r\n$2\r\n\n\"\r\n"
        flush = b">2\r\n$10\r\ninvalidate\r\n_\r\n"
        other = b">2\r\n+message\r\n%1\r\n+a\r\n:1\r\n"
        server = ScriptedServer(invalidation + flush + other + b"+OK\r\n")
        try:
            for mode in ("--no-raw", "--raw", "--json", "--csv"):
                for show in ([], ["--show-pushes", "yes"], ["--show-pushes", "no"]):
                    self.agree([mode, "-3", *show, "GET", "x"], port=server.port)
        finally:
            server.stop()

    def test_broken_servers(self):
        for answer in (b"?\r\n", b"$5\r\nab", b"$-2\r\n", b":x\r\n", b""):
            def cut(link, words, answer=answer):
                link.sendall(answer)
                return True
            server = ScriptedServer(greet=cut)
            try:
                code, out, err = self.run_ours(["GET", "x"], port=server.port)
                self.assertEqual((code, out), (1, b""))
                self.assertTrue(err.startswith(b"Error: "), err)
            finally:
                server.stop()


class TerminalTest(CliCase):
    def setUp(self):
        self.server.command("FLUSHALL")
        self.home = tempfile.mkdtemp(dir=self.directory)
        self.address = "127.0.0.1:%d" % self.server.port

    def open(self, *arguments, program=None, **env):
        terminal = Terminal([program or TANDEM_CLI, "-p", str(self.server.port), *arguments],
                            HOME=self.home, **env)
        self.addCleanup(terminal.kill)
        return terminal

    def history(self, name=".tandemcli_history"):
        with open(os.path.join(self.home, name), encoding="utf-8") as file:
            return file.read().splitlines()

    def test_dialogue(self):
        terminal = self.open()
        steps = [
            ("SET a 1", r"\nOK\n%s> $" % self.address),
            ("GET a", r'\n"1"\n%s> $' % self.address),
            ("SELECT 3", r"\nOK\n%s\[3\]> $" % self.address),
            ("MULTI", r"\nOK\n%s\[3\]\(TX\)> $" % self.address),
            ("SELECT 5", r"\nQUEUED\n%s\[5\]\(TX\)> $" % self.address),
            ("DISCARD", r"\nOK\n%s\[3\]> $" % self.address),
            ("RESET", r"\nRESET\n%s> $" % self.address),
            ("2 PING", r"\nPONG\nPONG\n%s> $" % self.address),
            ("GET \"", r"\nInvalid argument\(s\)\n%s> $" % self.address),
            ("HELP GET", r"summary: Get the value of a key"),
            ("HELLO 3", r'3# "proto" => \(integer\) 3'),
            ("connect 127.0.0.1 1", r"Could not connect .*: Connection refused\nnot connected> $"),
            ("PING", r"Could not connect .*: Connection refused\nnot connected> $"),
            ("connect 127.0.0.1 %d" % self.server.port, r"\n%s> $" % self.address),
            ("CLIENT KILL TYPE normal SKIPME no", r"\(integer\) 1\n%s> $" % self.address),
            # Which of the two depends on whether the answer to PING, a reset, comes before it is read.
            ("PING", r"Error: (Server closed the connection|Connection reset by peer)\nnot connected> $"),
            ("PING", r"\nPONG\n%s> $" % self.address),
        ]
        terminal.expect("%s> $" % self.address)
        for line, answer in steps:
            terminal.send(line + "\r")
            terminal.expect(answer)
        terminal.send("quit\r")
        self.assertEqual(terminal.exit_code(), 0)

    def test_reconnection_keeps_the_database_and_the_account(self):
        self.server.command("ACL", "SETUSER", "ann", "on", ">pw", "+@all", "~*")
        terminal = self.open()
        terminal.expect("> $")
        terminal.send("AUTH ann pw\r")
        terminal.expect("OK")
        terminal.send("SELECT 2\r")
        terminal.expect(r"\[2\]> $")
        terminal.send("CLIENT KILL TYPE normal SKIPME no\r")
        terminal.expect("integer")
        terminal.send("PING\r")
        terminal.expect("not connected> $")
        terminal.send("ACL WHOAMI\r")
        terminal.expect(r'"ann"\n%s\[2\]> $' % self.address)
        terminal.send("\x04")
        self.assertEqual(terminal.exit_code(), 0)

    def test_same_dialogue_as_redis_cli(self):
        lines = ["SET a 1", "LRANGE none 0 -1", "MULTI", "GET a", "EXEC", "SELECT 2", "NOSUCH",
                 "SUBSCRIBE ch", "\x03", "GET a", "MONITOR", "\x03", "CLIENT LIST ID 0", "INFO x"]
        transcripts = []
        for program in (TANDEM_CLI, REDIS_CLI):
            self.server.command("FLUSHALL")
            terminal = self.open(program=program, REDISCLI_HISTFILE="/dev/null")
            terminal.expect("> $")
            replies = []
            for line in lines:
                terminal.send(line if line == "\x03" else line + "\r")
                end = {"SUBSCRIBE ch": r"\n3\) \(integer\) 1\n$", "MONITOR": r"\nOK\n$",
                       "\x03": r"127[^\n]*> $"}
                match = terminal.expect("(?s).*" + end.get(line, r"\n127[^\n]*> $"))
                # The line as it was typed is drawn differently by the two editors.
                # The terminal shows ^C unless the interrupt has flushed that, too.
                reply = match.group(0).split("\n", 1)[-1]
                replies.append(reply.removeprefix("^C"))
            terminal.send("quit\r")
            self.assertEqual(terminal.exit_code(), 0)
            transcripts.append(replies)
        self.assertEqual(transcripts[0], transcripts[1])

    def test_history_outlives_the_session_but_no_password_does(self):
        terminal = self.open()
        terminal.expect("> $")
        for line in ("PING", "PING", "AUTH hunter2", "CONFIG SET requirepass \"\"", "ECHO  x"):
            terminal.send(line + "\r")
            terminal.expect(r"\n%s> $" % self.address)
        terminal.send("quit\r")
        self.assertEqual(terminal.exit_code(), 0)
        self.assertEqual(self.history(), ["PING", "ECHO  x", "quit"])
        mode = os.stat(os.path.join(self.home, ".tandemcli_history")).st_mode & 0o777
        self.assertEqual(mode, 0o600)
        terminal = self.open()
        terminal.expect("> $")
        terminal.send("\x1b[A\x1b[A\r")
        terminal.expect(r'"x"\n%s> $' % self.address)
        terminal.send("quit\r")
        self.assertEqual(terminal.exit_code(), 0)

    def test_a_long_history_is_cut(self):
        path = os.path.join(self.home, ".tandemcli_history")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines("ECHO %d\n" % i for i in range(2500))
        terminal = self.open()
        terminal.expect("> $")
        terminal.send("\x1b[A\r")
        terminal.expect(r'"2499"\n%s> $' % self.address)
        terminal.send("quit\r")
        self.assertEqual(terminal.exit_code(), 0)
        self.assertEqual(self.history(), ["ECHO %d" % i for i in range(1500, 2500)] + ["quit"])

    def test_history_file_is_chosen_by_the_environment(self):
        for name in ("TANDEMCLI_HISTFILE", "REDISCLI_HISTFILE"):
            path = os.path.join(self.home, name)
            terminal = self.open(**{name: path})
            terminal.expect("> $")
            terminal.send("quit\r")
            self.assertEqual(terminal.exit_code(), 0)
            self.assertEqual(self.history(name), ["quit"])
        terminal = self.open(TANDEMCLI_HISTFILE="/dev/null")
        terminal.expect("> $")
        terminal.send("quit\r")
        self.assertEqual(terminal.exit_code(), 0)
        self.assertFalse(os.path.exists(os.path.join(self.home, ".tandemcli_history")))

    def test_completion(self):
        terminal = self.open()
        terminal.expect("> $")
        terminal.send("MULTI\r")
        terminal.expect(r"\(TX\)> $")
        terminal.send("functi\t")
        terminal.expect(r"function")
        terminal.send(" sta\t\r")
        terminal.expect(r"QUEUED")
        terminal.send("EXEC\r")
        terminal.expect(r'"running_script"')
        terminal.send("\x03")
        self.assertEqual(terminal.exit_code(), 0)

    def test_interrupt_ends_a_blocked_command(self):
        terminal = self.open()
        terminal.expect("> $")
        terminal.send("BLPOP none 0\r")
        deadline = time.monotonic() + TIMEOUT
        while b"blocked_clients:1" not in self.server.command("INFO", "clients"):
            self.assertLess(time.monotonic(), deadline)
        terminal.send("\x03")
        self.assertEqual(terminal.exit_code(), 1)


class SnapshotTest(CliCase):
    def setUp(self):
        for words in FILL:
            self.server.command(*words)
        self.target = os.path.join(tempfile.mkdtemp(dir=self.directory), "out.rdb")

    def left_over(self):
        return os.listdir(os.path.dirname(self.target))

    def load(self, path):
        """A fresh server that has loaded the file."""
        directory = tempfile.mkdtemp(dir=self.directory)
        shutil.copy(path, os.path.join(directory, "dump.rdb"))
        return RedisServer(directory)

    def test_functions_only(self):
        code, out, err = self.run_ours(["--functions-rdb", self.target])
        self.assertEqual((code, out), (0, b""))
        self.assertRegex(err.decode(), "(?s)^sending REPLCONF capa eof\nsending REPLCONF rdb-only 1\n"
                         "sending REPLCONF rdb-filter-only functions\nSYNC sent to master, writing "
                         "bytes of bulk transfer until EOF marker to '.*'\n"
                         "Transfer finished with success after \\d+ bytes\n$")
        self.assertEqual(self.left_over(), ["out.rdb"])
        server = self.load(self.target)
        try:
            self.assertIn(b"lib", server.command("FUNCTION", "LIST"))
            self.assertEqual(server.command("DBSIZE"), b":0\r\n")
            self.assertEqual(server.command("FCALL", "f", "0"), b"$2\r\nhi\r\n")
        finally:
            server.stop()

    def test_whole_snapshot_replaces_an_old_file(self):
        for delivery in ("yes", "no"):
            self.server.command("CONFIG", "SET", "repl-diskless-sync", delivery)
            with open(self.target, "wb") as old:
                old.write(b"old")
            code, _, err = self.run_ours(["--rdb", self.target])
            self.assertEqual(code, 0, err)
            server = self.load(self.target)
            try:
                self.assertEqual(server.command("DEBUG", "DIGEST"),
                                 self.server.command("DEBUG", "DIGEST"))
            finally:
                server.stop()

    def test_standard_output(self):
        code, out, _ = self.run_ours(["--functions-rdb", "-"])
        self.assertEqual(code, 0)
        self.assertEqual(out[:5], b"REDIS")
        self.assertIn(b"name=lib", out)

    def test_symbolic_link_is_followed_and_device_written_to(self):
        real = self.target + ".real"
        open(real, "wb").close()
        os.symlink(real, self.target)
        self.assertEqual(self.run_ours(["--rdb", self.target])[0], 0)
        self.assertTrue(os.path.islink(self.target))
        self.assertGreater(os.path.getsize(real), 100)
        self.assertEqual(self.run_ours(["--rdb", "/dev/null"])[0], 0)
        self.assertFalse(os.path.isfile("/dev/null"))

    def test_unwritable_target(self):
        for arguments in (["--rdb", "/nonexistent/x"], ["--functions-rdb", "/nonexistent/x"]):
            self.agree(arguments)
        self.agree(["--rdb", self.target], port=1)

    def scripted(self, chunks, linger=None):
        """A primary that answers SYNC with the chunks, then hangs up (or waits for `linger`)."""
        def greet(link, words):
            if words[0] != b"SYNC":
                return False
            for chunk in chunks:
                link.sendall(chunk)
            if linger:
                linger.wait(TIMEOUT)
            return True
        return ScriptedServer(greet=greet)

    def fetch_scripted(self, chunks):
        server = self.scripted(chunks)
        try:
            return self.run_ours(["--rdb", self.target], port=server.port)
        finally:
            server.stop()

    def snapshot(self):
        return self.run_ours(["--rdb", "-"])[1]

    def test_framings(self):
        snapshot = self.snapshot()
        marker = b"0123456789abcdef0123456789abcdef01234567"
        whole = b"$EOF:" + marker + b"\r\n" + snapshot + marker
        by_length = b"$%d\r\n" % len(snapshot) + snapshot
        for chunks in ([whole], [b"\n", b"\n", whole], [by_length], [by_length + b"*1\r\n"],
                       [whole + b"*1\r\n$4\r\nPING\r\n"], [bytes([b]) for b in whole],
                       [bytes([b]) for b in b"\n" + by_length]):
            code, _, err = self.fetch_scripted(chunks)
            self.assertEqual(code, 0, err)
            with open(self.target, "rb") as file:
                self.assertEqual(file.read(), snapshot)
            os.unlink(self.target)

    def test_bad_transfers_leave_nothing(self):
        snapshot = self.snapshot()
        marker = b"0123456789abcdef0123456789abcdef01234567"
        size = len(snapshot)
        damaged = bytearray(snapshot)
        damaged[size // 2] ^= 1
        for chunks in ([], [b"$%d\r\n" % size + snapshot[:-1]],
                       [b"$EOF:" + marker + b"\r\n" + snapshot + marker[:-1]],
                       [b"$EOF:" + marker[:-1] + b"\r\n" + snapshot + marker],
                       [b"$%d\r\n" % size + bytes(damaged)],
                       [b"$%d\r\n" % (size - 1) + snapshot[:-1]],
                       [b"$0\r\n"], [b"$5\r\nhello"], [b"$9\r\nREDIS0011"], [b"$-1\r\n"],
                       [b"$99999999999999999999\r\n"], [b"-ERR no\r\n"], [b"+OK\r\n"],
                       [b"x" * 5000]):
            with self.subTest(chunks=chunks):
                code, _, err = self.fetch_scripted(chunks)
                self.assertEqual(code, 1)
                self.assertIn(b"fail", err.lower())
                self.assertEqual(self.left_over(), [])
        with open(self.target, "wb") as old:
            old.write(b"old")
        self.fetch_scripted([b"$%d\r\n" % size + bytes(damaged)])
        with open(self.target, "rb") as file:
            self.assertEqual(file.read(), b"old")

    def test_signals_leave_nothing(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            done = threading.Event()
            server = self.scripted([b"$1000000\r\nREDIS0011abcdefghijkl"], linger=done)
            process = subprocess.Popen([TANDEM_CLI, "-p", str(server.port), "--rdb", self.target],
                                       stderr=subprocess.DEVNULL, env=environment())
            try:
                deadline = time.monotonic() + TIMEOUT
                while not self.left_over():
                    self.assertLess(time.monotonic(), deadline)
                process.send_signal(number)
                self.assertEqual(process.wait(TIMEOUT), 1)
                self.assertEqual(self.left_over(), [])
            finally:
                done.set()
                server.stop()


if __name__ == "__main__":
    TANDEM_CLI = sys.argv.pop(1)
    unittest.main()
