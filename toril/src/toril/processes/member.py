"""One worker process, as its supervisor sees it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from typing import Self

import msgspec

from ..health import ProcessReport
from .lifeline import FORCE, VARIABLE

_LINE_LIMIT = 1 << 20
_LINE_TIMEOUT = 0.5
"""Seconds that the line of a process which has ended may take to end."""


class Member:
    """A running worker process. Made by `start`.

    Attributes:
        slot: Its number, from 1; the process that takes its place has the same.
        begun: When it was started, by `time.monotonic`.
        ready: Set once its workers take jobs.
        killed: Whether it had to be killed because it did not end.
        metrics: What it told Prometheus last; None if nothing yet.
        exhausted: Whether it has reached a limit and is to be replaced.
    """

    def __init__(self, slot: int, process: asyncio.subprocess.Process, writer: asyncio.StreamWriter) -> None:
        self.slot = slot
        self.begun = time.monotonic()
        self.ready = asyncio.Event()
        self.killed = False
        self.exhausted = False
        self.metrics: str | None = None
        self._process = process
        self._report: tuple[float, ProcessReport] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._writer = writer

    @classmethod
    async def start(cls, slot: int, command: Sequence[str], told: Callable[[Member], None]) -> Self:
        """Start a fresh interpreter; `told` hears of each of its reports. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            reader, writer = await asyncio.open_connection(sock=ours, limit=_LINE_LIMIT)
            try:
                # A session of its own: Ctrl-C reaches the supervisor alone, which passes it on once.
                process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    env={**os.environ, VARIABLE: str(theirs.fileno())},
                    start_new_session=True,
                )
            except BaseException:
                writer.close()
                raise
        member = cls(slot, process, writer)
        member._reader = asyncio.create_task(member._read(reader, told))
        return member

    async def _read(self, reader: asyncio.StreamReader, told: Callable[[Member], None]) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                while (line := await reader.readline()).endswith(b"\n"):
                    report = msgspec.json.decode(line, type=ProcessReport)
                    if report.metrics is not None:
                        self.metrics = report.metrics
                        report = msgspec.structs.replace(report, metrics=None)
                    self._report = (time.monotonic(), report)
                    if report.ready:
                        self.ready.set()
                    told(self)
            await self._process.wait()  # the line must outlast the process: its end means ours
        finally:
            self._writer.close()
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self.begun

    def report(self) -> ProcessReport:
        """Return its last report, aged to now; while there is none, it is silent since its start."""
        if self._report is None:
            return ProcessReport(self.pid, {}, self.age, 0.0, 0)
        heard, report = self._report
        return report.aged(time.monotonic() - heard)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the process is there still."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def force(self) -> None:
        """Ask it to hand its running jobs back."""
        if not self._writer.is_closing():
            self._writer.write(FORCE)

    def kill(self) -> None:
        """Kill it at once."""
        self.killed = True
        self.send(signal.SIGKILL)

    @property
    def has_ended(self) -> bool:
        """Whether it has ended already."""
        return self._process.returncode is not None

    async def ended(self) -> int:
        """Wait for its end and return its exit code; negative if a signal killed it."""
        code = await self._process.wait()
        if self._reader is not None and not self._reader.done():
            # What a handler has forked may hold the line open still.
            await asyncio.wait([self._reader], timeout=_LINE_TIMEOUT)
            self._reader.cancel()
        return code

    async def end(self, limit: float) -> int:
        """Ask it to stop, kill it after `limit` seconds, and return its exit code."""
        self.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(limit):
                return await asyncio.shield(self.ended())
        except TimeoutError:
            self.kill()
            return await self.ended()
