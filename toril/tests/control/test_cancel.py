"""Cancelling jobs: waiting, running in each manner, and at every awkward moment."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

import toril
from toril import Cancellation, FlowJob, JobState
from toril.worker.runs import Runs

Running = Callable[..., AbstractAsyncContextManager[toril.Worker]]


async def reason_of(queue: toril.Queue, job_id: str) -> str | None:
    job = await queue.get_job(job_id)
    assert job is not None
    assert await job.get_state() == JobState.FAILED
    return job.failed_reason


@pytest.mark.parametrize("options", [{}, {"delay": 60.0}, {"priority": 3}], ids=str)
async def test_a_waiting_job_fails_at_once(queue: toril.Queue, options: toril.JobKeywords) -> None:
    job = await queue.add("x", attempts=5, deduplication=toril.Deduplication("k"), **options)
    assert await job.cancel("no longer wanted") is Cancellation.FAILED
    assert await reason_of(queue, job.id) == "cancelled: no longer wanted"
    with pytest.raises(toril.JobFailed, match="cancelled"):
        await job.wait(5)
    assert (await queue.add("x", deduplication=toril.Deduplication("k"))).created


async def test_what_cannot_be_cancelled_is_told(queue: toril.Queue, running: Running) -> None:
    with pytest.raises(toril.JobNotFound):
        await queue.cancel("0")
    await queue.upsert_job_scheduler("s", toril.Cron("0 0 1 1 *"), "yearly")
    (planned,) = await queue.get_jobs("delayed")
    with pytest.raises(toril.JobNotInState, match="scheduler"):
        await planned.cancel()

    async def quick(job: toril.Job) -> None: ...

    async with running(quick):
        job = await queue.add("x")
        await job.wait(5)
    with pytest.raises(toril.JobNotInState, match="waiting or running"):
        await job.cancel()


async def test_a_running_coroutine_is_cancelled_at_once_from_another_connection(
    queue: toril.Queue, running: Running
) -> None:
    started = asyncio.Event()
    cleaned: list[float] = []

    async def forever(job: toril.Job) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(time.monotonic())

    async with running(forever):
        job = await queue.add("x", attempts=5)
        await started.wait()
        asked = time.monotonic()
        assert await queue.cancel(job.id, "stop") is Cancellation.ASKED
        with pytest.raises(toril.JobFailed, match="cancelled: stop"):
            await job.wait(5)
    assert cleaned[0] - asked < 1.0
    found = await queue.get_job(job.id)
    assert found is not None
    assert (found.attempts_made, found.cancelled) == (1, False), "the mark is gone with the run"


async def test_a_thread_looks_at_its_token(queue: toril.Queue, running: Running) -> None:
    started = threading.Event()

    def work(job: toril.Job) -> None:
        started.set()
        while True:
            job.raise_if_cancelled()
            time.sleep(0.005)

    async with running(work):
        job = await queue.add("x", attempts=5)
        await asyncio.to_thread(started.wait, 5)
        await job.cancel("enough")
        with pytest.raises(toril.JobFailed, match="cancelled: enough"):
            await job.wait(5)


async def test_a_handler_that_finishes_all_the_same_completes_its_job(
    queue: toril.Queue, running: Running
) -> None:
    started = asyncio.Event()

    async def stubborn(job: toril.Job) -> str:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "done before I heard of it"
        raise AssertionError

    async with running(stubborn):
        job = await queue.add("x")
        await started.wait()
        await job.cancel()
        assert await job.wait(5) == "done before I heard of it"


async def test_an_error_while_being_cancelled_is_not_retried(queue: toril.Queue, running: Running) -> None:
    started = asyncio.Event()

    async def clumsy(job: toril.Job) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("in the clean-up")

    async with running(clumsy):
        job = await queue.add("x", attempts=5)
        await started.wait()
        await job.cancel("stop")
        with pytest.raises(toril.JobFailed, match="cancelled: stop"):
            await job.wait(5)


async def test_the_mark_is_found_when_the_stream_was_not_heard(queue: toril.Queue, running: Running) -> None:
    """The keeper finds it when it renews locks."""
    started = asyncio.Event()

    async def forever(job: toril.Job) -> None:
        started.set()
        await asyncio.Event().wait()

    async with running(forever, lock_duration=0.6):
        job = await queue.add("x")
        await started.wait()
        await queue.store.connection.call("HSET", queue.store.keys.job(job.id), "toril:cancel", "by its mark")
        with pytest.raises(toril.JobFailed, match="cancelled: by its mark"):
            await job.wait(5)


async def test_a_job_whose_worker_died_is_not_run_again(queue: toril.Queue, running: Running) -> None:
    job = await queue.add("x", attempts=5)
    store = queue.store
    await store.connection.call("LMOVE", store.keys.wait, store.keys.active, "RIGHT", "LEFT")
    assert await job.cancel("dead anyway") is Cancellation.ASKED
    ran: list[str] = []

    async def handler(job: toril.Job) -> None:
        ran.append(job.id)

    async with running(handler, stalled_interval=0.1):
        with pytest.raises(toril.JobFailed, match="cancelled: dead anyway"):
            await job.wait(10)
    assert ran == []


async def test_a_retry_or_a_hand_back_of_a_cancelled_job_fails(queue: toril.Queue, running: Running) -> None:
    started = asyncio.Event()

    async def snoozer(job: toril.Job) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise toril.Snooze(60.0) from None

    async with running(snoozer):
        job = await queue.add("x", attempts=5)
        await started.wait()
        await job.cancel("really")
        with pytest.raises(toril.JobFailed, match="cancelled: really"):
            await job.wait(5)


async def test_a_cancelled_job_that_is_retried_runs(queue: toril.Queue, running: Running) -> None:
    job = await queue.add("x")
    await job.cancel()

    async def handler(job: toril.Job) -> str:
        return "ran"

    async with running(handler):
        await job.retry()
        assert await job.wait(5) == "ran"


async def test_a_cancelled_child_tells_its_parent(queue: toril.Queue) -> None:
    async with toril.FlowProducer(queue.url) as flows:
        node = await flows.add(
            FlowJob(
                "top", queue.name, children=[FlowJob("low", queue.name, on_failure=toril.OnFailure.IGNORE)]
            )
        )
        await node.children[0].job.cancel("skip it")
        assert await node.job.get_state() == JobState.WAITING
        assert list((await node.job.get_ignored_failures()).values()) == ["cancelled: skip it"]


async def test_a_cancel_before_the_run_s_first_step_is_heeded(
    queue: toril.Queue, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Runs.begin

    def begin_and_cancel(runs: Runs, job_id: str, fields: dict[bytes, bytes], token: str) -> None:
        begin(runs, job_id, fields, token)
        runs.cancel(job_id, "too soon")

    monkeypatch.setattr(Runs, "begin", begin_and_cancel)

    async def handler(job: toril.Job) -> None: ...

    async with running(handler):
        job = await queue.add("x")
        with pytest.raises(toril.JobFailed, match="cancelled: too soon"):
            await job.wait(5)


async def test_cancels_and_ends_at_the_same_moment_leave_one_end_each(
    queue: toril.Queue, running: Running
) -> None:
    async def brief(job: toril.Job) -> None:
        await asyncio.sleep(0)

    async with running(brief, concurrency=20):
        jobs = await queue.add_many([toril.NewJob("x") for _ in range(300)])
        await asyncio.gather(*(queue.cancel(job.id) for job in jobs), return_exceptions=True)
        await asyncio.gather(*(job.wait(10) for job in jobs), return_exceptions=True)
    counts = await queue.get_job_counts()
    assert counts["completed"] + counts["failed"] == 300
    assert counts["active"] == counts["waiting"] == 0
