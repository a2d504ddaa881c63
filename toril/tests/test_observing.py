"""Workers, numbers, and the age of finished jobs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

import toril
from toril.services.retention import RetentionService
from toril.storage.work import WorkStore

Running = Callable[..., AbstractAsyncContextManager[toril.Worker]]


async def handler(job: toril.Job) -> None:
    if job.name == "bad":
        raise toril.Fail("bad")


async def test_workers_are_listed_while_they_run(queue: toril.Queue, running: Running) -> None:
    assert await queue.workers() == []
    async with running(handler, name="ann"), running(handler, name="bob"), asyncio.timeout(5):
        while len(found := await queue.workers()) < 2:
            await asyncio.sleep(0.01)
        assert {worker.name for worker in found} == {"ann", "bob"}
        assert all(worker.age < 60 and worker.address for worker in found)
    async with asyncio.timeout(5):
        while await queue.workers():
            await asyncio.sleep(0.01)


def test_a_name_that_the_server_would_refuse_is_refused() -> None:
    with pytest.raises(toril.InvalidOption, match="printable ASCII"):
        toril.Worker("q", handler, name="my worker")


async def test_ends_are_counted_by_the_minute(queue: toril.Queue, running: Running) -> None:
    async with running(handler, metrics_minutes=3):
        for job in await queue.add_many([toril.NewJob("x") for _ in range(5)] + [toril.NewJob("bad")]):
            with contextlib.suppress(toril.JobFailed):
                await job.wait(5)
        now = await queue.get_metrics("completed")
        assert (now.count, now.minutes, now.kept) == (5, [], 0)
        key = f"{queue.store.keys.base}metrics:completed"
        then = int(await queue.store.connection.call("HGET", key, "prevTS"))
        await queue.store.connection.call("HSET", key, "prevTS", then - 2 * 60_000)
        await (await queue.add("x")).wait(5)
    found = await queue.get_metrics(toril.JobState.COMPLETED)
    assert (found.count, found.minutes, found.kept) == (6, [0, 5], 2)
    assert found.newest is not None
    assert (await queue.get_metrics("completed", 1, 1)).minutes == [5]
    assert (await queue.get_metrics("failed")).count == 1
    with pytest.raises(toril.InvalidOption, match="completed and failed"):
        await queue.get_metrics("active")


async def test_no_numbers_are_kept_unless_asked_for(queue: toril.Queue, running: Running) -> None:
    async with running(handler):
        await (await queue.add("x")).wait(5)
    assert (await queue.get_metrics("completed")).count == 0


async def test_retention_that_never_runs_on_an_idle_queue(queue: toril.Queue, running: Running) -> None:
    """Nothing ends any more, and yet what was to be kept for a while only goes."""
    store = queue.store
    async with running(handler, retention_interval=3600.0):
        young = await queue.add(
            "x", keep_completed=toril.Keep(age=1000.0), keep_failed=toril.Keep(age=1000.0)
        )
        bad = await queue.add("bad", keep_failed=toril.Keep(age=1000.0))
        await young.wait(5)
        with pytest.raises(toril.JobFailed):
            await bad.wait(5)
        work = WorkStore(store.connection, store.keys, "w", 1000)
        service = RetentionService(work, 3600.0)
        assert await service.run_once() == 0
        for key, job in ((store.keys.completed, young), (store.keys.failed, bad)):
            ended = int(float(await store.connection.call("ZSCORE", key, job.id)))
            await store.connection.call("ZADD", key, ended - 1_001_000, job.id)
        assert await service.run_once() == 2
    assert await queue.get_job(young.id) is None
    assert await queue.get_job(bad.id) is None


async def test_a_worker_looks_for_old_jobs_by_itself(queue: toril.Queue, running: Running) -> None:
    async with running(handler, retention_interval=0.05):
        job = await queue.add("x", keep_completed=toril.Keep(age=1.0))
        async with asyncio.timeout(10):
            while await queue.get_job(job.id) is not None:
                await asyncio.sleep(0.05)
