"""100,000 delayed jobs that are due at once: how fast they may run, do run, and hold the server."""

from __future__ import annotations

import asyncio
import time

import toril
from benchmarks.record import Measures

from .common import CHUNK, Runs, connect, drive, new_job

FILL_RATE = 15_000
CONCURRENCY = 200
SLOW_MICROS = 200
"""Calls that take less are not looked at."""


async def measure(quick: bool) -> Measures:
    """Jobs a second that become ready, that run; the longest script call in ms."""
    count = 20_000 if quick else 100_000
    with toril.EmbeddedServer() as server:
        connection = connect(server.url)
        try:
            async with toril.Queue("burst", server.url) as queue:
                due = time.time() + count / FILL_RATE + 0.5
                for first in range(0, count, CHUNK):
                    ahead = due - time.time()
                    await queue.add_many([new_job(i, ahead) for i in range(first, first + CHUNK)])
                assert time.time() < due, "adding took longer than was allowed for"
                await connection.call("CONFIG", "SET", "slowlog-log-slower-than", SLOW_MICROS)
                await connection.call("CONFIG", "SET", "slowlog-max-len", 10_000)
                await connection.call("SLOWLOG", "RESET")
                runs = Runs(count)
                working = asyncio.create_task(runs.work(queue, CONCURRENCY))
                left = count
                begun = promoted = 0.0
                while left:
                    left = await connection.call("ZCARD", queue.store.keys.delayed)
                    promoted = time.perf_counter()
                    begun = promoted if left == count else begun
                    await asyncio.sleep(0.002)
                await working
                slow = await connection.call("SLOWLOG", "GET", -1)
        finally:
            await connection.close()
    longest = max(
        (entry[2] for entry in slow if entry[3][0].lower().startswith(b"eval")), default=SLOW_MICROS
    )
    return {"ready": count / (promoted - begun), "rate": runs.rate, "longest_ms": longest / 1000}


if __name__ == "__main__":
    drive(measure)
