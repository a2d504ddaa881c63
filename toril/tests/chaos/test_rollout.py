"""Old and new workers at once: a name that one of them does not know waits for the other."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import toril

OLD = """
import toril
app = toril.Toril(name="shop", release=1)

@app.job("{queue}", name="greet")
async def greet(user: str) -> str:
    return f"old {{user}}"
"""
NEW = """
import toril
app = toril.Toril(name="shop", release=2)

@app.job("{queue}", name="greet")
async def greet(user_id: str = "", user: str = "") -> str:
    return f"new {{user_id or user}}"

@app.job("{queue}", name="fresh")
async def fresh(n: int) -> int:
    return n
"""


async def worker(folder: Path, name: str, url: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "toril.cli", "worker", f"{name}:app"),
        cwd=folder,
        env={**os.environ, "TORIL_URL": url},
        stderr=asyncio.subprocess.DEVNULL,
    )


async def stop(*processes: asyncio.subprocess.Process) -> None:
    for process in processes:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def test_nothing_fails_while_old_and_new_workers_run_together(
    queue: toril.Queue, tmp_path: Path
) -> None:
    for name, text in (("old", OLD), ("new", NEW)):
        (tmp_path / f"{name}.py").write_text(text.format(queue=queue.name))
    old = await worker(tmp_path, "old", queue.url)
    before = await queue.add("greet", {"user": "ann"})
    assert await before.wait(20) == "old ann"
    fresh = await queue.add_many([toril.NewJob("fresh", {"n": n}) for n in range(20)])
    async with asyncio.timeout(10):  # parked by the old worker, which knows no such job
        while (await queue.get_job_counts())["delayed"] < 20:
            await asyncio.sleep(0.02)
    new = await worker(tmp_path, "new", queue.url)
    async with asyncio.timeout(20):
        while len(await queue.workers()) < 2:
            await asyncio.sleep(0.02)
    await queue.promote_jobs()  # sooner than the parked jobs come back by themselves
    await stop(old)
    after = await queue.add("greet", {"user": "bob"})
    renamed = await queue.add("greet", {"userId": "cid"})
    assert (await after.wait(20), await renamed.wait(20)) == ("new bob", "new cid")
    async with asyncio.timeout(20):
        while (await queue.get_job_counts())["completed"] < 23:
            await queue.promote_jobs()
            await asyncio.sleep(0.1)
    assert [await job.wait(1) for job in fresh] == list(range(20))
    for job in fresh:
        read = await queue.get_job(job.id)
        assert read is not None
        assert read.attempts_made == 1, "to be parked is no attempt"
    assert (await queue.get_job_counts())["failed"] == 0
    await stop(new)
