"""Deduplication: each mode, and that no add is dropped in silence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

import toril
from toril import Deduplication, JobState

Ran = list[tuple[str, object]]

Running = Callable[..., AbstractAsyncContextManager[toril.Worker]]


async def dedup_keys(queue: toril.Queue) -> set[str]:
    keys = await queue.store.connection.call("KEYS", queue.store.keys.base + "d*")
    return {key.decode().removeprefix(queue.store.keys.base) for key in keys} - {"delayed"}


async def test_silent_dedup_drop(queue: toril.Queue) -> None:
    """Each add says whether it made a job or which job it is taken for, in one batch too; an event tells."""
    async with toril.QueueEvents(queue.name, queue.url) as events:
        once = Deduplication("k")
        jobs = await asyncio.gather(*(queue.add("x", n, deduplication=once) for n in range(3)))
        assert [job.created for job in jobs] == [True, False, False]
        assert len({job.id for job in jobs}) == 1
        many = await queue.add_many(
            [toril.NewJob("x", n, deduplication=once) for n in range(2)] + [toril.NewJob("y")]
        )
        assert [job.created for job in many] == [False, False, True]
        assert many[0].id == jobs[0].id
        own = [await queue.add("z", job_id="mine") for _ in range(2)]
        assert [job.created for job in own] == [True, False]
        seen: list[str] = []
        async with asyncio.timeout(5):
            async for event in events:
                if event.type in {"deduplicated", "duplicated"}:
                    seen.append(event.type)
                if event.type == "duplicated":
                    break
    assert seen == ["deduplicated"] * 4 + ["duplicated"]
    found = await queue.get_job(jobs[0].id)
    assert found is not None
    assert found.data == 0


async def test_debounce_runs_the_last_after_quiet(queue: toril.Queue) -> None:
    mode = Deduplication.debounce("k", 60.0)
    first = await queue.add("x", 1, delay=60.0, deduplication=mode)
    second = await queue.add("x", 2, delay=60.0, deduplication=mode)
    assert second.created
    assert second.id != first.id
    assert await queue.get_job(first.id) is None
    assert await queue.get_deduplication_job_id("k") == second.id
    assert [job.data for job in await queue.get_jobs(JobState.DELAYED)] == [2]
    await second.promote()
    third = await queue.add("x", 3, delay=60.0, deduplication=mode)
    assert (third.created, third.id) == (False, second.id), "only a delayed job is replaced"


async def test_extend_begins_the_window_anew(queue: toril.Queue) -> None:
    key = queue.store.keys.deduplication("k")
    mode = Deduplication("k", ttl=600.0, extend=True)
    await queue.add("x", deduplication=mode)
    await queue.store.connection.call("PEXPIRE", key, 1000)
    assert not (await queue.add("x", deduplication=mode)).created
    assert await queue.store.connection.call("PTTL", key) > 500_000
    await queue.store.connection.call("PEXPIRE", key, 1000)
    assert not (await queue.add("x", deduplication=Deduplication.throttle("k", 600.0))).created
    assert await queue.store.connection.call("PTTL", key) <= 1000


async def test_reschedule_delays_the_first_anew(queue: toril.Queue) -> None:
    first = await queue.add("x", 1, delay=5.0, deduplication=Deduplication("k"))
    again = await queue.add("x", 2, delay=500.0, deduplication=Deduplication("k", reschedule=True))
    assert (again.created, again.id) == (False, first.id)
    found = await queue.get_job(first.id)
    assert found is not None
    assert (found.data, found.delay) == (1, 500.0)


@pytest.mark.parametrize("fails", [False, True])
async def test_keep_last_runs_what_came_while_it_ran(
    queue: toril.Queue, fails: bool, running: Running
) -> None:
    mode = Deduplication.keep_last("k")
    ran: Ran = []
    started, go_on, all_done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handler(job: toril.Job) -> None:
        ran.append((job.id, job.data))
        started.set()
        if len(ran) == 2:
            all_done.set()
        await go_on.wait()
        if fails:
            raise toril.Fail("no")

    async with running(handler, concurrency=5), asyncio.timeout(10):
        first = await queue.add("x", 1, deduplication=mode)
        await started.wait()
        later = [await queue.add("x", n, deduplication=mode, priority=n) for n in (2, 3, 4)]
        assert [(job.created, job.id) for job in later] == [(False, first.id)] * 3
        go_on.set()
        await all_done.wait()
    assert [data for _, data in ran] == [1, 4]
    assert await dedup_keys(queue) == set()
    counts = await queue.get_job_counts()
    assert counts["failed" if fails else "completed"] == 2


async def test_while_it_waits_keep_last_keeps_the_first(queue: toril.Queue) -> None:
    mode = Deduplication.keep_last("k")
    first = await queue.add("x", 1, deduplication=mode)
    assert (await queue.add("x", 2, deduplication=mode)).id == first.id
    await queue.remove(first.id)
    assert await dedup_keys(queue) == set()
    assert (await queue.add("x", 3, deduplication=mode)).created


async def test_a_key_can_be_freed(queue: toril.Queue) -> None:
    first = await queue.add("x", deduplication=Deduplication("k"))
    found = await queue.get_job(first.id)
    assert found is not None
    assert await found.remove_deduplication_key()
    second = await queue.add("x", deduplication=Deduplication("k"))
    assert second.created
    assert not await found.remove_deduplication_key(), "it is the second's now"
    assert await queue.remove_deduplication_key("k")
    assert not await queue.remove_deduplication_key("k")


async def test_a_holder_that_was_lost_holds_nothing(queue: toril.Queue) -> None:
    first = await queue.add("x", deduplication=Deduplication("k"))
    await queue.store.connection.call("DEL", queue.store.keys.job(first.id))
    assert (await queue.add("x", deduplication=Deduplication("k"))).created


def test_wrong_deduplications_are_refused() -> None:
    with pytest.raises(toril.InvalidOption, match="needs a ttl"):
        Deduplication("k", extend=True)
    with pytest.raises(toril.InvalidOption, match="more than 0"):
        Deduplication.throttle("k", 0)
