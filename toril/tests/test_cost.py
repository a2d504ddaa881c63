"""What a job costs the server, in commands: the check on throughput that no busy machine can disturb.

Counted by Valkey's own statistics, commands inside scripts included, on a server of its own.
"""

from __future__ import annotations

import asyncio

import toril
from toril.storage.address import Address
from toril.storage.connection import Connection

JOBS = 2000
COMMANDS_TO_ADD = 4.1
"""Measured: 4.01."""
COMMANDS_TO_RUN = 8.8
"""Measured: 8.62. To raise either is to say in the commit's message what it buys."""


async def commands(connection: Connection) -> dict[str, int]:
    """How often each command was called since the server's start."""
    text = (await connection.call("INFO", "commandstats")).decode()
    rows = [line.removeprefix("cmdstat_").split(":calls=") for line in text.splitlines() if ":calls=" in line]
    return {name: int(rest.split(",")[0]) for name, rest in rows}


async def test_a_job_costs_no_more_commands_than_it_did() -> None:
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
            before = await commands(connection)
            await queue.add_many([toril.NewJob("x", {"i": i}) for i in range(JOBS)])
            between = await commands(connection)
            worker = toril.Worker("cost", handler, url=url, concurrency=50)
            task = asyncio.create_task(worker.run(handle_signals=False))
            async with asyncio.timeout(20):
                await finished.wait()
            worker.stop()
            await task
            after = await commands(connection)
        finally:
            await queue.close()
            await connection.close()
    adding = {name: (between[name] - before.get(name, 0)) / JOBS for name in between}
    running = {name: (after[name] - between.get(name, 0)) / JOBS for name in after}
    assert sum(adding.values()) <= COMMANDS_TO_ADD, adding
    assert sum(running.values()) <= COMMANDS_TO_RUN, running
