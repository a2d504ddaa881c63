"""The ledger of a worker's runs: how many, how long, how late."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from .common import RESULT, SLEEP, Order, Payload, cpu_seconds, report, server_cpu, server_info


class Ledger:
    """Counts runs, from threads too, and knows when all have been made."""

    def __init__(self, given: Order) -> None:
        self.count = given.jobs
        self.sleep = SLEEP if given.kind == "sleep" else 0.0
        self.hang = given.kind == "hang"
        self.finished = threading.Event()
        self.runs = 0
        self.waits: list[int] = []
        self.server = server_cpu(server_info(given.address))
        self._address = given.address
        self._seen: set[int] = set()
        self._lock = threading.Lock()
        self._told: list[Callable[[], object]] = []
        self._begun = self._ended = self._cpu = self._cpu_end = 0.0

    def start(self) -> None:
        """A handler has started; only the first one counts."""
        if not self._begun:
            with self._lock:
                if not self._begun:
                    self._cpu = cpu_seconds()
                    self._begun = time.perf_counter()

    def end(self, data: Payload) -> str:
        """The handler of `data` ends; returns its result."""
        number = data["i"]
        if number < 0:  # the probe
            print("ready", flush=True)
            return RESULT
        with self._lock:
            self.runs += 1
            self._seen.add(number)
            last = self.runs == self.count
        if last:
            self._ended = time.perf_counter()
            self._cpu_end = cpu_seconds()
            self.finished.set()
            for tell in self._told:
                tell()
        return RESULT

    def started(self, data: Payload) -> None:
        """The handler of `data` has started; keeps how long after the job was due that is."""
        if data["due"]:
            self.waits.append(time.time_ns() // 1000 - data["due"])
        if data["i"] >= 0:
            self.start()

    async def run(self, data: Payload) -> str:
        """The handler of an asyncio peer."""
        self.started(data)
        if self.hang:
            print("ready", flush=True)
            await asyncio.Event().wait()
        if self.sleep:
            await asyncio.sleep(self.sleep)
        return self.end(data)

    def run_sync(self, data: Payload) -> str:
        """The handler of a peer that runs it in a thread or in the foreground."""
        self.started(data)
        if self.sleep:
            time.sleep(self.sleep)
        return self.end(data)

    def tell(self, call: Callable[[], object]) -> None:
        """Call this when all have run, in the thread that has run the last."""
        self._told.append(call)

    async def wait(self) -> None:
        """Wait until all have run."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        self.tell(lambda: loop.call_soon_threadsafe(done.set))
        if not self.finished.is_set():
            await done.wait()

    def report(self, left: int) -> None:
        """Print what was measured; `left` is how many jobs the queue has when the worker has stopped."""
        server = (server_cpu(server_info(self._address)) - self.server) * 1e6 / self.count
        latencies: dict[str, float] = {}
        if self.waits:
            ordered = sorted(self.waits)
            for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99)):
                latencies[name] = ordered[int(len(ordered) * share)] / 1e3
            latencies["max_ms"] = ordered[-1] / 1e3
        report(
            seconds=self._ended - self._begun,
            runs=self.runs,
            distinct=len(self._seen),
            left=left,
            client_us=(self._cpu_end - self._cpu) * 1e6 / self.count,
            **({"server_us": server} if self._address.isdecimal() else {}),
            **latencies,
        )
