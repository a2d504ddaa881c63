"""Lines that are slow, lose packets, or are cut for a minute: nothing is lost, and nothing is done by two."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

import toril

from .proxy import Proxy

Running = Callable[..., AbstractAsyncContextManager[toril.Worker]]


def port_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1].split("/")[0])


async def test_each_job_runs_once_on_a_slow_line_that_loses_a_fifth_of_its_packets(
    valkey_url: str, queue: toril.Queue
) -> None:
    """Adds without an id of their own are doubled by any call that is sent twice."""
    count = 120
    runs: Counter[int] = Counter()
    now: set[int] = set()
    twice: list[int] = []

    async def handler(job: toril.Job) -> int:
        if job.data in now:
            twice.append(job.data)
        now.add(job.data)
        runs[job.data] += 1
        await asyncio.sleep(0.05)
        now.discard(job.data)
        return int(job.data)

    async with Proxy(port_of(valkey_url)) as proxy:
        proxy.delay, proxy.loss = 0.1, 0.2  # 200 ms there and back
        line = f"valkey://127.0.0.1:{proxy.port}/0"
        workers = [
            toril.Worker(queue.name, handler, url=line, lock_duration=5.0, death_after=20.0, concurrency=10)
            for _ in range(2)
        ]
        tasks = [asyncio.create_task(worker.run(handle_signals=False)) for worker in workers]
        async with toril.Queue(queue.name, line) as far:
            added: list[toril.Job] = []
            for first in range(0, count, 40):
                added += await asyncio.gather(*(far.add("x", i) for i in range(first, first + 20)))
                added += await far.add_many([toril.NewJob("x", i) for i in range(first + 20, first + 40)])
            assert await asyncio.gather(*(job.wait(60) for job in added)) == [job.data for job in added]
        assert all(worker.healthy(10.0) for worker in workers)
        for worker in workers:
            worker.stop()
        await asyncio.gather(*tasks)
    assert runs == Counter(range(count))
    assert twice == []
    counts = await queue.get_job_counts()
    assert (counts["completed"], sum(counts.values())) == (count, count)


FAR = """
import asyncio, os, sys
import toril

url, queue, ledger, release = sys.argv[1:5]
out = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

async def handler(job):
    os.write(out, f"{job.id}\\n".encode())
    while not os.path.exists(release):
        await asyncio.sleep(0.05)
    return "far"

asyncio.run(toril.Worker(queue, handler, url=url, concurrency=5).run())
"""


@pytest.mark.slow
async def test_a_worker_that_is_cut_off_for_a_minute_loses_its_jobs_and_takes_part_again(
    valkey_url: str, queue: toril.Queue, running: Running, tmp_path: Path
) -> None:
    """At the default settings, in a process of its own; its connections are half open, and stay so."""
    ledger, release = tmp_path / "runs", tmp_path / "release"

    async def near(job: toril.Job) -> str:
        return "near"

    async with Proxy(port_of(valkey_url)) as proxy:
        line = f"valkey://127.0.0.1:{proxy.port}/0"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", FAR, line, queue.name, str(ledger), str(release)),
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            held = await queue.add_many([toril.NewJob("x") for _ in range(5)])
            async with asyncio.timeout(15):
                while (await queue.get_job_counts())["active"] < 5:
                    await asyncio.sleep(0.02)
            async with running(near):
                proxy.silent = True
                assert proxy.silence()
                healed = asyncio.get_running_loop().time() + 60.0
                # Five seconds, as for a worker that has died, and one for this machine.
                assert await asyncio.gather(*(job.wait(6) for job in held)) == ["near"] * 5
                release.touch()  # its runs end well too, and nobody can be told
                others = await queue.add_many([toril.NewJob("x") for _ in range(20)])
                assert await asyncio.gather(*(job.wait(5) for job in others)) == ["near"] * 20
                await asyncio.sleep(healed - asyncio.get_running_loop().time())
                proxy.silent = False
            last = await queue.add_many([toril.NewJob("x") for _ in range(5)])
            assert await asyncio.gather(*(job.wait(20) for job in last)) == ["far"] * 5
            assert process.returncode is None
        finally:
            process.kill()
            await process.wait()
    assert Counter(ledger.read_text().split()) == Counter(job.id for job in (*held, *last))
    for job in held:
        read = await queue.get_job(job.id)
        assert read is not None
        assert read.return_value == "near"
    events = await queue.store.connection.call("XRANGE", queue.store.keys.events, "-", "+")
    pairs = [dict(zip(each[1][::2], each[1][1::2], strict=True)) for each in events]
    ends = Counter(pair[b"jobId"].decode() for pair in pairs if pair[b"event"] == b"completed")
    assert ends == Counter(job.id for job in (*held, *others, *last))
