"""What cancelling must keep besides: retention, traces, counters, schedules, the runs of others."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import pytest

import toril
from toril import Cancellation, JobState

Running = Callable[..., contextlib.AbstractAsyncContextManager[toril.Worker]]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


async def read(queue: toril.Queue, job: toril.Job) -> toril.Job:
    found = await queue.get_job(job.id)
    assert found is not None
    return found


async def test_a_cancelled_job_keeps_its_own_retention(queue: toril.Queue) -> None:
    gone = await queue.add("x", keep_failed=False)
    assert await gone.cancel() is Cancellation.FAILED
    assert await queue.get_job(gone.id) is None
    kept = [await queue.add("x", keep_failed=toril.Keep(count=2)) for _ in range(4)]
    for job in kept:
        await job.cancel()
    assert {job.id for job in await queue.get_jobs(JobState.FAILED)} == {kept[2].id, kept[3].id}


async def test_a_cancelled_job_keeps_the_traces_of_its_failures(queue: toril.Queue, running: Running) -> None:
    async def handler(job: toril.Job) -> None:
        raise ValueError("the first failure")

    job = await queue.add("x", attempts=3, backoff=60)
    async with running(handler) as worker:
        await until(lambda: worker.retried == 1)
        async with asyncio.timeout(5):
            while await job.get_state() is not JobState.DELAYED:
                await asyncio.sleep(0.005)
    await job.cancel()
    found = await read(queue, job)
    assert found.attempts_made == 1
    assert "the first failure" in found.stacktrace[0]


async def test_a_completed_job_bears_no_mark(queue: toril.Queue, running: Running) -> None:
    go = asyncio.Event()

    async def handler(job: toril.Job) -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await go.wait()
        return "done all the same"

    job = await queue.add("x")
    async with running(handler) as worker:
        await until(lambda: worker.running == 1)
        assert await job.cancel() is Cancellation.ASKED
        assert await job.wait(5) == "done all the same"
    assert not (await read(queue, job)).cancelled  # or Node's retry of it would be in vain


async def test_a_job_that_fails_instead_of_running_again_is_counted_so(
    queue: toril.Queue, running: Running
) -> None:
    go = asyncio.Event()

    async def handler(job: toril.Job) -> None:
        await go.wait()
        raise ValueError("no")

    job = await queue.add("x", attempts=5)
    async with running(handler, metrics_minutes=10) as worker:
        await until(lambda: worker.running == 1)
        # As if the worker had not heard of it yet.
        await queue.store.connection.call("HSET", queue.store.keys.job(job.id), "toril:cancel", "why")
        go.set()
        with pytest.raises(toril.JobFailed, match="cancelled: why"):
            await job.wait(5)
        await until(lambda: worker.failed == 1)
        assert worker.retried == 0
        assert (await queue.get_metrics("failed")).count == 1


async def test_a_late_order_does_not_end_the_next_run(queue: toril.Queue, running: Running) -> None:
    ended = asyncio.Event()

    async def handler(job: toril.Job) -> str:
        await asyncio.sleep(0.3)
        ended.set()
        return "done"

    job = await queue.add("x")
    call, keys = queue.store.connection.call, queue.store.keys
    async with running(handler) as worker:
        await until(lambda: worker.running == 1)
        await call("XADD", keys.cancels, "*", "jobId", job.id, "token", "an earlier run's", "reason", "late")
        assert await job.wait(5) == "done"
    assert ended.is_set()


async def test_an_order_that_is_faster_than_the_job_is_heeded(queue: toril.Queue, running: Running) -> None:
    """The job is cancelled as soon as the server has given it away, before its worker has it."""

    async def handler(job: toril.Job) -> None:
        await asyncio.sleep(60)

    async with running(handler, concurrency=50), toril.Queue(queue.name, queue.url) as other:
        began = time.monotonic()
        for _ in range(60):
            job = await queue.add("x")
            while await other.cancel(job.id, "quick") is Cancellation.FAILED:
                job = await queue.add("x")
            with pytest.raises(toril.JobFailed, match="cancelled: quick"):
                await job.wait(2)
        assert time.monotonic() - began < 10


async def test_a_cancel_does_not_break_off_the_schedule(queue: toril.Queue, running: Running) -> None:
    """The next job of the schedule is made before the run; a cancel must not keep it from being made."""
    reached, go = asyncio.Event(), asyncio.Event()
    ran: list[str] = []

    async def handler(job: toril.Job) -> None:
        ran.append(job.id)

    await queue.upsert_job_scheduler("tick", toril.Every(3600.0), name="tick")
    worker = toril.Worker(queue.name, handler, url=queue.url)
    advance = worker._executor._prepare

    async def slow(job: toril.Job, scheduler: str, token: str) -> bool:
        reached.set()
        await go.wait()
        return await advance(job, scheduler, token)

    worker._executor._prepare = slow
    task = asyncio.create_task(worker.run(handle_signals=False))
    await asyncio.wait_for(reached.wait(), 5)
    (job,) = await queue.get_jobs(JobState.ACTIVE)
    heard = asyncio.create_task(queue.wait(job.id, 5))
    assert worker.cancel(job.id, "not this one")
    await asyncio.sleep(0)
    go.set()
    with pytest.raises(toril.JobFailed, match="cancelled: not this one"):
        await heard
    await worker.close()
    await task
    assert ran == []
    assert len(await queue.get_jobs(JobState.DELAYED)) == 1


async def test_many_are_cancelled_at_once(queue: toril.Queue, running: Running) -> None:
    async def handler(job: toril.Job) -> None:
        await asyncio.sleep(60)

    async with running(handler, concurrency=3) as worker:
        runs = await queue.add_many([toril.NewJob("x") for _ in range(3)])
        await until(lambda: worker.running == 3)
        waiting = await queue.add_many([toril.NewJob("x") for _ in range(700)])
        worker.pause()  # or it takes those that are not cancelled yet
        ids = ["none", *(job.id for job in runs), *(job.id for job in waiting)]
        done = await queue.cancel_many(ids, "all of it")
        assert done == {job.id: Cancellation.ASKED for job in runs} | {
            job.id: Cancellation.FAILED for job in waiting
        }
        for job in runs:
            with pytest.raises(toril.JobFailed, match="all of it"):
                await job.wait(5)
    assert (await queue.get_job_counts())["failed"] == 703
    assert await queue.cancel_many(ids) == {}


async def test_a_worker_cancels_what_it_runs_itself(queue: toril.Queue, running: Running) -> None:
    async def handler(job: toril.Job) -> None:
        await asyncio.sleep(60)

    jobs = await queue.add_many([toril.NewJob("x", attempts=5) for _ in range(3)])
    async with running(handler, concurrency=3) as worker:
        await until(lambda: worker.running == 3)
        assert not worker.cancel("none")
        assert worker.cancel(jobs[0].id, "one")
        assert worker.cancel_all("all") == 3  # the first has not ended yet, and keeps its own reason
        for job, reason in zip(jobs, ("one", "all", "all"), strict=True):
            with pytest.raises(toril.JobFailed, match=f"cancelled: {reason}"):
                await job.wait(5)
