"""What a job costs the server, in commands and bytes: the check on throughput that no busy machine can
disturb.

Counted by Valkey's own statistics, commands inside scripts included, on a server of its own.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import toril
from toril.storage.address import Address
from toril.storage.connection import Connection

JOBS = 2000
KEPT = toril.Keep(count=100)


class Cost(NamedTuple):
    """Of one job, in the mean. `heard` are the bytes that the server got, `said` those that it sent."""

    commands: float
    heard: float
    said: float


# A little more than was measured. To raise one is to say in the commit's message what it buys.
ADDING = Cost(commands=3.1, heard=74, said=17)
RUNNING = Cost(commands=8.7, heard=97, said=208)


async def spent(connection: Connection) -> Cost:
    """All that the server has done so far."""
    lines = (await connection.call("INFO", "commandstats", "stats")).decode().splitlines()
    rows = dict(line.split(":", 1) for line in lines if ":" in line)
    calls = [value for name, value in rows.items() if name.startswith("cmdstat_")]
    return Cost(
        sum(int(value.split(",")[0].removeprefix("calls=")) for value in calls),
        int(rows["total_net_input_bytes"]),
        int(rows["total_net_output_bytes"]),
    )


def each(before: Cost, after: Cost) -> Cost:
    return Cost(*((b - a) / JOBS for a, b in zip(before, after, strict=True)))


async def test_a_job_costs_no_more_than_it_did() -> None:
    with toril.embedded() as url:
        connection = Connection(Address.of(url))
        queue = toril.Queue("cost", url)
        done = 0
        finished = asyncio.Event()

        async def handler(job: toril.Job) -> None:
            nonlocal done
            done += 1
            if done == JOBS:
                finished.set()

        try:
            await queue.add("warm")
            await queue.drain()
            start = await spent(connection)
            await queue.add_many([toril.NewJob("x", {"i": i}, keep_completed=KEPT) for i in range(JOBS)])
            added = await spent(connection)
            worker = toril.Worker("cost", handler, url=url, concurrency=50)
            task = asyncio.create_task(worker.run(handle_signals=False))
            async with asyncio.timeout(20):
                await finished.wait()
            worker.stop()
            await task
            ran = await spent(connection)
        finally:
            await queue.close()
            await connection.close()
    adding, running = each(start, added), each(added, ran)
    assert all(ours <= most for ours, most in zip(adding, ADDING, strict=True)), adding
    assert all(ours <= most for ours, most in zip(running, RUNNING, strict=True)), running
