"""The kinds of work for peers without asyncio; see `coroutines` for the others."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from .common import TOGETHER, Order, Payload, cpu_seconds, order, payload, report, report_adds, server_info
from .ledger import Ledger

THREADS = 16
"""How many threads share 100 concurrent adds: more of them only wait for each other."""

_ledger: Ledger | None = None


def handle(data: Payload) -> str:
    """The job of peers that find it by name."""
    assert _ledger is not None
    return _ledger.run_sync(data)


class Peer(Protocol):
    """What each such side can do."""

    def add(self, data: Payload) -> object:
        """Add one job."""

    def add_bulk(self, many: list[Payload]) -> object:
        """Add many, in the best way that the documentation tells of."""

    def work(self, ledger: Ledger) -> None:
        """Run a worker until the ledger is finished; return when what has run is settled."""

    def left(self) -> int:
        """How many jobs wait or run."""


def emptied(left: Callable[[], int], timeout: float = 10.0) -> None:
    """Wait until nothing is left, but not for ever: what is left is reported."""
    limit = time.monotonic() + timeout
    while left() and time.monotonic() < limit:
        time.sleep(0.01)


def drive(make: Callable[[Order], Peer]) -> None:
    """Do what this process's arguments order."""
    global _ledger
    given = order()
    peer = make(given)
    kind = given.kind.partition("@")[0]
    if kind in {"run", "sleep"}:
        peer.add_bulk([payload(i) for i in range(given.jobs)])
    if kind in {"run", "sleep", "take"}:
        _ledger = Ledger(given)
        peer.work(_ledger)
        _ledger.report(peer.left())
    elif kind == "idle":
        _ledger = Ledger(given)
        peer.add(payload(-1))
        threading.Thread(target=_leave_when_told, daemon=True).start()
        peer.work(_ledger)
    elif kind == "feed":
        _feed(peer, given)
    else:
        _adding(peer, given, kind)
    sys.stdout.flush()
    os._exit(0)  # some of them leave threads behind


def _leave_when_told() -> None:
    sys.stdin.readline()
    os._exit(0)


def _adding(peer: Peer, given: Order, kind: str) -> None:
    many = [payload(i) for i in range(given.jobs)]
    peer.add(payload(-1))
    before = server_info(given.address)
    cpu, begun = cpu_seconds(), time.perf_counter()
    if kind == "bulk":
        peer.add_bulk(many)
    elif kind == "add":
        for data in many:
            peer.add(data)
    else:
        with ThreadPoolExecutor(THREADS) as pool:
            for first in range(0, given.jobs, TOGETHER):
                list(pool.map(peer.add, many[first : first + TOGETHER]))
    report_adds(given, begun, cpu, before, peer.left())


def _feed(peer: Peer, given: Order) -> None:
    peer.add(payload(-1))
    sys.stdin.readline()
    begun = time.time_ns()
    with ThreadPoolExecutor(THREADS) as pool:
        for number in range(given.jobs):
            due = begun + int((number + 1) * 1e9 / given.rate)
            ahead = due - time.time_ns()
            if ahead > 0:
                time.sleep(ahead / 1e9)
            pool.submit(peer.add, payload(number, due // 1000))
    report(seconds=(time.time_ns() - begun) / 1e9)
