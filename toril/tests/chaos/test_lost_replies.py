"""The server does what it was asked, and its answer is lost: for each script of the engine.

What a caller asked for is done once: the keys of its queue are, but for names and times, those of a queue
where nothing was lost. The caller is told that the outcome is not known. What a worker asks for by itself
it carries to its end: each job runs once and ends once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import toril
from toril.storage import scripts

from ..deployment.proxy import Proxy
from ..interop.stored import stored

LUA = Path(scripts.__file__).parent / "lua"


YEARLY = toril.Cron("0 0 1 1 *")


async def nothing(queue: toril.Queue) -> None: ...


@dataclass(frozen=True)
class Verb:
    """What a caller asks of a queue, after what was there before. `jobs` have the ids 1, 2, …"""

    act: Callable[[toril.Queue], Awaitable[Any]]
    before: Callable[[toril.Queue], Awaitable[Any]] = nothing


def added(*jobs: toril.NewJob) -> Callable[[toril.Queue], Awaitable[Any]]:
    return lambda queue: queue.add_many(jobs or [toril.NewJob("x", {"a": 1})])


async def ended(queue: toril.Queue) -> None:
    """A failed job and a completed one."""
    await queue.add_many([toril.NewJob("good"), toril.NewJob("bad")])

    async def handle(job: toril.Job) -> None:
        if job.name == "bad":
            raise ValueError("bad")

    worker = toril.Worker(queue.name, handle, url=queue.url, name="w")
    task = asyncio.create_task(worker.run(handle_signals=False))
    await until(queue, completed=1, failed=1)
    worker.stop()
    await task


async def until(queue: toril.Queue, **counts: int) -> None:
    async with asyncio.timeout(15):
        while True:
            found = await queue.get_job_counts()
            if all(found[state] == count for state, count in counts.items()):
                return
            await asyncio.sleep(0.01)


async def facts(queue: toril.Queue) -> dict[str, Any]:
    """All keys of the queue; the delay of a schedule's job is counted from the time of the call."""
    found = await stored(queue)
    job = found.get("repeat:s:INSTANT", {"opts": {}})
    for each in (job, job["opts"]):
        each.pop("delay", None)
    return found


def flow(queue: toril.Queue) -> toril.FlowJob:
    children = [toril.FlowJob("child", queue.name, {"n": n}, job_id=f"c{n}") for n in range(3)]
    return toril.FlowJob("parent", queue.name, children=children, job_id="p")


async def add_flow(queue: toril.Queue) -> None:
    async with toril.FlowProducer(queue.url) as producer:
        await producer.add(flow(queue))


async def apply_schedules(queue: toril.Queue) -> None:
    app = toril.Toril(queue.url, name="app", release=1)

    @app.job(queue.name)
    async def tick() -> None: ...

    app.schedule("s", YEARLY, tick)
    try:
        await app.apply_schedules()
    finally:
        await app.close()


async def scheduled(queue: toril.Queue) -> None:
    await queue.upsert_job_scheduler("s", YEARLY, "n")


DELAYED = toril.NewJob("x", delay=3600.0)
LATER = toril.Deduplication("key", 3600.0)

VERBS: dict[str, Verb] = {
    "add_flow": Verb(add_flow),
    "add_jobs": Verb(lambda queue: queue.add("x", {"a": 1})),
    "add_log": Verb(lambda queue: queue.log("1", "a line"), added()),
    "apply_schedules": Verb(apply_schedules),
    "block_rate": Verb(lambda queue: queue.rate_limit(3600.0)),
    "cancel_job": Verb(lambda queue: queue.cancel("1", "no more"), added()),
    "change_delay": Verb(lambda queue: queue.change_delay("1", 7200.0), added(DELAYED)),
    "change_priority": Verb(lambda queue: queue.change_priority("1", 7), added()),
    "clean": Verb(lambda queue: queue.clean("failed"), ended),
    "count_jobs": Verb(lambda queue: queue.get_job_counts(), added()),
    "count_priorities": Verb(lambda queue: queue.get_counts_per_priority([0, 1]), added()),
    "drain": Verb(lambda queue: queue.drain(delayed=True), added(DELAYED, toril.NewJob("y"))),
    "drop_throttles": Verb(lambda queue: queue.obliterate(), lambda queue: queue.pause()),
    "job_state": Verb(lambda queue: queue.get_state("1"), added()),
    "leave_parent": Verb(lambda queue: queue.leave_parent("c1"), add_flow),
    "obliterate": Verb(lambda queue: queue.obliterate(), lambda queue: queue.pause()),
    "promote_job": Verb(lambda queue: queue.promote("1"), added(DELAYED)),
    "promote_jobs": Verb(lambda queue: queue.promote_jobs(), added(DELAYED, DELAYED)),
    "publish_event": Verb(lambda queue: queue.publish_event("mine", {"a": "b"})),
    "read_dependencies": Verb(lambda queue: queue.get_dependencies("p"), add_flow),
    "read_jobs": Verb(lambda queue: queue.get_jobs("waiting"), added()),
    "read_limits": Verb(lambda queue: queue.is_maxed()),
    "read_metrics": Verb(lambda queue: queue.get_metrics("completed")),
    "read_scheduler": Verb(lambda queue: queue.get_job_scheduler("s"), scheduled),
    "read_schedulers": Verb(lambda queue: queue.get_job_schedulers(), scheduled),
    "release_deduplication": Verb(
        lambda queue: queue.remove_deduplication_key("key"),
        added(toril.NewJob("x", deduplication=LATER)),
    ),
    "remove_job": Verb(lambda queue: queue.remove("1"), added()),
    "remove_pending_children": Verb(lambda queue: queue.remove_pending_children("p"), add_flow),
    "remove_scheduler": Verb(lambda queue: queue.remove_job_scheduler("s"), scheduled),
    "retry_job": Verb(lambda queue: queue.retry("2"), ended),
    "retry_jobs": Verb(lambda queue: queue.retry_jobs("failed"), ended),
    "set_limits": Verb(lambda queue: queue.set_global_rate_limit(7, 1.0)),
    "set_paused": Verb(lambda queue: queue.pause()),
    "update_data": Verb(lambda queue: queue.update_data("1", {"b": 2}), added()),
    "update_progress": Verb(lambda queue: queue.update_progress("1", 50), added()),
    "upsert_scheduler": Verb(scheduled),
}
WORKERS = {
    "advance_scheduler",
    "beat",
    "commit",
    "extend_locks",
    "find_lost_schedulers",
    "recover_stalled",
    "retain_finished",
}
"""What a worker asks for by itself."""
ELSEWHERE = {
    "begin_clock": "the moved clock of tests",
    "explain_job": "reads only",
    "find_events": "reads only",
    "find_held": "asked for after a lost answer only: test_jobs_whose_fetch_was_not_heard_of_are_handed_back",
    "keep_history": "a dashboard's; a minute that stands is not written again",
    "move_clock": "the moved clock of tests",
    "read_ends": "asked for by who waits: test_wait_hanging_through_a_restart",
    "read_events": "asked for by who listens: test_a_reader_lives_through_a_restart",
    "restore_scheduler": "asked for after a loss only: test_a_lost_answer_restores_a_schedule_once",
    "scan_jobs": "reads only",
    "survey": "reads only",
}


