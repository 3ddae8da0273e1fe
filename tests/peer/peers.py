"""Servers to compare, and the wire between: what the tests of this folder share."""

import fcntl
import os
import random
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

# Far above what anything here takes, so that only what hangs reaches it, on a loaded machine too.
TIMEOUT = 60


class PortLeases:
    """Ports of 127.0.0.1 that no other test of this user takes before this process ends: the byte at
    a port's number is locked in the file that PortLease in tests/support uses. They lie below the
    ports that the system gives to outgoing connections."""

    def __init__(self):
        path = os.path.join(tempfile.gettempdir(), "tandem-test-ports-%d.lock" % os.getuid())
        self.file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        self.taken = set()
        self.mutex = threading.Lock()
        self.random = random.Random()

    def take(self):
        with self.mutex:
            for _ in range(1000):
                port = self.random.randrange(20000, 32000)
                if port not in self.taken and self.lock(port) and self.is_free(port):
                    self.taken.add(port)
                    return port
        raise RuntimeError("no free port")

    def lock(self, port):
        # struct flock: type, whence, start, length, pid.
        request = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, port, 1, 0)
        try:
            fcntl.fcntl(self.file, fcntl.F_OFD_SETLK, request)
        except OSError:
            return False
        return True

    @staticmethod
    def is_free(port):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
        return True


_leases = PortLeases()


def free_port():
    return _leases.take()


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
        self.port = free_port()
        super().__init__(program, "--port", str(self.port), "--bind", "127.0.0.1",
                         "--repl-diskless-sync-delay", "0", *options)


def await_condition(what, condition):
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("in vain: " + what)
        time.sleep(0.005)
