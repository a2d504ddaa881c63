"""Watches the workers of this process from their own event loop, so that a blocked loop shows."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import msgspec

from ..options import positive
from .probes import TICK, Probes
from .report import MAX_AGE, Health, ProcessReport, QueueReport, judge
from .server import Metrics

PAGE = os.sysconf("SC_PAGE_SIZE") if sys.platform == "linux" else 0


METRICS_INTERVAL = 5.0
"""Seconds between two of the metrics that a supervisor is told."""


class Named(Protocol):
    """A queue."""

    @property
    def name(self) -> str: ...


class Watched(Protocol):
    """What a monitor needs of a worker."""

    @property
    def queue(self) -> Named: ...
    @property
    def last_success(self) -> float | None: ...
    @property
    def stopping(self) -> bool: ...
    @property
    def running(self) -> int: ...
    @property
    def finished(self) -> int: ...


class HealthMonitor:
    """Serves probes for workers that run in this event loop: `async with HealthMonitor(...):`.

    Args:
        workers: Gives the workers that run now.
        file: Is written twice a second; see docs/processes.md.
        port: Of the HTTP endpoint with `/live` and `/ready`; none if None.
        host: The address that it listens at.
        max_age: Seconds without an answer of the server after which a worker is not live.
        tell: Gets each report too; now and then with its metrics.
        metrics: Gives the endpoint's answer to `/metrics`.

    Raises:
        InvalidOption: an option is wrong; or, on entering, the port or the file cannot be used.
    """

    def __init__(
        self,
        workers: Callable[[], Sequence[Watched]],
        *,
        file: str | Path | None = None,
        port: int | None = None,
        host: str = "0.0.0.0",
        max_age: float | timedelta = MAX_AGE,
        tell: Callable[[ProcessReport], None] | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._workers = workers
        self._max_age = positive(max_age, "max_age")
        self._probes = Probes(self.health, file=file, port=port, host=host, metrics=metrics)
        self._tell = tell
        self._metrics = metrics
        self._fresh_metrics: str | None = None
        self._begun = time.monotonic()
        self._lag = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int | None:
        """The port of the HTTP endpoint."""
        return self._probes.port

    def report(self) -> ProcessReport:
        """Look at the workers now."""
        now = time.monotonic()
        queues = {}
        for worker in self._workers():
            last = worker.last_success
            name = worker.queue.name
            while name in queues:
                name += "+"  # another worker of the same queue
            queues[name] = QueueReport(
                ready=last is not None,
                stopping=worker.stopping,
                silent_for=now - (self._begun if last is None else last),
                running=worker.running,
                finished=worker.finished,
            )
        silent = max((queue.silent_for for queue in queues.values()), default=now - self._begun)
        return ProcessReport(os.getpid(), queues, silent, self._lag, resident_memory())

    def health(self) -> Health:
        """Judge the workers now."""
        return judge([self.report()], self._max_age, 1)

    async def __aenter__(self) -> Self:
        await self._probes.start()
        self._tasks.add(asyncio.create_task(self._tick()))
        if self._tell is not None and self._metrics is not None:
            self._tasks.add(asyncio.create_task(self._read(self._metrics)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._probes.stop()

    async def _tick(self) -> None:
        due = time.monotonic() + TICK
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self._lag = max(0.0, time.monotonic() - due)
            due = time.monotonic() + TICK
            report = self.report()
            if self._tell is not None:
                self._tell(msgspec.structs.replace(report, metrics=self._fresh_metrics))
                self._fresh_metrics = None
            self._probes.write(judge([report], self._max_age, 1))

    async def _read(self, metrics: Metrics) -> None:
        # Beside the reports, which must not wait for a server that is gone.
        while True:
            self._fresh_metrics = await metrics()
            await asyncio.sleep(METRICS_INTERVAL)


def resident_memory() -> int:
    """Return this process's resident memory in bytes; 0 where that is not known."""
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
    return 0
