"""Verbs on many jobs at once, and on the log, delay, priority and data of one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

import toril
from toril import NewJob

Running = Callable[..., AbstractAsyncContextManager[toril.Worker]]


async def handler(job: toril.Job) -> None:
    if job.name == "bad":
        raise toril.Fail("bad")


async def finish(queue: toril.Queue, jobs: list[toril.Job], running: Running) -> None:
    async with running(handler, concurrency=50):
        for job in jobs:
            with contextlib.suppress(toril.JobFailed):
                await job.wait(20)


async def test_failed_jobs_are_retried_in_bulk_with_all_their_attempts(
    queue: toril.Queue, running: Running
) -> None:
    jobs = await queue.add_many([NewJob("bad", n, priority=n % 2) for n in range(1500)] + [NewJob("good")])
    await finish(queue, jobs, running)
    assert await queue.retry_jobs(limit=10) == 10
    assert await queue.retry_jobs() == 1490
    counts = await queue.get_job_counts()
    assert (counts["waiting"], counts["prioritized"], counts["failed"], counts["completed"]) == (
        750,
        750,
        0,
        1,
    )
    found = await queue.get_job(jobs[0].id)
    assert found is not None
    assert (found.attempts_made, found.failed_reason, found.finished_on) == (0, None, None)
    assert await queue.retry_jobs("completed") == 1
    with pytest.raises(toril.InvalidOption, match="only failed and completed"):
        await queue.retry_jobs("active")


async def test_a_retry_may_leave_the_attempts_as_they_are(queue: toril.Queue, running: Running) -> None:
    (job,) = await queue.add_many([NewJob("bad")])
    await finish(queue, [job], running)
    await job.retry(reset_attempts=False)
    found = await queue.get_job(job.id)
    assert found is not None
    assert (found.attempts_made, found.attempts_started) == (1, 1)


async def test_delayed_jobs_are_promoted_in_bulk(queue: toril.Queue) -> None:
    await queue.add_many([NewJob("x", n, delay=3600 + n, priority=n % 2) for n in range(1200)])
    assert await queue.promote_jobs(limit=2) == 2
    assert sorted(
        job.data for job in await queue.get_jobs("waiting") + await queue.get_jobs("prioritized")
    ) == [0, 1]
    assert await queue.promote_jobs() == 1198
    assert await queue.promote_jobs() == 0


@pytest.mark.parametrize(
    ("state", "options"),
    [
        ("waiting", {}),
        ("prioritized", {"priority": 3}),
        ("delayed", {"delay": 3600.0}),
        ("completed", {}),
        ("failed", {}),
    ],
)
async def test_each_state_is_cleaned_by_age(
    queue: toril.Queue, state: str, options: toril.JobKeywords, running: Running
) -> None:
    name = "bad" if state == "failed" else "x"
    jobs = await queue.add_many([NewJob(name, n, **options) for n in range(30)])
    if state in {"completed", "failed"}:
        await finish(queue, jobs, running)
    old = {job.id for job in jobs[:20]}
    for job_id in old:
        key = queue.store.keys.job(job_id)
        if state in {"completed", "failed"}:
            await queue.store.connection.call("ZADD", f"{queue.store.keys.base}{state}", 1000, job_id)
            await queue.store.connection.call("HSET", key, "finishedOn", 1000)
        else:
            await queue.store.connection.call("HSET", key, "timestamp", 1000)
    some = await queue.clean(state, age=3600.0, limit=5)
    assert len(some) == 5
    assert {*some, *await queue.clean(state, age=3600.0)} == old
    assert (await queue.get_job_counts())[state] == 10
    assert len(await queue.clean(state)) == 10
    assert await queue.get_jobs(state) == []


async def test_cleaning_passes_over_thousands_that_are_young(queue: toril.Queue) -> None:
    jobs = await queue.add_many([NewJob("x", n, priority=1) for n in range(2500)])
    for job in (jobs[0], jobs[2499]):
        await queue.store.connection.call("HSET", queue.store.keys.job(job.id), "timestamp", 1000)
    assert set(await queue.clean("prioritized", age=60.0)) == {jobs[0].id, jobs[2499].id}


async def test_running_jobs_and_next_jobs_of_schedulers_are_not_cleaned(queue: toril.Queue) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def hold(job: toril.Job) -> None:
        started.set()
        await go_on.wait()

    worker = toril.Worker(queue.name, hold, url=queue.url)
    task = asyncio.create_task(worker.run(handle_signals=False))
    await queue.add("x")
    async with asyncio.timeout(5):
        await started.wait()
    await queue.upsert_job_scheduler("s", toril.Cron("0 0 1 1 *"), "yearly")
    assert await queue.clean("active") == []
    assert await queue.clean("delayed") == []
    assert (await queue.get_job_counts())["delayed"] == 1
    go_on.set()
    worker.stop()
    await task
    with pytest.raises(toril.InvalidOption, match="cannot be cleaned"):
        await queue.clean("waiting-children")


async def test_counts(queue: toril.Queue) -> None:
    await queue.add_many(
        [NewJob("x"), NewJob("x", priority=1), NewJob("x", priority=1), NewJob("x", delay=99)]
    )
    assert await queue.get_counts_per_priority([0, 1, 2]) == {0: 1, 1: 2, 2: 0}
    assert await queue.count() == 4


async def test_delay_priority_and_data_of_a_job_are_changed(queue: toril.Queue) -> None:
    job = await queue.add("x", {"a": 1}, delay=5.0)
    await job.change_delay(500.0)
    await job.update_data({"a": 2})
    found = await queue.get_job(job.id)
    assert found is not None
    assert (found.delay, found.data, job.data) == (500.0, {"a": 2}, {"a": 2})
    with pytest.raises(toril.JobNotInState):
        await (await queue.add("y")).change_delay(1.0)
    for verb in (queue.change_delay("0", 1.0), queue.change_priority("0", 1), queue.update_data("0", 1)):
        with pytest.raises(toril.JobNotFound):
            await verb
    jobs = await queue.add_many([NewJob(name, priority=5) for name in "abc"])
    await jobs[2].change_priority(5, lifo=True)
    await jobs[1].change_priority(1)
    assert [each.name for each in await queue.get_jobs("prioritized", ascending=True)] == ["b", "c", "a"]
    await jobs[0].change_priority(0, lifo=True)
    assert [each.name for each in await queue.get_jobs("waiting", ascending=True)] == ["a", "y"]


async def test_a_log_is_bounded_paged_and_cleared(queue: toril.Queue) -> None:
    job = await queue.add("x", keep_logs=3)
    assert [await job.log(f"line {n}") for n in range(5)] == [1, 2, 3, 3, 3]
    assert await job.get_logs() == ["line 2", "line 3", "line 4"]
    assert await job.get_logs(-1) == ["line 4"]
    await job.clear_logs(keep=1)
    assert await job.get_logs() == ["line 4"]
    await job.clear_logs()
    assert await job.get_logs() == []
    with pytest.raises(toril.JobNotFound):
        await queue.log("0", "nobody")
