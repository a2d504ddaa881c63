"""A queue's clock that is moved on without waiting."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

import toril
from toril import testing
from toril.storage import scripts
from toril.storage.keys import LOCK_SUFFIX
from toril.storage.work import WorkStore


async def handler(job: toril.Job) -> object:
    if job.name == "later" and job.attempts_made == 0:
        raise ValueError("not yet")
    return job.data


@contextlib.asynccontextmanager
async def working(queue: toril.Queue) -> AsyncIterator[toril.Worker]:
    worker = toril.Worker(queue.name, handler, url=queue.url, concurrency=5)
    task = asyncio.create_task(worker.run(handle_signals=False))
    try:
        await worker.ready.wait()
        yield worker
    finally:
        worker.stop()
        await task


async def test_delayed_jobs_and_retries_become_due(queue: toril.Queue) -> None:
    async with testing.clock(queue) as clock, working(queue):
        delayed = await queue.add("x", 1, delay=3600)
        retried = await queue.add("later", 2, attempts=2, backoff=7200.0)
        async with toril.QueueEvents(queue.name, queue.url) as events:

            async def is_retried() -> bool:
                return (await retried.get_state()) is toril.JobState.DELAYED

            await events.until(is_retried, timeout=5)
        await clock.advance(3500)
        assert (await delayed.get_state()) is toril.JobState.DELAYED
        await clock.advance(100)
        assert await delayed.wait(4) == 1
        assert (await retried.get_state()) is toril.JobState.DELAYED
        await clock.advance(timedelta(hours=1))
        assert await retried.wait(4) == 2
        found = await queue.get_job(retried.id)
        assert found is not None
        assert found.finished_on is not None
        assert timedelta(hours=1.9) < found.finished_on - datetime.now(UTC) < timedelta(hours=2.1)


async def test_schedules_follow(queue: toril.Queue) -> None:
    async with testing.clock(queue) as clock:
        start = await clock.now()
        midnight = (start + timedelta(days=2)).replace(hour=0, minute=0, second=0, microsecond=0)
        await queue.upsert_job_scheduler("nightly", toril.Cron("0 0 * * *"), "x", 3)
        await clock.move_to(midnight - timedelta(minutes=10))
        await queue.upsert_job_scheduler("late", toril.Cron("30 0 * * *"), "x", 4)
        times = {each.id: each.next_run for each in await queue.get_job_schedulers()}
        assert times["late"] == midnight + timedelta(minutes=30)
        async with toril.QueueEvents(queue.name, queue.url) as events, working(queue):
            done = await events.first(toril.events.Completed, timeout=5)
            assert done.return_value == 3  # missed nights run once
            await clock.move_to(midnight + timedelta(seconds=1))
            assert (await events.first(toril.events.Completed, timeout=5)).return_value == 3
            await clock.advance(1800)
            assert (await events.first(toril.events.Completed, timeout=5)).return_value == 4


async def test_deduplication_keys_run_on(queue: toril.Queue) -> None:
    async with testing.clock(queue) as clock:
        throttle = toril.Deduplication("k", ttl=3600)
        first = await queue.add("x", deduplication=throttle)
        await clock.advance(3500)
        assert (await queue.add("x", deduplication=throttle)).id == first.id
        await clock.advance(100)
        assert (await queue.add("x", deduplication=throttle)).created


async def test_rate_limits_run_on(queue: toril.Queue) -> None:
    await queue.store.connection.call("HSET", queue.store.keys.meta, "max", 1, "duration", 3_600_000)
    async with testing.clock(queue) as clock:
        jobs = [await queue.add("x") for _ in range(2)]
        async with working(queue):
            await jobs[0].wait(5)
            with pytest.raises(toril.WaitTimeout):
                await jobs[1].wait(0.1)
            await clock.advance(3600)
            await jobs[1].wait(4)


async def test_locks_expire_when_they_are_to(queue: toril.Queue) -> None:
    async with testing.clock(queue) as clock:
        lock = queue.store.keys.job("1") + LOCK_SUFFIX.decode()
        call = queue.store.connection.call
        await call("SET", lock, "x", "PX", 30000)
        await clock.advance(60)
        assert await call("EXISTS", lock) == 1
        await clock.advance(20, expire_locks=True)
        assert 5000 < await call("PTTL", lock) <= 10000
        await clock.advance(20, expire_locks=True)
        assert await call("EXISTS", lock) == 0


async def test_an_application_s_queues_move_together(valkey_url: str, queue_name: str) -> None:
    app = toril.Toril(valkey_url)

    @app.job(f"{queue_name}-a", name="one", delay=60)
    async def one() -> None: ...

    @app.job(f"{queue_name}-b", name="two", delay=60)
    async def two() -> None: ...

    async with testing.clock(app) as clock, app.worker_running():
        jobs = [await one.enqueue(), await two.enqueue()]
        await clock.advance(61)
        for job in jobs:
            await job.wait(5)
    await app.close()


async def test_flows_and_obliterated_queues_follow(queue: toril.Queue) -> None:
    async with testing.clock(queue) as clock, toril.FlowProducer(queue.url) as flows:
        flow = toril.FlowJob("x", queue.name, 1, children=[toril.FlowJob("x", queue.name, 2, delay=60)])
        added = await flows.add(flow)
        await clock.advance(61)
        async with working(queue):
            assert await added.job.wait(5) == 1
        await queue.pause()
        await queue.obliterate()
        await queue.resume()
        job = await queue.add("x", delay=60)
        await clock.advance(61)
        async with working(queue):
            await job.wait(5)


async def test_the_clock_ends_with_its_block(queue: toril.Queue) -> None:
    async with testing.clock(queue) as clock:
        await clock.advance(3600)
        moved = await queue.add("x")
    assert moved.timestamp is not None
    assert moved.timestamp - datetime.now(UTC) > timedelta(minutes=59)
    plain = await queue.add("x")
    assert plain.timestamp is not None
    assert plain.timestamp - datetime.now(UTC) < timedelta(minutes=1)
    assert not scripts.is_moved(queue.store.keys.base)


@pytest.mark.parametrize("method", ["add", "remove", "fetch"])
async def test_a_client_without_the_clock_is_told_of(queue: toril.Queue, method: str) -> None:
    keys = queue.store.keys
    clocks = testing.clock(queue)
    clock = await clocks.__aenter__()
    job = await queue.add("x")
    scripts.move_back(keys.base)  # as in another process
    if method == "add":
        await queue.add("y")
    elif method == "remove":
        await job.remove()
    else:
        assert (await WorkStore(queue.store.connection, keys, "w", 1000).commit([], 1, "t")).jobs
    scripts.move(keys.base)
    with pytest.raises(toril.ServerRefused, match="CLOCKMIXED"):
        await queue.add("x")
    with pytest.raises(toril.ServerRefused, match="CLOCKMIXED"):
        await clock.advance(1)
    with pytest.raises(toril.ServerRefused, match="CLOCKMIXED"):
        await clocks.__aexit__(None, None, None)
    await queue.add("x")


async def test_what_cannot_be_is_refused(queue: toril.Queue) -> None:
    with pytest.raises(toril.InvalidOption):
        async with testing.clock():
            pass
    async with testing.clock(queue) as clock:
        for wrong in (-1, float("nan"), "1"):
            with pytest.raises(toril.InvalidOption):
                await clock.advance(wrong)  # type: ignore[arg-type]
        with pytest.raises(toril.InvalidOption, match="zone"):
            await clock.move_to(datetime(2040, 1, 1))
        with pytest.raises(toril.InvalidOption, match="back"):
            await clock.move_to(datetime(2020, 1, 1, tzinfo=UTC))
        with pytest.raises(toril.WrongPlace, match="already"):
            async with testing.clock(queue):
                pass
        await clock.advance(1)  # the first block's clock is still there
    clocks = testing.clock(queue)
    clock = await clocks.__aenter__()
    await queue.store.connection.call("DEL", queue.store.keys.clock)
    with pytest.raises(toril.WrongPlace, match="lost"):
        await clock.advance(1)
    with pytest.raises(toril.WrongPlace, match="lost"):
        await clocks.__aexit__(None, None, None)
