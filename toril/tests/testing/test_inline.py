"""Inline mode: jobs run where they are enqueued."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

import toril
from toril import testing

from .conftest import Shop


async def test_a_job_runs_where_it_is_enqueued(shop: Shop) -> None:
    with testing.inline(shop.app) as jobs:
        job = await shop.welcome.enqueue(user_id="u1", full_name="Bob")
        assert shop.calls == [("welcome", "u1")]
        assert (job.return_value, job.created, job.id) == ("Welcome, Bob!", True, "1")
        assert await job.wait() == "Welcome, Bob!"
        assert await job.get_state() is toril.JobState.COMPLETED
        assert job.finished_on is not None
        assert [(ran.job.id, ran.state, ran.runs) for ran in jobs.ran] == [("1", "completed", 1)]
        queue = shop.app.queue("email")
        assert await queue.get_job("1") is job
        assert await queue.get_job("2") is None
        many = await queue.add_many([shop.welcome.new_job(f"m{n}") for n in range(3)])
        assert [each.id for each in many] == ["2", "3", "4"]
    assert shop.app.queue("email") is not queue


async def test_the_caller_s_context_is_the_handler_s(shop: Shop) -> None:
    seen: contextvars.ContextVar[str] = contextvars.ContextVar("seen")

    @shop.app.job("context")
    async def look() -> str:
        assert asyncio.current_task() is task
        return seen.get()

    task = asyncio.current_task()
    with testing.inline(shop.app):
        seen.set("yes")
        assert (await look.enqueue()).return_value == "yes"


async def test_retries_follow_at_once(shop: Shop) -> None:
    with testing.inline(shop.app) as jobs:
        job = await shop.flaky.enqueue(good_run=3)
    assert job.return_value == 3
    assert (job.attempts_made, job.attempts_started, job.progress) == (3, 3, 3)
    assert shop.calls == [("flaky", 0), ("flaky", 1), ("flaky", 2)]
    assert job.failed_reason == "run 2"
    assert len(job.stacktrace) == 2
    assert jobs.ran[0].logs == ["run 1", "run 2", "run 3"]


async def test_a_failure_raises_where_it_was_enqueued(shop: Shop) -> None:
    with testing.inline(shop.app) as jobs:
        with pytest.raises(toril.JobFailed, match="no order -1") as caught:
            await shop.order.enqueue(-1)
        assert "Fail: no order -1" in caught.value.__notes__[0]
        with pytest.raises(toril.JobFailed, match="run 3"):
            await shop.flaky.enqueue(good_run=4)
        assert [ran.runs for ran in jobs.failed] == [1, 3]
        assert jobs.completed == []


async def test_a_handler_does_not_hear_of_the_failure_of_what_it_enqueues(shop: Shop) -> None:
    @shop.app.job("outer", attempts=5)
    async def outer(number: int) -> str:
        await shop.order.enqueue(number)
        return "enqueued"

    with testing.inline(shop.app) as jobs:
        with pytest.raises(toril.JobFailed, match="no order -1"):
            await outer.enqueue(-1)
        assert [(ran.job.name, ran.state, ran.runs) for ran in jobs.ran] == [
            ("order", "failed", 1),
            ("outer", "completed", 1),
        ]
        ends = await asyncio.gather(outer.enqueue(-2), outer.enqueue(2), return_exceptions=True)
        assert isinstance(ends[0], toril.JobFailed)
        assert isinstance(ends[1], toril.Job)


async def test_a_failure_can_be_looked_at_instead(shop: Shop) -> None:
    with testing.inline(shop.app, raise_failures=False) as jobs:
        job = await shop.order.enqueue(-1)
        assert job.failed_reason == "no order -1"
        assert await job.get_state() is toril.JobState.FAILED
        with pytest.raises(toril.JobFailed, match="no order -1"):
            await job.wait()
    assert [ran.job for ran in jobs.failed] == [job]


async def test_jobs_enqueue_jobs(shop: Shop) -> None:
    with testing.inline(shop.app) as jobs:
        await shop.nested.enqueue(depth=3)
    assert shop.calls == [("nested", 3), ("nested", 2), ("nested", 1), ("nested", 0), ("welcome", "deep")]
    assert [ran.job.name for ran in jobs.ran] == ["welcome", "nested", "nested", "nested", "nested"]


async def test_jobs_without_end_are_told(shop: Shop) -> None:
    @shop.app.job("endless")
    async def snoozes() -> None:
        raise toril.Snooze(60)

    with testing.inline(shop.app):
        with pytest.raises(toril.JobFailed, match="deep"):
            await shop.nested.enqueue(depth=100)
        with pytest.raises(toril.WrongPlace, match="more than 100 times"):
            await snoozes.enqueue()


async def test_the_pipeline_is_the_worker_s(shop: Shop) -> None:
    @shop.app.job("slow", timeout=0.05)
    async def slow() -> None:
        await asyncio.sleep(60)

    @shop.app.job("slow")
    async def unwritable() -> object:
        return object()

    with testing.inline(shop.app):
        with pytest.raises(toril.JobFailed, match="timed out"):
            await slow.enqueue()
        with pytest.raises(toril.JobFailed, match="JSON"):
            await unwritable.enqueue()
        with pytest.raises(toril.InvalidPayload):
            await shop.order.enqueue("x")
        with pytest.raises(toril.JobFailed, match="number"):  # as from a foreign producer
            await shop.app.queue("orders").add("order", {"number": "x"})
        with pytest.raises(toril.UnknownJob, match="nothing"):
            await shop.app.queue("orders").add("nothing")


async def test_the_caller_s_cancellation_is_not_the_job_s(shop: Shop) -> None:
    @shop.app.job("slow")
    async def slow() -> None:
        await asyncio.sleep(60)

    with testing.inline(shop.app) as jobs:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await slow.enqueue()
        assert jobs.ran == []


async def test_ids_and_keys_run_once(shop: Shop) -> None:
    once = shop.welcome.options(job_id="only")
    throttled = shop.welcome.options(deduplication=toril.Deduplication("k", ttl=60))
    until_done = shop.welcome.options(deduplication=toril.Deduplication("d"))
    with testing.inline(shop.app):
        for definition, created in ((once, False), (throttled, False), (until_done, True)):
            first, second = [await definition.enqueue(user_id="u") for _ in range(2)]
            assert (first.created, second.created) == (True, created)
            assert (first.id == second.id) is not created
    assert len(shop.calls) == 4


async def test_what_needs_a_server_is_refused(shop: Shop) -> None:
    with testing.inline(shop.app):
        queue = shop.app.queue("email")
        job = await shop.welcome.enqueue(user_id="u")
        for call in (queue.pause(), queue.get_job_counts(), job.retry(), job.remove()):
            with pytest.raises(toril.WrongPlace, match="manual"):
                await call
        with pytest.raises(toril.WrongPlace, match="flows"):
            await shop.app.flows.add(toril.FlowJob("welcome", "email"))
        with pytest.raises(toril.WrongPlace, match="parent"):
            await queue.add("welcome", {"userId": "u"}, parent=toril.JobRef("email", "1"))
        with pytest.raises(toril.JobNotFound):
            await queue.wait("7")


async def test_assertions_see_what_was_enqueued(shop: Shop) -> None:
    with testing.inline(shop.app) as jobs:
        await shop.welcome.options(delay=60.0).enqueue(user_id="u1")
        job = await jobs.assert_enqueued(shop.welcome, user_id="u1", delay=60)
        assert job.return_value == "Welcome, Ann!"
        await jobs.refute_enqueued(shop.order)


def test_what_is_no_application_is_refused() -> None:
    with pytest.raises(toril.InvalidOption), testing.inline("app"):  # type: ignore[arg-type]
        pass
