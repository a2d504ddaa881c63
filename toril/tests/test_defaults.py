"""Options that bound a job, and a queue's defaults."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

import toril

Running = Callable[..., AbstractAsyncContextManager[toril.Worker]]


async def test_a_queue_s_defaults_hold_where_a_job_says_nothing(queue: toril.Queue) -> None:
    keep = toril.Keep(count=7)
    async with toril.Queue(queue.name, queue.url, defaults={"attempts": 5, "keep_failed": keep}) as made:
        await made.add("plain")
        await made.add("own", attempts=2)
        await made.add_many([toril.NewJob("bulk", priority=1)])
    plain, own = sorted(await queue.get_jobs("waiting"), key=lambda job: job.name, reverse=True)
    (bulk,) = await queue.get_jobs("prioritized")
    assert (plain.options.attempts, plain.options.keep_failed) == (5, keep)
    assert (own.options.attempts, own.options.keep_failed) == (2, keep)
    assert (bulk.options.attempts, bulk.options.priority) == (5, 1)
    with pytest.raises(toril.InvalidOption):
        toril.Queue("x", queue.url, defaults={"attempts": 0})


async def test_data_may_be_bounded(queue: toril.Queue) -> None:
    await queue.add("x", "four", size_limit=6)
    with pytest.raises(toril.InvalidPayload, match="has 7 bytes, more than its size_limit of 6"):
        await queue.add("x", "fiver", size_limit=6)


@pytest.mark.parametrize(("keep", "kept"), [(None, 4), (2, 2), (0, 0)])
async def test_stack_traces_are_bounded(
    queue: toril.Queue, running: Running, keep: int | None, kept: int
) -> None:
    def fail(job: toril.Job) -> None:
        raise ValueError(f"no {job.attempts_made}")

    async with running(fail):
        job = await queue.add("x", attempts=4, keep_traces=keep)
        with pytest.raises(toril.JobFailed):
            await job.wait(5)
    found = await queue.get_job(job.id)
    assert found is not None
    assert len(found.stacktrace) == kept


async def test_a_job_that_begins_too_often_fails(queue: toril.Queue, running: Running) -> None:
    async def snooze(job: toril.Job) -> None:
        raise toril.Snooze(0)

    async with running(snooze, max_started_attempts=3):
        job = await queue.add("x")
        with pytest.raises(toril.JobFailed, match="started more than allowable"):
            await job.wait(5)
    found = await queue.get_job(job.id)
    assert found is not None
    assert found.attempts_started == 4


async def test_the_stream_s_length_and_the_queue_s_settings(queue: toril.Queue) -> None:
    await queue.set_max_events(100)
    await queue.set_global_concurrency(3)
    await queue.pause()
    assert await queue.get_meta() == {"opts.maxLenEvents": "100", "concurrency": "3", "paused": "1"}
