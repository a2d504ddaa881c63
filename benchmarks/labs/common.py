"""What the labs share."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

import toril
from benchmarks.peers.common import KEEP_SECONDS, TEXT
from benchmarks.record import Measures
from toril.storage.address import Address
from toril.storage.connection import Connection

KEEP = toril.Keep(age=KEEP_SECONDS)
CHUNK = 500

Measure = Callable[[bool], Coroutine[Any, Any, Measures]]


def drive(measure: Measure) -> None:
    """Measure in the mode that the arguments name, and print."""
    print(json.dumps(uvloop.run(measure(sys.argv[1] == "quick"))), flush=True)


def new_job(number: int, delay: float = 0.0) -> toril.NewJob:
    """A job like those of the other scenarios."""
    return toril.NewJob("x", {"i": number, "due": 0, "text": TEXT}, keep_completed=KEEP, delay=delay)


def connect(url: str) -> Connection:
    """A plain connection, to look at the server."""
    return Connection(Address.of(url))


async def fill(queue: toril.Queue, count: int) -> None:
    """Add jobs, some at a time, so that this process stays small."""
    for first in range(0, count, 20 * CHUNK):
        await queue.add_many([new_job(i) for i in range(first, min(count, first + 20 * CHUNK))])


class Runs:
    """Counts the runs of a no-op handler, and times them from the first to the last."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.runs = 0
        self.begun = self.ended = 0.0
        self.finished = asyncio.Event()
        self.seen: set[str] = set()

    async def handle(self, job: toril.Job) -> str:
        """The handler."""
        if not self.runs:
            self.begun = time.perf_counter()
        self.runs += 1
        self.seen.add(job.id)
        if self.runs == self.count:
            self.ended = time.perf_counter()
            self.finished.set()
        return "done"

    @property
    def rate(self) -> float:
        """Jobs a second."""
        return self.count / (self.ended - self.begun)

    async def work(self, queue: toril.Queue, concurrency: int) -> None:
        """Run a worker until all have run.

        Raises:
            AssertionError: a job ran twice.
        """
        worker = toril.Worker(queue.name, self.handle, url=queue.url, concurrency=concurrency)
        working = asyncio.create_task(worker.run(handle_signals=False))
        await asyncio.wait(
            [working, asyncio.ensure_future(self.finished.wait())], return_when="FIRST_COMPLETED"
        )
        worker.stop()
        await working
        assert len(self.seen) == self.runs, f"{self.runs} runs of {len(self.seen)} jobs"
