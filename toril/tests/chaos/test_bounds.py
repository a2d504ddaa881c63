"""Numbers at and beyond their bounds, and clocks that are wrong."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import pytest

import toril

Running = Callable[..., AbstractAsyncContextManager[toril.Worker]]
TEN_YEARS = 10 * 365 * 86400.0


async def test_priorities_up_to_their_bound_keep_their_order(queue: toril.Queue, running: Running) -> None:
    ran: list[object] = []

    async def handler(job: toril.Job) -> None:
        ran.append(job.data)

    jobs = [await queue.add("x", place, priority=place) for place in (2**21 - 1, 2**21 - 2, 1, 2)]
    more = [await queue.add("x", 2**21 - 1, priority=2**21 - 1) for _ in range(3)]
    async with running(handler):
        for job in (*jobs, *more):
            await job.wait(10)
    assert ran == [1, 2, 2**21 - 2, *[2**21 - 1] * 4]


@pytest.mark.parametrize(
    "options",
    [
        {"priority": 2**21},
        {"priority": -1},
        {"priority": 1.5},
        {"priority": True},
        {"delay": -0.001},
        {"delay": TEN_YEARS + 1},
        {"delay": float("nan")},
        {"delay": float("inf")},
        {"delay": timedelta(days=-1)},
        {"delay": "5"},
        {"attempts": 0},
        {"attempts": 2**31 + 1},
        {"timeout": 0},
        {"job_id": "7"},
        {"job_id": "x" * 513},
    ],
    ids=str,
)
async def test_what_is_out_of_bounds_is_refused(queue: toril.Queue, options: dict[str, object]) -> None:
    with pytest.raises(toril.InvalidOption):
        await queue.add("x", **options)  # type: ignore[arg-type]
    assert await queue.count() == 0


async def test_the_longest_delay_keeps_its_order_and_its_time(queue: toril.Queue) -> None:
    """Its score, ms times 4096, is near 2^53: neighbours must not fall together."""
    early = await queue.add("x", delay=TEN_YEARS - 0.001)
    late = await queue.add("x", delay=TEN_YEARS)
    assert [job.id for job in await queue.get_jobs("delayed", ascending=True)] == [early.id, late.id]
    score = await queue.store.connection.call("ZSCORE", queue.store.keys.delayed, late.id)
    due_ms = int(float(score)) // 4096
    assert late.timestamp is not None
    assert due_ms == round(late.timestamp.timestamp() * 1000) + round(TEN_YEARS * 1000)
    await late.change_delay(0.0)
    with pytest.raises(toril.InvalidOption):
        await early.change_delay(TEN_YEARS * 2)


@pytest.mark.parametrize("before", [2**31 - 2, 2**53 - 12])
async def test_counted_ids_go_on_beyond_their_bounds(
    queue: toril.Queue, running: Running, before: int
) -> None:
    await queue.store.connection.call("SET", queue.store.keys.id, before)

    async def handler(job: toril.Job) -> str:
        return job.id

    jobs = await queue.add_many([toril.NewJob("x") for _ in range(5)])
    assert [job.id for job in jobs] == [str(before + 1 + i) for i in range(5)]
    async with running(handler, concurrency=2):
        assert [await job.wait(10) for job in jobs] == [job.id for job in jobs]


SHIFTED = """
import asyncio, datetime, sys, time
real, off = time.time, float(sys.argv[3])
time.time = lambda: real() + off
real_ns = time.time_ns
time.time_ns = lambda: real_ns() + int(off * 1e9)

class Shifted(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)

datetime.datetime = Shifted
import toril

async def handler(job):
    return time.time()

async def main():
    async with toril.Queue(sys.argv[2], sys.argv[1]) as queue:
        await queue.add("theirs", delay=1.0, job_id="theirs")
    print("added", flush=True)
    await toril.Worker(sys.argv[2], handler, url=sys.argv[1]).run()

asyncio.run(main())
"""


@pytest.mark.parametrize("days", [-1, 1])
async def test_delays_and_schedules_follow_the_server_where_a_worker_s_clock_is_a_day_off(
    queue: toril.Queue, days: int
) -> None:
    ours = await queue.add("ours", delay=1.0)
    await queue.upsert_job_scheduler("hourly", toril.Every(3600, offset=1), "tick")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SHIFTED, queue.url, queue.name, str(days * 86400)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        for job_id in (ours.id, "theirs"):
            async with asyncio.timeout(20):
                while (found := await queue.get_job(job_id)) is None:
                    await asyncio.sleep(0.02)
            await found.wait(10)
            ended = await queue.get_job(job_id)
            assert ended is not None
            assert ended.processed_on is not None
            assert ended.timestamp is not None
            late = (ended.processed_on - ended.timestamp).total_seconds() - 1.0
            assert 0 <= late < 5, f"begun {late:g} s after it was due"
            # Its wall clock was off indeed.
            assert abs(ended.return_value - ended.processed_on.timestamp() - days * 86400) < 10
        assert len(await queue.get_jobs("delayed")) == 1, (
            "the schedule's next job waits for the server's time"
        )
    finally:
        process.terminate()
        await process.communicate()