def test_each_script_has_its_case() -> None:
    known = [*VERBS, *WORKERS, *ELSEWHERE]
    assert sorted(known) == sorted(path.stem for path in LUA.glob("*.lua"))


@pytest.fixture
async def proxy(valkey_url: str) -> AsyncIterator[Proxy]:
    async with Proxy(urlsplit(valkey_url).port or 0) as made:
        yield made


@pytest.mark.parametrize("script", sorted(VERBS))
async def test_a_verb_whose_answer_is_lost_was_carried_out_once(
    script: str, valkey_url: str, queue_name: str, proxy: Proxy
) -> None:
    verb = VERBS[script]
    async with (
        toril.Queue(f"{queue_name}-a", valkey_url) as plain,
        toril.Queue(f"{queue_name}-b", valkey_url) as direct,
        toril.Queue(direct.name, f"valkey://127.0.0.1:{proxy.port}/0") as through,
    ):
        await verb.before(plain)
        await verb.act(plain)
        await verb.before(direct)
        await through.store.connection.call("PING")
        # The script has to be known: the first call of all may come twice, by name and with its text.
        await direct.store.connection.call("SCRIPT", "LOAD", scripts.source(script))
        proxy.lose(scripts.sha(script).encode())
        with pytest.raises(toril.ConnectionFailed) as told:
            await verb.act(through)
        assert told.value.undecided
        assert proxy.lost == 1
        assert await facts(direct) == await facts(plain)


@pytest.mark.parametrize("script", sorted(WORKERS))
async def test_a_worker_whose_answer_is_lost_runs_each_job_once(
    script: str, valkey_url: str, queue: toril.Queue, proxy: Proxy
) -> None:
    await queue.store.connection.call("SCRIPT", "LOAD", scripts.source(script))
    await queue.upsert_job_scheduler("s", toril.Every(0.1, limit=8), "n")
    jobs = await queue.add_many([toril.NewJob("x", attempts=1) for _ in range(30)])
    runs: list[str] = []

    async def handle(job: toril.Job) -> None:
        runs.append(job.id)
        await asyncio.sleep(0.02)

    worker = toril.Worker(
        queue.name,
        handle,
        url=f"valkey://127.0.0.1:{proxy.port}/0",
        concurrency=4,
        lock_duration=0.6,
        death_after=0.4,
        stalled_interval=0.1,
        retention_interval=0.1,
    )
    proxy.lose(scripts.sha(script).encode())
    task = asyncio.create_task(worker.run(handle_signals=False))
    await until(queue, waiting=0, active=0, delayed=0, completed=38, failed=0)
    async with asyncio.timeout(15):
        while not proxy.lost:
            await queue.add("x")
            await asyncio.sleep(0.05)
    await until(queue, waiting=0, active=0, failed=0)
    worker.stop()
    await task
    counts = await queue.get_job_counts()
    assert len(runs) == len(set(runs)) == counts["completed"]
    assert {job.id for job in jobs} <= set(runs)


async def test_a_lost_answer_restores_a_schedule_once(
    valkey_url: str, queue: toril.Queue, proxy: Proxy
) -> None:
    await queue.upsert_job_scheduler("s", toril.Every(3600.0), "n")
    (job,) = await queue.get_jobs("delayed") or await queue.get_jobs("waiting")
    call, keys = queue.store.connection.call, queue.store.keys
    await call("DEL", keys.job(job.id), keys.delayed, keys.wait)
    await call("SCRIPT", "LOAD", scripts.source("restore_scheduler"))
    async with toril.Queue(queue.name, f"valkey://127.0.0.1:{proxy.port}/0") as through:
        proxy.lose(scripts.sha("restore_scheduler").encode())
        with pytest.raises(toril.ConnectionFailed) as told:
            await through.schedulers.heal(0, 100)
        assert told.value.undecided
        assert proxy.lost == 1
        await call("DEL", f"{keys.base}toril:schedulers-check")
        await through.schedulers.heal(0, 100)
    counts = await queue.get_job_counts()
    assert counts["delayed"] + counts["waiting"] == 1
