"""What the sides in Python share: the order, the ledger of runs, and the kinds of work."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, Protocol

TEXT = "a payload of about a hundred bytes, as an id and a short text make it"
KEEP_SECONDS = 3600
"""How long every side keeps finished jobs and their results."""
RESULT = "done"
CONNECTIONS = 1000
"""Connections of a pool at the most: the clients' default of 100 fails a worker of 200."""
SLEEP = 0.01
TOGETHER = 100
"""How many adds are under way at once in the kind `gather`."""

Payload = dict[str, Any]


class Order(NamedTuple):
    """What this process is to do."""

    address: str
    queue: str
    kind: str
    jobs: int
    concurrency: int

    @property
    def port(self) -> int:
        """The Valkey's port."""
        return int(self.address)

    @property
    def url(self) -> str:
        """The Valkey's URL as Redis clients want it."""
        return f"redis://127.0.0.1:{self.address}/0"

    @property
    def rate(self) -> float:
        """Jobs a second of the kind `feed`."""
        return float(self.kind.partition("@")[2])


def order() -> Order:
    """The order in this process's arguments."""
    address, queue, kind, count, concurrency = sys.argv[1:6]
    return Order(address, queue, kind, int(count), int(concurrency))


def payload(number: int, due: int = 0) -> Payload:
    """A job's data; `due` is when it should have been added, in µs of the wall clock."""
    return {"i": number, "due": due, "text": TEXT}


def report(**values: float) -> None:
    """Print the one line."""
    print(json.dumps(values), flush=True)


def cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def server_info(address: str) -> dict[str, float]:
    """The numbers of INFO's sections cpu, stats and memory; of a Valkey only."""
    if not address.isdecimal():
        return {}
    with socket.create_connection(("127.0.0.1", int(address))) as connection:
        connection.sendall(b"INFO cpu stats memory\r\n")
        with connection.makefile("rb") as reader:
            text = reader.read(int(reader.readline()[1:])).decode()
    pairs = (line.split(":") for line in text.splitlines() if ":" in line)
    return {name: float(value) for name, value in pairs if value.replace(".", "", 1).isdigit()}


def server_cpu(info: dict[str, float]) -> float:
    """Seconds of CPU that the server has used."""
    return info.get("used_cpu_sys", 0.0) + info.get("used_cpu_user", 0.0)


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


class Peer(Protocol):
    """What each asyncio side can do."""

    async def open(self) -> None:
        """Connect, to add jobs."""

    async def add(self, data: Payload) -> object:
        """Add one job; returns when the server has it."""

    async def add_bulk(self, many: list[Payload]) -> object:
        """Add many, in the best way that the documentation tells of."""

    async def work(self, ledger: Ledger) -> None:
        """Run a worker until the ledger's `wait` returns; return when what has run is settled."""

    async def left(self) -> int:
        """How many jobs wait or run."""

    async def close(self) -> None:
        """Disconnect."""


async def emptied(left: Callable[[], Coroutine[Any, Any, int]], timeout: float = 10.0) -> None:
    """Wait until nothing is left, but not for ever: what is left is reported."""
    limit = time.monotonic() + timeout
    while await left() and time.monotonic() < limit:  # noqa: ASYNC110 # polling with a deadline
        await asyncio.sleep(0.01)


Main = Callable[[Coroutine[Any, Any, None]], None]


def drive(make: Callable[[Order], Peer], run: Main = asyncio.run) -> None:
    """Do what this process's arguments order, with an asyncio peer."""
    given = order()
    run(_drive(make(given), given))


async def _drive(peer: Peer, given: Order) -> None:
    await peer.open()
    kind = given.kind.partition("@")[0]
    if kind in {"run", "sleep"}:
        await peer.add_bulk([payload(i) for i in range(given.jobs)])
    if kind in {"run", "sleep", "take"}:
        ledger = Ledger(given)
        await peer.work(ledger)
        ledger.report(await peer.left())
    elif kind == "setup":
        report()
    elif kind in {"idle", "hang"}:
        await _idle(peer, given)
    elif kind == "feed":
        await _feed(peer, given)
    else:
        await _adding(peer, given, kind)
    await peer.close()


async def _adding(peer: Peer, given: Order, kind: str) -> None:
    many = [payload(i) for i in range(given.jobs)]
    await peer.add(payload(-1))  # connects, and loads scripts
    before = server_info(given.address)
    cpu, begun = cpu_seconds(), time.perf_counter()
    if kind == "bulk":
        await peer.add_bulk(many)
    elif kind == "add":
        for data in many:
            await peer.add(data)
    else:
        for first in range(0, given.jobs, TOGETHER):
            await asyncio.gather(*[peer.add(data) for data in many[first : first + TOGETHER]])
    report_adds(given, begun, cpu, before, await peer.left())


def report_adds(given: Order, begun: float, cpu: float, before: dict[str, float], left: int) -> None:
    """Print what adding has taken since `begun`; the probe is one of those left."""
    seconds, used = time.perf_counter() - begun, cpu_seconds() - cpu
    after = server_info(given.address)
    server: dict[str, float] = {}
    if after:
        server["server_us"] = (server_cpu(after) - server_cpu(before)) * 1e6 / given.jobs
        server["bytes"] = (after["used_memory"] - before["used_memory"]) / given.jobs
    report(seconds=seconds, left=left, client_us=used * 1e6 / given.jobs, **server)


async def _feed(peer: Peer, given: Order) -> None:
    await peer.add(payload(-1))
    await asyncio.to_thread(sys.stdin.readline)
    begun = time.time_ns()
    gap = 1e9 / given.rate
    fine = gap > 5e6
    adds = set()
    for number in range(given.jobs):
        due = begun + int((number + 1) * gap)
        await _until(due, fine)
        task = asyncio.ensure_future(peer.add(payload(number, due // 1000)))
        adds.add(task)
        task.add_done_callback(adds.discard)
    if adds:
        await asyncio.wait(adds)
    report(seconds=(time.time_ns() - begun) / 1e9)


async def _until(due: int, fine: bool) -> None:
    """Sleep until a time in ns. Timers are good for a millisecond: `fine` polls the last two."""
    while (ahead := due - time.time_ns()) > 0:  # noqa: ASYNC110 # nothing tells of the time
        await asyncio.sleep(max(0.0, ahead / 1e9 - 0.002) if fine else ahead / 1e9)


async def _idle(peer: Peer, given: Order) -> None:
    ledger = Ledger(given)
    if given.jobs:
        await peer.add(payload(-1))  # its handler prints `ready`
    working = asyncio.ensure_future(peer.work(ledger))
    await asyncio.to_thread(sys.stdin.readline)
    working.cancel()
    await asyncio.wait([working])
