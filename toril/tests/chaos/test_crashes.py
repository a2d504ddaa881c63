"""Crashes of workers and of the server: no acknowledged job is lost, each ends in one state."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

import toril

LOAD = Path(__file__).with_name("load.py")


@contextlib.contextmanager
def worker_process(url: str, queue: str, ledger: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, str(LOAD), url, queue, str(ledger)], stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def until_completed(queue: toril.Queue, count: int, limit: float = 30.0) -> None:
    async with asyncio.timeout(limit):
        while True:
            with contextlib.suppress(toril.ConnectionFailed, toril.ServerRefused):
                if (await queue.get_job_counts())["completed"] >= count:
                    return
            await asyncio.sleep(0.05)


async def assert_each_once(queue: toril.Queue, acknowledged: dict[str, int]) -> None:
    """Every acknowledged job is completed and in no other state."""
    places: Counter[str] = Counter()
    call, keys = queue.store.connection.call, queue.store.keys
    for key in (keys.wait, keys.active):
        places.update(each.decode() for each in await call("LRANGE", key, 0, -1))
    for key in (keys.completed, keys.failed, keys.delayed, keys.prioritized):
        places.update(each.decode() for each in await call("ZRANGE", key, 0, -1))
    assert set(places.values()) <= {1}
    assert set(acknowledged) <= set(places)
    for job_id, value in acknowledged.items():
        job = await queue.get_job(job_id)
        assert job is not None
        assert job.return_value == value
    counts = await queue.get_job_counts()
    assert (counts["active"], counts["waiting"], counts["failed"]) == (0, 0, 0)


async def test_a_killed_worker_s_jobs_run_elsewhere(
    valkey_url: str, queue: toril.Queue, tmp_path: Path
) -> None:
    count = 1500
    ledger = tmp_path / "runs"
    with worker_process(valkey_url, queue.name, ledger) as victim:
        jobs = await queue.add_many([toril.NewJob("x", i) for i in range(count)])
        await until_completed(queue, 200)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
    with worker_process(valkey_url, queue.name, ledger):
        await until_completed(queue, count)
    await assert_each_once(queue, {job.id: i for i, job in enumerate(jobs)})
    runs = Counter(ledger.read_text().split())
    assert len(runs) == count
    again = sum(runs.values()) - count
    assert again <= 40, f"{again} runs were repeated; only those under way at the kill may be"


@pytest.mark.parametrize("policy", ["always", "everysec"])
async def test_a_killed_server_loses_nothing_acknowledged(
    policy: Literal["always", "everysec"], queue_name: str, tmp_path: Path
) -> None:
    ledger = tmp_path / "runs"
    acknowledged: dict[str, int] = {}
    with toril.EmbeddedServer(tmp_path / "data", appendonly=policy) as server:
        async with toril.Queue(queue_name, server.url) as queue:
            numbers = iter(range(1_000_000))
            stop = asyncio.Event()

            async def produce() -> None:
                while not stop.is_set():
                    number = next(numbers)
                    try:
                        job = await queue.add("x", number, job_id=f"n{number}")
                        acknowledged[job.id] = number
                        await asyncio.sleep(0.002)
                    except (toril.ConnectionFailed, toril.ServerRefused):
                        await asyncio.sleep(0.05)

            with worker_process(server.url, queue_name, ledger) as worker:
                producers = [asyncio.create_task(produce()) for _ in range(4)]
                for _ in range(2):
                    await until_completed(queue, len(acknowledged) // 2 + 100)
                    if policy == "everysec":
                        # The policy allows to lose a second; what is older must not be lost.
                        stop.set()
                        await asyncio.gather(*producers)
                        await asyncio.sleep(1.5)
                        stop.clear()
                        producers = []
                    await asyncio.to_thread(server.kill)
                    await asyncio.to_thread(server.restart)
                    producers = producers or [asyncio.create_task(produce()) for _ in range(4)]
                stop.set()
                await asyncio.gather(*producers)
                await until_all_done(queue, acknowledged)
                assert worker.poll() is None, "the worker must go on by itself"
            await assert_each_once(queue, acknowledged)


async def until_all_done(queue: toril.Queue, acknowledged: dict[str, int]) -> None:
    async with asyncio.timeout(30):
        while True:
            counts = await queue.get_job_counts()
            done = counts["completed"] >= len(acknowledged)
            if done and counts["waiting"] == counts["active"] == counts["delayed"] == 0:
                return
            await asyncio.sleep(0.05)


async def test_sigterm_drains_and_tells(valkey_url: str, queue: toril.Queue, tmp_path: Path) -> None:
    ledger = tmp_path / "runs"
    with worker_process(valkey_url, queue.name, ledger) as worker:
        jobs = await queue.add_many([toril.NewJob("x", i) for i in range(1000)])
        await until_completed(queue, 100)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(10) == 0
    counts = await queue.get_job_counts()
    assert counts["active"] == 0
    assert counts["waiting"] + counts["completed"] == len(jobs)
    runs = Counter(ledger.read_text().split())
    assert sum(runs.values()) == counts["completed"]
