"""A worker's wall clock is an hour off: its locks are kept by the server's time and a monotonic clock."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

import toril

Running = Callable[..., AbstractAsyncContextManager[toril.Worker]]

SHIFTED = """
import asyncio, os, sys, time
plain, off = time.time, float(sys.argv[4])
time.time = lambda: plain() + off
time.time_ns = lambda: int((plain() + off) * 1e9)
import toril

url, queue, ledger = sys.argv[1:4]
out = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

async def handler(job):
    os.write(out, f"{job.id}\\n".encode())
    await asyncio.sleep(1.5)
    return time.time()

asyncio.run(toril.Worker(queue, handler, url=url, lock_duration=0.5, death_after=None).run())
"""


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_worker_whose_clock_is_an_hour_off_keeps_its_locks(
    hours: int, queue: toril.Queue, running: Running, tmp_path: Path
) -> None:
    ledger = tmp_path / "runs"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SHIFTED, queue.url, queue.name, str(ledger), str(hours * 3600))
    )
    elsewhere: list[str] = []

    async def other(job: toril.Job) -> None:
        elsewhere.append(job.id)

    try:
        job = await queue.add("x")
        async with asyncio.timeout(20):
            while not (await queue.get_job_counts())["active"]:
                await asyncio.sleep(0.01)
        # Its run lasts three times as long as its lock, beside one that looks for stalled jobs.
        async with running(other, lock_duration=0.5, stalled_interval=0.1, death_after=None):
            its_time = await job.wait(15)
    finally:
        process.terminate()
        code = await asyncio.wait_for(process.wait(), 10)
    assert code == 0
    ended = await queue.get_job(job.id)
    assert ended is not None
    assert ended.finished_on is not None
    assert abs(its_time - ended.finished_on.timestamp() - hours * 3600) < 60
    assert (ledger.read_text().split(), elsewhere) == ([job.id], [])
    assert ended.stalled_count == 0
