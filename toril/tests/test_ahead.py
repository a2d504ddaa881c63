"""Jobs that a worker with few slots fetches before a slot is free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import toril

Running = Callable[..., AbstractAsyncContextManager[toril.Worker]]
MANY = 400
"""Short jobs, enough for a worker to fetch ahead."""


async def until(queue: toril.Queue, **counts: int) -> None:
    """Wait until so many jobs are in each of these states."""
    async with asyncio.timeout(10):
        while True:
            found = await queue.get_job_counts()
            if all(found[state] == count for state, count in counts.items()):
                return
            await asyncio.sleep(0.005)


class Halt:
    """A handler that is quick but for the jobs named `long`, which wait to be let go."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.at_once = self.most = 0
        self.reached = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, job: toril.Job) -> None:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.runs.append(job.id)
        await asyncio.sleep(0)
        if job.name == "long":
            self.reached.set()
            await self.go.wait()
        self.at_once -= 1


async def test_short_jobs_run_one_by_one_in_their_order(queue: toril.Queue, running: Running) -> None:
    jobs = await queue.add_many([toril.NewJob("short") for _ in range(MANY)])
    halt = Halt()
    async with running(halt, concurrency=1):
        await until(queue, completed=MANY)
    assert halt.runs == [job.id for job in jobs]
    assert halt.most == 1


async def test_a_long_job_lets_those_behind_it_go_to_others(queue: toril.Queue, running: Running) -> None:
    """They go back at once, in their order, as if they had never been fetched."""
    names = ["short"] * MANY + ["long"] + ["short"] * 20
    jobs = await queue.add_many([toril.NewJob(name) for name in names])
    halt, other = Halt(), Halt()
    async with running(halt, concurrency=1):
        async with asyncio.timeout(10):
            await halt.reached.wait()
        await until(queue, active=1, waiting=20)
        assert [job.attempts_started for job in await queue.get_jobs("waiting")] == [0] * 20
        async with running(other, concurrency=1):
            await until(queue, active=1, waiting=0)
        assert other.runs == [job.id for job in jobs[-20:]]
        halt.go.set()
        await until(queue, completed=len(jobs))
    assert sorted(halt.runs + other.runs, key=int) == [job.id for job in jobs]
    assert halt.most == 1


async def test_a_worker_that_stops_hands_back_what_has_not_begun(
    queue: toril.Queue, running: Running
) -> None:
    await queue.add_many([toril.NewJob(name) for name in ["short"] * MANY + ["long"] + ["short"] * MANY])
    halt = Halt()
    async with running(halt, concurrency=1) as worker:
        async with asyncio.timeout(10):
            await halt.reached.wait()
        worker.stop()
        halt.go.set()
    # The stop may be heard a moment later; what has not begun then waits as before.
    counts = await queue.get_job_counts()
    assert MANY < counts["completed"] == len(halt.runs) < 2 * MANY + 1
    assert counts["waiting"] == 2 * MANY + 1 - len(halt.runs)
    assert counts["active"] == 0
    assert {job.attempts_started for job in await queue.get_jobs("waiting")} == {0}
