"""The kinds of work for peers with asyncio; see `foreground` for the others."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from .common import TOGETHER, Order, Payload, cpu_seconds, order, payload, report, report_adds, server_info
from .ledger import Ledger


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
