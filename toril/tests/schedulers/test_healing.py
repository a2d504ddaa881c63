"""A scheduler whose next job has gone missing makes it again, whatever took it away."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import toril
from toril.embedded import EmbeddedServer
from toril.services.schedulers import SchedulerService

from .conftest import Look, Working, instant

HOURLY = toril.Cron("0 * * * *")


async def heal(queue: toril.Queue) -> int:
    """One pass, whoever has looked before."""
    await queue.store.connection.call("DEL", f"{queue.store.keys.base}toril:schedulers-check")
    return await SchedulerService(queue.schedulers, 30.0).run_once()


@pytest.mark.parametrize("place", ["delayed", "waiting", "prioritized"])
@pytest.mark.parametrize("way", ["hash", "place", "both"])
async def test_a_job_that_another_client_removed(
    queue: toril.Queue, look: Look, place: str, way: str
) -> None:
    priority = 5 if place == "prioritized" else 0
    when = toril.Every(3600) if place != "delayed" else HOURLY
    await queue.upsert_job_scheduler("s", when, "n", {"a": 1}, attempts=3, priority=priority)
    newest, keys = await look.newest("s"), queue.store.keys
    opts = (await look.hash(keys.job(newest)))["opts"]
    assert await heal(queue) == 0
    if way in ("hash", "both"):
        await look.call("DEL", keys.job(newest))
    if way in ("place", "both"):
        await look.call("ZREM", keys.delayed, newest)
        await look.call("ZREM", keys.prioritized, newest)
        await look.call("LREM", keys.wait, 0, newest)
    assert await heal(queue) == 1
    assert await look.newest("s") == newest
    assert await look.pending() == [newest]
    job = await queue.get_job(newest)
    assert job is not None
    assert (job.name, job.data, job.options.attempts, job.scheduler_id) == ("n", {"a": 1}, 3, "s")
    healed = (await look.hash(keys.job(newest)))["opts"]
    assert json.loads(healed)["repeat"].items() >= json.loads(opts)["repeat"].items()
    found = await queue.get_job_scheduler("s")
    assert found is not None
    assert found.runs == 1
    assert await heal(queue) == 0


async def test_a_run_that_finished_without_a_next(queue: toril.Queue, look: Look) -> None:
    """As when a Node worker could not make the next one, and went on all the same."""
    await queue.upsert_job_scheduler("s", HOURLY, "n")
    await look.let_pass("s", 3600)
    newest, keys = await look.newest("s"), queue.store.keys
    await look.call("ZREM", keys.delayed, newest)
    await look.call("ZADD", keys.completed, 1, newest)
    await look.call("HSET", keys.job(newest), "finishedOn", 1)
    assert await heal(queue) == 1
    following = await look.newest("s")
    assert instant(following) == instant(newest) + 3_600_000
    assert await look.pending() == [following]


async def test_a_missed_job_that_is_lost_follows_the_policy(queue: toril.Queue, look: Look) -> None:
    for kind, missed in (("once", toril.Missed.once()), ("skip", toril.Missed.skip())):
        await queue.upsert_job_scheduler(kind, toril.Cron("0 * * * *", missed=missed), "n")
        due = await look.let_pass(kind, 3 * 3600)
        await look.call("DEL", queue.store.keys.job(await look.newest(kind)))
        assert await heal(queue) == 1
        assert await look.due(kind) == (due if kind == "once" else due + 3 * 3_600_000)


async def test_one_that_has_ended_is_left_in_peace(queue: toril.Queue, working: Working, look: Look) -> None:
    end = datetime.now(UTC) + timedelta(seconds=0.3)
    options = {"keep_completed": False}
    await queue.upsert_job_scheduler("limit", toril.Every(0.05, limit=2), "n", **options)  # type: ignore[arg-type]
    await queue.upsert_job_scheduler("end", toril.Every(0.1, end=end), "n")
    async with working() as runs:
        async with asyncio.timeout(10):
            while await look.pending() or (await queue.get_job_counts())["active"]:
                await asyncio.sleep(0.01)
        before = len(runs.jobs)
        assert await heal(queue) == 0
        assert await look.pending() == []
    assert len(runs.jobs) == before


async def test_a_running_job_is_not_lost(queue: toril.Queue, valkey_url: str, look: Look) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def hold(job: toril.Job) -> None:
        begun.set()
        await go_on.wait()

    await queue.upsert_job_scheduler("s", toril.Every(3600, limit=2), "n")
    worker = toril.Worker(queue.name, hold, url=valkey_url)
    task = asyncio.create_task(worker.run(handle_signals=False))
    async with asyncio.timeout(10):
        await begun.wait()
    # As if it had not been advanced yet.
    following = await look.newest("s")
    (running,) = await queue.get_jobs("active")
    await look.call("ZREM", queue.store.keys.delayed, following)
    await look.call("DEL", queue.store.keys.job(following))
    await look.call("ZADD", queue.store.keys.repeat, instant(running.id), "s")
    assert await heal(queue) == 0
    go_on.set()
    worker.stop()
    await task


async def test_workers_look_by_themselves(queue: toril.Queue, working: Working, look: Look) -> None:
    await queue.upsert_job_scheduler("s", HOURLY, "n")
    async with working(count=3, interval=0.1):
        newest = await look.newest("s")
        await look.call("DEL", queue.store.keys.job(newest))
        await look.call("ZREM", queue.store.keys.delayed, newest)
        async with asyncio.timeout(10):
            while not (await look.hash(queue.store.keys.job(newest))):
                await asyncio.sleep(0.02)
        assert await look.pending() == [newest]


async def test_all_of_many_are_found(queue: toril.Queue, look: Look) -> None:
    start = datetime(2090, 1, 1, tzinfo=UTC)
    for i in range(1100):
        await queue.upsert_job_scheduler(f"s{i}", toril.Every(60, start=start + timedelta(seconds=i)), "n")
    for i in (0, 499, 500, 1000, 1099):
        await look.call("DEL", queue.store.keys.job(await look.newest(f"s{i}")))
    assert await heal(queue) == 5
    assert len(set(await look.pending())) == 1000  # the page's most
    assert (await queue.get_job_counts())["delayed"] == 1100


async def test_what_cannot_be_read_is_left(queue: toril.Queue, look: Look) -> None:
    await queue.upsert_job_scheduler("s", HOURLY, "n")
    await look.call("HSET", queue.store.keys.scheduler("s"), "pattern", "H H * * *")
    await look.call("DEL", queue.store.keys.job(await look.newest("s")))
    assert await heal(queue) == 0


TAKER = """
import asyncio, os, signal, sys
import toril
from toril.storage.schedulers import SchedulerStore

