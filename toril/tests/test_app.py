"""Declared jobs: typed payloads, dispatch by name, schedules."""

from __future__ import annotations

import asyncio
import itertools

import pytest

import toril


@pytest.fixture
def app(valkey_url: str) -> toril.Toril:
    return toril.Toril(valkey_url)


async def test_a_declared_job_runs_with_its_arguments(app: toril.Toril, queue_name: str) -> None:
    @app.job(queue_name, name="welcome")
    async def welcome(job: toril.JobContext, user_id: str, times: int = 2) -> dict[str, object]:
        return {"id": job.id, "user": user_id, "times": times}

    async with app.worker_running():
        job = await welcome.enqueue("u1")
        assert await job.wait(5) == {"id": job.id, "user": "u1", "times": 2}
    assert job.data == {"userId": "u1", "times": 2}
    await app.close()


async def test_a_plain_function_runs_in_a_thread(app: toril.Toril, queue_name: str) -> None:
    import threading

    @app.job(queue_name)
    def where(*, deep: bool) -> str:
        return threading.current_thread().name

    async with app.worker_running():
        job = await where.enqueue(deep=True)
        assert (await job.wait(5)).startswith("toril-job-")
    await app.close()


async def test_a_wrong_argument_is_refused_at_enqueue(app: toril.Toril, queue_name: str) -> None:
    @app.job(queue_name)
    async def send(user_id: str) -> None: ...

    with pytest.raises(toril.InvalidPayload, match="userId"):
        send.new_job(user_id=3)  # type: ignore[arg-type]
    with pytest.raises(toril.InvalidPayload, match="user_id"):
        send.new_job()  # type: ignore[call-arg]


async def test_a_foreign_misfit_fails_at_once(app: toril.Toril, queue: toril.Queue) -> None:
    @app.job(queue.name, name="send", attempts=5)
    async def send(user_id: str) -> None: ...

    async with app.worker_running():
        job = await queue.add("send", {"userId": 7, "more": 1}, attempts=5)
        with pytest.raises(toril.JobFailed, match="userId"):
            await job.wait(5)
    found = await queue.get_job(job.id)
    assert found is not None
    assert found.attempts_made == 1
    await app.close()


async def test_an_unknown_name_is_parked(app: toril.Toril, queue: toril.Queue) -> None:
    @app.job(queue.name)
    async def known() -> None: ...

    async with app.worker_running(), asyncio.timeout(5):
        job = await queue.add("unknown", {})
        while await job.get_state() != toril.JobState.DELAYED:
            await asyncio.sleep(0.01)
    found = await queue.get_job(job.id)
    assert found is not None
    assert found.attempts_made == 0
    await app.close()


async def test_a_schedule_makes_jobs_again_and_again(app: toril.Toril, queue_name: str) -> None:
    ran = asyncio.Queue[str]()

    @app.job(queue_name)
    async def tick(job: toril.JobContext) -> None:
        ran.put_nowait(job.id)

    app.schedule("ticks", toril.Every(0.1, missed=toril.Missed.all()), tick)
    async with app.worker_running(), asyncio.timeout(5):
        ids = [await ran.get() for _ in range(4)]
    assert len(set(ids)) == 4
    times = [int(each.rpartition(":")[2]) for each in ids]
    assert [b - a for a, b in itertools.pairwise(times)] == [100, 100, 100]
    await app.close()


async def test_fifty_declarations_at_once_make_one_job(valkey_url: str, queue_name: str) -> None:
    async def declare() -> bool:
        async with toril.Queue(queue_name, valkey_url) as queue:
            return await queue.upsert_job_scheduler("scan", toril.Cron("*/5 * * * *"), "scan", {"a": 1})

    changed = await asyncio.gather(*(declare() for _ in range(50)))
    assert changed.count(True) == 1
    async with toril.Queue(queue_name, valkey_url) as queue:
        assert (await queue.get_job_counts())["delayed"] == 1
        (scheduler,) = await queue.get_job_schedulers()
        assert scheduler.next_run.minute % 5 == 0
        assert await queue.upsert_job_scheduler("scan", toril.Cron("*/5 * * * *"), "scan", {"a": 2})
        (job,) = await queue.get_jobs("delayed")
        assert job.data == {"a": 2}
        assert await queue.remove_job_scheduler("scan")
        assert (await queue.get_job_counts())["delayed"] == 0


async def test_its_workers_count_ends_and_take_its_options(
    valkey_url: str, queue: toril.Queue, queue_name: str
) -> None:
    app = toril.Toril(valkey_url, metrics_minutes=5)

    @app.job(queue_name)
    async def work() -> None: ...

    async with app.worker_running(death_after=None, lock_duration=12.0):
        (worker,) = app.workers
        assert (worker._death_after, worker._lock_duration) == (None, 12.0)
        await (await work.enqueue()).wait(5)
    assert (await queue.get_metrics("completed")).count == 1
    await app.close()
