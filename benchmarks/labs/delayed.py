"""A million delayed jobs of which 1,000 a second are due: how late they start, and that none is early."""

from __future__ import annotations

import asyncio
import time

import toril
from benchmarks.record import Measures

from .common import CHUNK, drive, new_job

A_SECOND = 1000
FILL_RATE = 15_000
"""Jobs a second that adding is sure to reach."""
CONCURRENCY = 50


async def measure(quick: bool) -> Measures:
    """Milliseconds from each job's due time to its handler's start."""
    total = 50_000 if quick else 1_000_000
    count = A_SECOND * (4 if quick else 30)
    late: list[float] = []
    ids: set[str] = set()
    finished = asyncio.Event()

    async def handle(job: toril.Job) -> None:
        now = time.time() * 1000
        assert job.timestamp is not None
        ids.add(job.id)
        late.append(now - round(job.timestamp.timestamp() * 1000) - job.options.delay * 1000)
        if len(late) == count:
            finished.set()

    with toril.EmbeddedServer() as server:
        async with toril.Queue("delayed", server.url) as queue:
            first_due = time.time() + total / FILL_RATE + 1.0
            for first in range(0, total, CHUNK):
                ahead = first_due - time.time()
                await queue.add_many([new_job(i, ahead + i / A_SECOND) for i in range(first, first + CHUNK)])
            assert time.time() < first_due, "adding took longer than was allowed for"
            worker = toril.Worker("delayed", handle, url=server.url, concurrency=CONCURRENCY)
            working = asyncio.create_task(worker.run(handle_signals=False))
            await asyncio.wait(
                [working, asyncio.ensure_future(finished.wait())],
                return_when="FIRST_COMPLETED",
            )
            worker.stop()
            await working
    assert len(ids) == len(late), f"{len(late)} runs of {len(ids)} jobs"
    ordered = sorted(late)
    return {
        "p50_ms": ordered[len(late) // 2],
        "p99_ms": ordered[int(len(late) * 0.99)],
        "max_ms": ordered[-1],
        "early": float(sum(each < 0 for each in late)),
        "jobs": float(total),
    }


if __name__ == "__main__":
    drive(measure)
