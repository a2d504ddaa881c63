"""Rounds of load and faults, each with a quiet point behind it where all is judged."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from pathlib import Path

from deployment.proxy import Proxy

import toril

from .checker import EVERY_MS, SCHEDULER, Checker
from .faults import Faults
from .fleet import Fleet
from .ledgers import Runs, finals, is_tick
from .load import Load

QUEUE = "soak"
ROUND = 60.0
"""Seconds of faults between two quiet points."""
DRAIN = 60.0
"""Seconds that the queue may take to drain when the faults have ended."""
CALM = 50
"""How many jobs are run at each quiet point without a fault: once each."""


async def soak(folder: Path, seed: int, seconds: float) -> list[str]:
    """Run for about so long; prints what was done, and returns what does not hold."""
    numbers = random.Random(seed)
    with toril.EmbeddedServer(folder / "data", appendonly="always") as server:
        async with Proxy(server.port) as proxy:
            line = f"valkey://127.0.0.1:{proxy.port}/0"
            fleet = Fleet(line, QUEUE, folder)
            try:
                return await _rounds(folder, server, proxy, fleet, line, numbers, seconds)
            finally:
                fleet.close()


async def _rounds(
    folder: Path,
    server: toril.EmbeddedServer,
    proxy: Proxy,
    fleet: Fleet,
    line: str,
    numbers: random.Random,
    seconds: float,
) -> list[str]:
    runs = Runs(folder / "runs.jsonl")
    async with (
        toril.Queue(QUEUE, server.url) as sure,
        toril.Queue(QUEUE, line) as queue,
        toril.FlowProducer(line) as flows,
        toril.QueueEvents(QUEUE, line) as events,
    ):
        await sure.set_max_events(1_000_000)
        tick = toril.Every(EVERY_MS / 1000, missed=toril.Missed.all(1000))
        await sure.upsert_job_scheduler(SCHEDULER, tick, "work", {"does": "ok", "key": SCHEDULER})
        load = Load(queue, flows, random.Random(numbers.random()))
        faults = Faults(server, proxy, fleet, sure, random.Random(numbers.random()))
        checker = Checker(sure)
        reader = asyncio.create_task(load.read_events(events))
        begun = time.monotonic()
        slowest = 0.0
        rounds = 0
        try:
            while not checker.violations:
                left = begun + seconds - time.monotonic()
                if left < 5 and rounds:
                    break
                rounds += 1
                fleet.tend()
                load.begin()
                await faults.run(min(ROUND, max(left * 0.6, 5.0)))
                await faults.heal()
                await load.end()
                slowest = max(slowest, await _quiet(sure, load, runs, checker, fleet))
                await _calm(sure, checker, runs)
                print(
                    f"  {time.monotonic() - begun:6.0f} s, round {rounds}: {checker.counts['jobs']} jobs",
                    flush=True,
                )
        finally:
            reader.cancel()
            await asyncio.wait([reader])
    _report(faults.counts, load.counts, checker, rounds, slowest)
    return checker.violations


async def _until(checker: Checker, limit: float) -> float | None:
    """Wait for the queue to drain; returns the seconds, or None if it does not."""
    begun = time.monotonic()
    while time.monotonic() < begun + limit:
        if await checker.is_drained():
            return time.monotonic() - begun
        await asyncio.sleep(0.1)
    return None


async def _quiet(sure: toril.Queue, load: Load, runs: Runs, checker: Checker, fleet: Fleet) -> float:
    """Let the queue drain and judge; returns the seconds that it took."""
    await sure.resume()
    took = await _until(checker, DRAIN)
    if took is None:
        counts = {state: number for state, number in (await sure.get_job_counts()).items() if number}
        left = [job.id for job in await sure.get_jobs("active")]
        checker.blame("I6", f"not drained {DRAIN:g} s after the last fault: {counts}, active {left[:10]}")
        return DRAIN
    if late := await load.waited(20.0):
        checker.blame("I6", f"{late} waiters were not told of ends")
    if not load.missed:
        await _told(sure, load)
    checker.violations += load.lost
    await checker.judge(load, runs)
    await checker.judge_bounds(fleet)
    return took


async def _told(sure: toril.Queue, load: Load) -> None:
    """Let the reader of events catch up: it may sleep on a half-open connection."""
    for _ in range(20):
        ended = {job_id for job_id, _ in await finals(sure) if not is_tick(job_id)}
        if load.missed or ended <= load.ends:
            return
        await asyncio.sleep(1.0)


async def _calm(sure: toril.Queue, checker: Checker, runs: Runs) -> None:
    """Without a fault each job runs once."""
    if checker.violations:
        return
    jobs = await sure.add_many([toril.NewJob("work", {"does": "ok", "key": "calm"}) for _ in range(CALM)])
    if await _until(checker, DRAIN) is None:
        checker.blame("I6", "a calm queue did not drain")
        return
    runs.read()
    for job in jobs:
        if runs.starts[job.id] != 1:
            checker.blame("I4", f"job {job.id} ran {runs.starts[job.id]} times without a fault")
    runs.clear()
    await checker.judge_leftovers()


def _report(faults: Counter[str], load: Counter[str], checker: Checker, rounds: int, slowest: float) -> None:
    counts = checker.counts
    for title, found in (("faults", faults), ("calls", load), ("judged", counts)):
        print(f"{title}: " + ", ".join(f"{name} {number}" for name, number in sorted(found.items())))
    print(f"rounds {rounds}, slowest drain {slowest:.1f} s, lost {counts['lost']}")
    for violation in checker.violations[:50]:
        print(f"VIOLATED {violation}")
    print(
        "soak: " + (f"{len(checker.violations)} violations" if checker.violations else "all invariants held")
    )
