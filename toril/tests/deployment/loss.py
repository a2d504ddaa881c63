"""Counts what a fail-over loses of acknowledged adds, with and without waiting for a replica.

    python toril/tests/deployment/loss.py

A master, two replicas and three Sentinels run on this machine. Producers add jobs with ids of their own
while the master is killed (SIGKILL); in the second scenario both replicas have hung for half a second.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import time
import uuid
from typing import NamedTuple

from servers import SentinelGroup, sentinel_group  # beside this file, which is run by itself

import toril

PRODUCERS = 20
ROUNDS = 3
PAYLOAD = {"text": "x" * 2000}
LAG = 0.5
"""Seconds that the replicas hang before the master is killed."""


class Result(NamedTuple):
    """Of one round: adds acknowledged before the kill, how many are lost, seconds until the next one."""

    acknowledged: int
    lost: int
    gap: float


async def _produce(url: str, prefix: str, times: dict[str, float], told: asyncio.Event) -> None:
    async with toril.Queue("loss", url) as queue:
        number = 0
        while not told.is_set():
            job_id = f"{prefix}-{number}"
            try:
                await queue.add("a", PAYLOAD, job_id=job_id)
            except (toril.ConnectionFailed, toril.ServerRefused, toril.NotReplicated):
                await asyncio.sleep(0.01)
                continue  # the same id again
            times[job_id] = time.monotonic()
            number += 1


async def one_round(group: SentinelGroup, url: str, lag: bool) -> Result:
    """Kill the master under load, and count at the new one."""
    times: dict[str, float] = {}
    end = asyncio.Event()
    names = [uuid.uuid4().hex[:8] for _ in range(PRODUCERS)]
    tasks = [asyncio.create_task(_produce(url, name, times, end)) for name in names]
    await asyncio.sleep(1.0)
    master = group.master()
    replicas = [server.pid for server in group.servers if server is not master and server.pid]
    if lag:
        for pid in replicas:
            os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(LAG)
    master.kill()
    killed = time.monotonic()
    if lag:
        for pid in replicas:
            os.kill(pid, signal.SIGCONT)
    async with asyncio.timeout(60):
        while max(times.values()) < killed + 0.5:
            await asyncio.sleep(0.05)
    end.set()
    await asyncio.wait(tasks)
    before = [job_id for job_id, at in times.items() if at < killed]
    gap = min(at for at in times.values() if at > killed + 0.2) - killed
    async with toril.Queue("loss", group.url) as queue:
        lost = sum(job is None for job in await asyncio.gather(*(queue.get_job(each) for each in before)))
        await queue.pause()
        await queue.obliterate(force=True)
    master.restart()
    await asyncio.to_thread(group.until_replicated)
    return Result(len(before), lost, gap)


async def main() -> None:
    """Print a table."""
    print("| replicas | `?replicas=` | acknowledged before | lost, each round | seconds without an add |")
    print("| --- | --- | --- | --- | --- |")
    for lag in (False, True):
        for wait in (0, 1):
            with sentinel_group(replicas=2) as group:
                url = f"{group.url}?replicas={wait}"
                results = [await one_round(group, url, lag) for _ in range(ROUNDS)]
            replica = f"hung for {LAG:g} s" if lag else "healthy"
            added = sum(each.acknowledged for each in results)
            lost = ", ".join(str(each.lost) for each in results)
            gap = statistics.median(each.gap for each in results)
            print(f"| {replica} | {wait} | {added:,} | {lost} | {gap:.1f} |", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