async def die(self, scheduler_id, taken, token):
    print(taken, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

SchedulerStore.advance = die

async def handler(job): ...

options = {"lock_duration": 0.5, "stalled_interval": 0.2}
asyncio.run(toril.Worker(sys.argv[2], handler, url=sys.argv[1], **options).run())
"""


async def test_a_worker_killed_between_taking_and_advancing(
    queue: toril.Queue, working: Working, look: Look
) -> None:
    await queue.upsert_job_scheduler("s", toril.Every(3600), "n")
    taken = await look.newest("s")
    died = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", TAKER, queue.url, queue.name],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    assert died.stdout.decode().strip() == taken
    assert (await queue.get_job_counts())["active"] == 1
    async with working(interval=0.2) as runs:
        await runs.count(1, limit=20)
        assert [job.id for job in runs.jobs] == [taken]
        assert await look.pending() == [f"repeat:s:{instant(taken) + 3_600_000}"]


async def test_a_server_that_comes_back_without_its_last_writes(
    tmp_path: Path, queue_name: str, working: Working
) -> None:
    """The append-only file is cut at ever earlier places: the schedule goes on from each."""
    with EmbeddedServer(tmp_path, appendonly="always") as server:
        async with toril.Queue(queue_name, server.url) as queue:
            await queue.upsert_job_scheduler("s", toril.Every(0.1), "n")
            async with working(url=server.url, interval=0.1) as runs:
                await runs.count(5)
        server.kill()
        (log,) = (tmp_path / "appendonlydir").glob("*.incr.aof")
        whole = log.stat().st_size
        for lost in (150, 700, 1500):
            with log.open("r+b") as file:
                file.truncate(whole - lost)
            server.restart()
            async with toril.Queue(queue_name, server.url) as queue:
                look = Look(queue)
                async with working(url=server.url, interval=0.1) as runs:
                    await runs.count(4, limit=20)
                    async with asyncio.timeout(10):
                        # What was cut off in mid-run comes back from active to waiting first.
                        while (counts := await queue.get_job_counts())["active"] or counts["waiting"]:
                            await asyncio.sleep(0.01)
                assert len(set(runs.instants)) == len(runs.instants)
                assert len(await look.pending()) == 1
            server.kill()
            whole = log.stat().st_size
