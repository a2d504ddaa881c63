"""A worker dies when a handler has ended: before the settling call, amid it, and after it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

import toril

Running = Callable[..., AbstractAsyncContextManager[toril.Worker]]

VICTIM = """
import asyncio, os, signal, sys
import toril
from toril.storage.work import WorkStore

url, queue, ledger, moment = sys.argv[1:]
out = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
plain = WorkStore.post_commit

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

class Dying:
    done = staticmethod(lambda: False)
    set_result = set_exception = staticmethod(die)

def post_commit(self, settlements, wanted, token, sink):
    if not settlements:
        return plain(self, settlements, wanted, token, sink)
    if moment == "before":
        die()
    sent = plain(self, settlements, wanted, token, Dying() if moment == "after" else sink)
    assert sent
    if moment == "amid":
        asyncio.get_running_loop().call_soon(die)  # the call is written by then
    return sent

async def handler(job):
    os.write(out, f"{job.id}\\n".encode())

WorkStore.post_commit = post_commit
asyncio.run(toril.Worker(queue, handler, url=url, concurrency=10, death_after=0.4).run())
"""


@pytest.mark.parametrize("moment", ["before", "amid", "after"])
async def test_a_worker_that_dies_when_it_settles_loses_no_job(
    moment: str, queue: toril.Queue, running: Running, tmp_path: Path
) -> None:
    ledger = tmp_path / "runs"
    jobs = await queue.add_many([toril.NewJob("x") for _ in range(30)])
    died = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", VICTIM, queue.url, queue.name, str(ledger), moment],
        stderr=subprocess.DEVNULL,
        timeout=30,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    begun = ledger.read_text().split()
    settled = {job.id for job in await queue.get_jobs("completed")}
    assert moment != "before" or not settled
    assert moment != "after" or settled
    runs = list(begun)

    async def handle(job: toril.Job) -> None:
        runs.append(job.id)

    async with running(handle, concurrency=10, death_after=0.4), asyncio.timeout(15):
        while (await queue.get_job_counts())["completed"] < len(jobs):
            await asyncio.sleep(0.01)
    counts = await queue.get_job_counts()
    assert sum(counts.values()) == counts["completed"] == len(jobs)
    assert set(runs) == {job.id for job in jobs}
    twice = {job_id for job_id in runs if runs.count(job_id) > 1}
    assert twice <= set(begun) - settled
