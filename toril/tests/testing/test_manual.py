"""Manual mode: jobs wait on a real server until they are drained."""

from __future__ import annotations

import asyncio

import pytest

import toril
from toril import testing
from toril.storage.discovery import queue_names

from .conftest import Shop


async def test_nothing_runs_until_it_is_drained(shop: Shop) -> None:
    async with testing.manual(shop.app) as jobs:
        job = await shop.welcome.enqueue(user_id="u1")
        assert shop.calls == []
        done = await jobs.drain()
        assert (done.completed, done.failed, done.retried, done.left, done.delayed) == (1, 0, 0, 0, 0)
        assert await job.wait(1) == "Welcome, Ann!"
        assert [event.type for event in done.events["email"]][-3:] == ["active", "completed", "drained"]
        again = await jobs.drain()
        assert (again.completed, again.events["email"]) == (0, [])
        await jobs.refute_enqueued()


async def test_blocks_do_not_meet_and_leave_nothing(shop: Shop, valkey_url: str) -> None:
    prefixes = []
    for _ in range(2):
        async with testing.manual(shop.app) as jobs:
            prefixes.append(shop.app.prefix)
            assert await jobs.all_enqueued() == []
            await shop.welcome.enqueue(user_id="u1")
            await shop.order.options(delay=60).enqueue(1)
            await jobs.drain()
            await shop.welcome.enqueue(user_id="u2")
    for prefix in (*prefixes, shop.app.prefix):
        assert await queue_names(valkey_url, prefix) == []
    assert len({*prefixes, shop.app.prefix}) == 3


async def test_a_given_prefix_is_kept(shop: Shop, valkey_url: str) -> None:
    prefix = f"{shop.app.prefix}-mine"
    async with testing.manual(shop.app, url=valkey_url, prefix=prefix):
        await shop.welcome.enqueue(user_id="u1")
    async with testing.manual(shop.app, prefix=prefix) as jobs:
        await jobs.assert_enqueued(shop.welcome, user_id="u1")


async def test_what_jobs_enqueue_runs_too(shop: Shop) -> None:
    async with testing.manual(shop.app) as jobs:
        await shop.nested.enqueue(depth=5)
        done = await jobs.drain()
    assert done.completed == 7
    assert shop.calls[-1] == ("welcome", "deep")


async def test_failures_are_told(shop: Shop) -> None:
    async with testing.manual(shop.app) as jobs:
        bad = await shop.order.enqueue(-1)
        await shop.order.enqueue(1)
        done = await jobs.drain()
        assert (done.completed, done.failed) == (1, 1)
        assert done.failures == {("orders", bad.id): "no order -1"}
        await shop.order.enqueue(-2)
        with pytest.raises(toril.JobFailed, match="job 3 of orders: no order -2"):
            await jobs.drain(raise_failures=True)


async def test_cancelled_jobs_are_counted(shop: Shop) -> None:
    @shop.app.job("cancels")
    async def cancels(job: toril.JobContext) -> None:
        await job.cancel("no need")
        await asyncio.sleep(60)

    async with testing.manual(shop.app) as jobs:
        job = await cancels.enqueue()
        await shop.order.enqueue(-1)
        done = await jobs.drain()
    assert (done.failed, done.cancelled) == (2, 1)
    assert done.failures["cancels", job.id] == "cancelled: no need"


async def test_delayed_jobs_and_retries_run_when_asked(shop: Shop) -> None:
    async with testing.manual(shop.app) as jobs:
        await shop.welcome.options(delay=60).enqueue(user_id="u1")
        flaky = await shop.flaky.enqueue(good_run=3)
        done = await jobs.drain()
        assert (done.completed, done.retried, done.delayed) == (0, 1, 2)
        done = await jobs.drain(with_delayed=True)
        assert (done.completed, done.retried, done.delayed) == (2, 1, 0)
        assert await flaky.wait(1) == 3


async def test_the_next_job_of_a_scheduler_waits_for_its_time(shop: Shop) -> None:
    shop.app.schedule("hourly", toril.Every(3600.0), shop.welcome, user_id="hourly")
    async with testing.manual(shop.app) as jobs, testing.clock(shop.app) as clock:
        assert (await jobs.drain()).completed == 0
        await shop.app.apply_schedules()
        assert (await jobs.drain(with_delayed=True)).completed == 1  # the first one comes at once
        assert (await jobs.drain(with_delayed=True)).completed == 0
        await clock.advance(3600)
        assert (await jobs.drain()).completed == 1


async def test_chosen_queues_only(shop: Shop) -> None:
    async with testing.manual(shop.app) as jobs:
        await shop.welcome.enqueue(user_id="u1")
        await shop.order.enqueue(1)
        assert (await jobs.drain(["orders"])).completed == 1
        await jobs.assert_enqueued(shop.welcome)
        with pytest.raises(toril.UnknownJob, match="nowhere"):
            await jobs.drain(["nowhere"])


async def test_a_paused_queue_is_left(shop: Shop) -> None:
    async with testing.manual(shop.app) as jobs:
        await shop.order.enqueue(1)
        await shop.app.queue("orders").pause()
        done = await jobs.drain()
        assert (done.completed, done.left) == (0, 1)


async def test_jobs_run_one_by_one_or_together(shop: Shop) -> None:
    running, most = 0, []

    @shop.app.job("together")
    async def together() -> None:
        nonlocal running
        running += 1
        most.append(running)
        await asyncio.sleep(0.01)
        running -= 1

    async with testing.manual(shop.app) as jobs:
        for concurrency in (1, 4):
            most.clear()
            for _ in range(8):
                await together.enqueue()
            await jobs.drain(concurrency=concurrency)
            assert max(most) == concurrency


async def test_a_drain_without_end_is_told(shop: Shop) -> None:
    @shop.app.job("endless")
    async def endless() -> None:
        await endless.enqueue()
        await asyncio.sleep(0.005)

    @shop.app.job("hangs")
    async def hangs(name: str) -> None:
        await asyncio.sleep(60)

    async with testing.manual(shop.app) as jobs:
        await endless.enqueue()
        with pytest.raises(TimeoutError, match=r"not drained within 0\.3 s"):
            await jobs.drain(["endless"], timeout=0.3)
        await hangs.enqueue(name="Ann")
        with pytest.raises(TimeoutError, match=r"running:\n  hangs: 'hangs' \(id 1\) \{\"name\":\"Ann\"\}"):
            await jobs.drain(["hangs"], timeout=0.3)


async def test_flows_run(shop: Shop) -> None:
    async with testing.manual(shop.app) as jobs:
        flow = toril.FlowJob.of(
            "email", shop.welcome.new_job("u1"), [toril.FlowJob.of("orders", shop.order.new_job(1))]
        )
        await shop.app.flows.add(flow)
        assert {job.name for job in await jobs.all_enqueued()} == {"welcome", "order"}
        assert (await jobs.drain()).completed == 2
    assert shop.calls == [("order", 1), ("welcome", "u1")]


async def test_what_is_no_application_is_refused() -> None:
    with pytest.raises(toril.InvalidOption):
        async with testing.manual("app"):  # type: ignore[arg-type]
            pass


async def test_a_dead_server_does_not_hide_the_test_s_own_error(shop: Shop) -> None:
    async def dies(server: toril.EmbeddedServer) -> None:
        async with testing.manual(shop.app, url=server.url):
            await shop.welcome.enqueue(user_id="u1")
            server.kill()
            raise KeyError("the test's own")

    with toril.EmbeddedServer() as server, pytest.raises(KeyError):
        await dies(server)
