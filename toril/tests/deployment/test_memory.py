"""A server that is short of memory refuses adds and lets workers drain; a replica refuses all writes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

import toril

from .load import ran, working
from .servers import ask, server


@pytest.fixture
def own() -> Iterator[toril.EmbeddedServer]:
    with server() as made:
        yield made


async def test_out_of_memory_adds_are_refused_and_workers_drain(
    own: toril.EmbeddedServer, queue_name: str
) -> None:
    async with (
        toril.Queue(queue_name, own.url) as queue,
        toril.FlowProducer(own.url) as flows,
    ):
        jobs = await queue.add_many([toril.NewJob("a", {"i": i}) for i in range(300)])
        jobs += [await queue.add("b", priority=2), await queue.add("c", delay=0.2)]
        await queue.add("bad", job_id="bad", attempts=2)
        before = ask(own.port, "KEYS", "*")
        ask(own.port, "CONFIG", "SET", "maxmemory", "1")
        flow = toril.FlowJob("sum", queue_name, children=[toril.FlowJob("part", queue_name)])
        refused: list[Callable[[], Awaitable[object]]] = [
            lambda: queue.add("a", {"more": True}),
            lambda: queue.add("a", job_id="own", delay=5),
            lambda: queue.add("a", deduplication=toril.Deduplication("x")),
            lambda: queue.upsert_job_scheduler("often", toril.Every(60.0), name="tick"),
            lambda: flows.add(flow),
        ]
        for adding in refused:
            with pytest.raises(toril.ServerRefused) as told:
                await adding()
            assert told.value.code == "OOM"
        assert sorted(ask(own.port, "KEYS", "*")) == sorted(before)
        async with working(queue, keep_completed=toril.Keep(count=10)) as done:
            await ran(done, {job.id for job in jobs} | {"bad"})
            async with asyncio.timeout(10):
                while (await queue.get_job_counts())["active"]:
                    await asyncio.sleep(0.02)
        counts = await queue.get_job_counts()
        assert (counts["waiting"], counts["active"], counts["failed"]) == (0, 0, 0)
        assert counts["completed"] == 10
        assert set(done.values()) == {1}
        ask(own.port, "CONFIG", "SET", "maxmemory", "0")
        await queue.add("a")


async def test_an_app_s_worker_starts_without_memory_while_its_schedules_are_as_before(
    own: toril.EmbeddedServer, queue_name: str
) -> None:
    app = toril.Toril(own.url, name=queue_name, release=3)

    @app.job(queue_name)
    async def tick() -> None: ...

    app.schedule("often", toril.Every(3600.0), tick)
    assert await app.apply_schedules() == 1
    await tick.enqueue()
    ask(own.port, "CONFIG", "SET", "maxmemory", "1")
    async with app.worker_running(), asyncio.timeout(10):
        while (await app.queue(queue_name).get_job_counts())["completed"] < 1:
            await asyncio.sleep(0.02)
    await app.close()


async def test_a_replica_is_read_and_not_written(own: toril.EmbeddedServer, queue_name: str) -> None:
    async with toril.Queue(queue_name, own.url) as queue:
        job = await queue.add("a")
        ask(own.port, "REPLICAOF", "127.0.0.1", 1)
        assert await queue.get_state(job.id) is toril.JobState.WAITING
        with pytest.raises(toril.ServerRefused) as told:
            await queue.add("b")
        assert told.value.code == "READONLY"
        ask(own.port, "REPLICAOF", "NO", "ONE")
        assert (await queue.get_job_counts())["waiting"] == 1
