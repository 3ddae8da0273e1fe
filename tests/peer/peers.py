"""Servers to compare, and the wire between: what the tests of this folder share."""

import os
import shutil
import socket
import subprocess
import tempfile
import time

TIMEOUT = 20


class ErrorReply(str):
    """The text of an error."""

    def __repr__(self):
        return "(error) " + str(self)


class Status(str):
    """The text of a simple string."""

    def __repr__(self):
        return "(status) " + str(self)


class BigNumber(str):
    """The digits of a RESP3 big number."""


class Map(list):
    """A RESP3 map: pairs."""


class Set(list):
    """A RESP3 set."""


class Connection:
    """A client that sends words and reads replies of RESP2 and RESP3, keeping their types apart."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, *words):
        out = [b"*%d\r\n" % len(words)]
        for word in words:
            if not isinstance(word, bytes):
                word = str(word).encode()
            out.append(b"$%d\r\n%s\r\n" % (len(word), word))
        self.socket.sendall(b"".join(out))

    def command(self, *words):
        self.send(*words)
        return self.read()

    def read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return Status(rest.decode("latin-1"))
        if kind == b"-":
            return ErrorReply(rest.decode("latin-1"))
        if kind == b":":
            return int(rest)
        if kind == b"$" or kind == b"=":
            return self.read_bulk(int(rest))
        if kind == b"_":
            return None
        if kind == b",":
            return float(rest)
        if kind == b"(":
            return BigNumber(rest.decode("latin-1"))
        if kind == b"#":
            return rest == b"t"
        if kind == b"*" or kind == b">":
            return None if rest == b"-1" else [self.read() for _ in range(int(rest))]
        if kind == b"~":
            return Set(self.read() for _ in range(int(rest)))
        if kind == b"%":
            return Map((self.read(), self.read()) for _ in range(int(rest)))
        raise ConnectionError("not a reply: %r" % line)

    def read_bulk(self, length):
        if length < 0:
            return None
        data = self.file.read(length + 2)
        if len(data) != length + 2:
            raise ConnectionError("the server closed the connection")
        return data[:-2]


class Server:
    """A server process in a directory of its own, reached through a unix socket."""

    def __init__(self, program, *options):
        self.directory = tempfile.mkdtemp(prefix="peer-")
        self.socket_path = os.path.join(self.directory, "socket")
        self.log_path = os.path.join(self.directory, "log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [program, "--port", "0", "--dir", self.directory, "--unixsocket", self.socket_path,
                 "--save", "", "--enable-debug-command", "yes", *options],
                stdout=log, stderr=log)
        self.await_ready()

    def await_ready(self):
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                connection = self.connect()
                ready = connection.command("PING") == "PONG"
                connection.close()
                if ready:
                    return
            except OSError:
                pass
            time.sleep(0.01)
        text = self.log()
        self.stop()
        raise RuntimeError("%s did not start:\n%s" % (self.process.args[0], text))

    def connect(self):
        return Connection(self.socket_path)

    def log(self):
        with open(self.log_path, "rb") as log:
            return log.read().decode("latin-1")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


class TcpServer(Server):
    """One that is reached through a port of 127.0.0.1 too."""

    def __init__(self, program, *options):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        super().__init__(program, "--port", str(self.port), "--bind", "127.0.0.1",
                         "--repl-diskless-sync-delay", "0", *options)


def await_condition(what, condition):
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("in vain: " + what)
        time.sleep(0.005)
