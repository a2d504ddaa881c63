"""Deadlines, middleware, and a worker's own pause and size."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

import pytest

import toril
from toril import NewJob

Running = Callable[..., AbstractAsyncContextManager[toril.Worker]]


class Starts:
    """A handler that notes when jobs begin and how many run at once."""

    def __init__(self, total: int, hold: float = 0.0) -> None:
        self.times: list[float] = []
        self.most = 0
        self.all = asyncio.Event()
        self._total, self._hold, self._running = total, hold, 0

    async def __call__(self, job: toril.Job) -> None:
        self.times.append(time.monotonic())
        self._running += 1
        self.most = max(self.most, self._running)
        if len(self.times) == self._total:
            self.all.set()
        await asyncio.sleep(self._hold)
        self._running -= 1


async def test_a_job_past_its_deadline_does_not_run(queue: toril.Queue, running: Running) -> None:
    ran: list[str] = []

    async def handler(job: toril.Job) -> None:
        ran.append(job.name)

    late = await queue.add("late", deadline=0.001, attempts=5)
    fixed = await queue.add("fixed", deadline=datetime.now(UTC) - timedelta(seconds=1))
    fine = await queue.add("fine", deadline=60.0)
    await asyncio.sleep(0.01)  # the deadline is a millisecond
    async with running(handler):
        for job in (late, fixed):
            with pytest.raises(toril.JobFailed, match="its deadline was"):
                await job.wait(5)
        await fine.wait(5)
    assert ran == ["fine"]
    found = await queue.get_job(late.id)
    assert found is not None
    assert found.deadline is not None


@pytest.mark.parametrize("kind", ["coroutine", "thread"])
async def test_a_run_is_cut_at_the_deadline_and_not_retried(
    queue: toril.Queue, running: Running, kind: str
) -> None:
    async def slow(job: toril.Job) -> None:
        await asyncio.sleep(30)

    def slow_thread(job: toril.Job) -> None:
        while not job.cancelled and time.monotonic() < end:
            time.sleep(0.01)

    end = time.monotonic() + 1.0
    async with running(slow if kind == "coroutine" else slow_thread):
        job = await queue.add("x", deadline=0.3, timeout=20.0, attempts=5)
        with pytest.raises(toril.JobFailed, match="deadline came while it ran"):
            await job.wait(5)


def test_wrong_deadlines_are_refused() -> None:
    with pytest.raises(toril.InvalidOption, match="aware"):
        NewJob("x", deadline=datetime(2026, 1, 1))
    with pytest.raises(toril.InvalidOption, match="deadline"):
        NewJob("x", deadline=0)


async def test_middleware_sees_each_run_and_may_change_its_end(queue: toril.Queue, running: Running) -> None:
    seen: list[str] = []

    async def outer(job: toril.Job, run: Callable[[], Awaitable[object]]) -> object:
        seen.append(f"outer {job.name}")
        try:
            return {"wrapped": await run()}
        except ValueError as error:
            seen.append(f"failed {error}")
            raise

    async def inner(job: toril.Job, run: Callable[[], Awaitable[object]]) -> object:
        seen.append(f"inner {job.name}")
        return await run()

    def handler(job: toril.Job) -> int:
        if job.name == "bad":
            raise ValueError("no")
        return 7

    async with running(handler, middleware=[outer, inner]):
        assert await (await queue.add("good")).wait(5) == {"wrapped": 7}
        with pytest.raises(toril.JobFailed, match="no"):
            await (await queue.add("bad")).wait(5)
    assert seen == ["outer good", "inner good", "outer bad", "inner bad", "failed no"]


async def test_a_worker_pauses_alone_and_is_resized(queue: toril.Queue, running: Running) -> None:
    starts = Starts(1)
    async with running(starts) as worker, asyncio.timeout(10):
        worker.pause()
        assert worker.paused
        job = await queue.add("x")
        other = Starts(1)
        async with running(other):
            await other.all.wait()
        assert starts.times == []
        worker.resume()
        await queue.add("x")
        await starts.all.wait()
        await job.wait(5)
    many = Starts(8, hold=0.05)
    async with running(many, concurrency=1) as worker, asyncio.timeout(10):
        worker.concurrency = 4
        await queue.add_many([NewJob("x") for _ in range(8)])
        await many.all.wait()
        assert many.most == 4
    with pytest.raises(toril.InvalidOption):
        worker.concurrency = 0
