"""Schedules under faults: a poison job of one, its leader killed again and again, clocks that step."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

import toril
import toril.testing

Running = Callable[..., AbstractAsyncContextManager[toril.Worker]]

ALL = toril.Missed.all(1000)

WORKER = """
import asyncio, os, signal, sys
import toril

url, queue_name, ledger, way = sys.argv[1:]

async def handler(job):
    with open(ledger, "a") as out:
        out.write(job.id + "\\n")
    if way == "poison" and job.name == "poison":
        os.kill(os.getpid(), signal.SIGKILL)

options = {"lock_duration": 0.4, "stalled_interval": 0.2, "max_stalled": 2 if way == "poison" else 100}
asyncio.run(toril.Worker(queue_name, handler, url=url, concurrency=5, **options).run())
"""


def start(queue: toril.Queue, ledger: Path, way: str) -> asyncio.Task[asyncio.subprocess.Process]:
    words = (sys.executable, "-c", WORKER, queue.url, queue.name, str(ledger), way)
    return asyncio.create_task(asyncio.create_subprocess_exec(*words))


async def test_a_scheduler_s_poison_job_is_final_after_the_stall_limit(
    queue: toril.Queue, tmp_path: Path
) -> None:
    """It kills its process each time; the schedule goes on, and so do its neighbours."""
    ledger = tmp_path / "runs"
    await queue.upsert_job_scheduler("s", toril.Every(3600), "poison")
    (poison,) = await queue.get_jobs("waiting")
    neighbour = await queue.add("fine", delay=0.3)
    process = await start(queue, ledger, "poison")
    deaths = 0
    try:
        async with asyncio.timeout(30):
            while await queue.get_state(poison.id) is not toril.JobState.FAILED:
                if process.returncode is not None:
                    assert process.returncode == -signal.SIGKILL
                    deaths += 1
                    process = await start(queue, ledger, "poison")
                await asyncio.sleep(0.02)
        await neighbour.wait(10)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
    assert deaths == 3, "the first run, and two more that may stall"
    assert Counter(ledger.read_text().split())[poison.id] == 3
    failed = await queue.get_job(poison.id)
    assert failed is not None
    assert failed.failed_reason == "job stalled more than allowable limit"
    (following,) = await queue.get_jobs("delayed")
    assert following.scheduler_id == "s"
    assert following.id != poison.id


async def test_each_instant_runs_though_workers_are_killed_all_the_time(
    queue: toril.Queue, tmp_path: Path
) -> None:
    ledger = tmp_path / "runs"
    every = toril.Every(0.1, missed=ALL)
    await queue.upsert_job_scheduler("s", every, "tick")
    processes = [await start(queue, ledger, "fine") for _ in range(3)]
    try:
        async with asyncio.timeout(40):
            for victim in itertools.islice(itertools.cycle(range(3)), 9):
                known = ledger.read_text().count("\n") if ledger.exists() else 0
                while not ledger.exists() or ledger.read_text().count("\n") < known + 4:
                    await asyncio.sleep(0.01)
                processes[victim].kill()
                await processes[victim].wait()
                processes[victim] = await start(queue, ledger, "fine")
            await queue.remove_job_scheduler("s")
            while (counts := await queue.get_job_counts())["active"] or counts["waiting"]:
                await asyncio.sleep(0.02)
    finally:
        for process in processes:
            process.terminate()
            await process.wait()
    instants = sorted({int(line.rpartition(":")[2]) for line in ledger.read_text().split()})
    assert {b - a for a, b in itertools.pairwise(instants)} == {100}
    completed = [int(job.id.rpartition(":")[2]) for job in await queue.get_jobs("completed", 0, 999)]
    assert sorted(completed) == instants


@pytest.mark.parametrize(
    "when", [toril.Cron("0 * * * *", missed=ALL), toril.Every(3600, missed=ALL)], ids=["cron", "every"]
)
async def test_the_server_s_clock_steps_back(
    queue: toril.Queue, running: Running, when: toril.Cron | toril.Every
) -> None:
    """An instant that has run does not come again, and the schedule goes on where it was."""
    ran: list[int] = []

    async def handler(job: toril.Job) -> None:
        ran.append(int(job.id.rpartition(":")[2]))

    async def run_all(wanted: int) -> None:
        async with asyncio.timeout(10):
            while len(ran) < wanted or (await queue.get_job_counts())["active"]:
                await asyncio.sleep(0.01)

    async with toril.testing.clock(queue) as clock:
        await queue.upsert_job_scheduler("s", when, "tick")
        (store,) = clock._stores
        async with running(handler, stalled_interval=0.1):
            for _ in range(3):
                before = len(ran)
                await clock.advance(3600)
                await run_all(before + 1)
            before = len(ran)
            await store.move(-2 * 3_600_000, False)
            await queue.upsert_job_scheduler("s", when, "tick")  # as an app that starts meanwhile does
            for _ in range(3):
                await clock.advance(3600)
            await run_all(before + 1)
    assert len(set(ran)) == len(ran), "an instant came twice"
    assert ran == sorted(ran)
    assert {b - a for a, b in itertools.pairwise(ran)} == {3_600_000}
    assert len(await queue.get_jobs("delayed")) == 1


BOOT = """
import asyncio, os, sys
import toril

url, queue_name = sys.argv[1:]

async def boot():
    app = toril.Toril(url, name="fifty")

    @app.job(queue_name)
    async def tick() -> None: ...

    for number in range(20):
        app.schedule(f"s{number}", toril.Every(3600), tick)
    await app.apply_schedules()
    await app.close()

children = []
for _ in range(50):
    if (pid := os.fork()) == 0:
        asyncio.run(boot())
        os._exit(0)
    children.append(pid)
sys.exit(sum(os.waitpid(pid, 0)[1] != 0 for pid in children))
"""


async def test_fifty_processes_declare_the_same_schedules_at_once(queue: toril.Queue) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", BOOT, queue.url, queue.name)
    assert await process.wait() == 0
    schedulers = await queue.get_job_schedulers(0, 99)
    assert sorted(each.id for each in schedulers) == sorted(f"s{number}" for number in range(20))
    jobs = [job for state in ("waiting", "delayed") for job in await queue.get_jobs(state, 0, 99)]
    assert sorted(job.scheduler_id or "" for job in jobs) == sorted(each.id for each in schedulers)
    assert {each.runs for each in schedulers} == {1}
