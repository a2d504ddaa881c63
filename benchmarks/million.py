"""Reads a queue of a million jobs: `python -m benchmarks.million [JOBS]`. Prints server time a call.

The times are the server's own (`INFO commandstats`, microseconds in scripts and commands), so neither
the client nor a busy machine's network counts.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from functools import partial

import uvloop

import toril

PAGE = 50
REPEATS = 20


async def server_micros(queue: toril.Queue) -> int:
    """Microseconds that the server has spent in scripts and plain calls."""
    text = (await queue.store.connection.call("INFO", "commandstats")).decode()
    total = 0
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        # What runs inside a script is counted in the script too.
        if name in {"cmdstat_eval", "cmdstat_evalsha"}:
            total += int(rest.split("usec=")[1].split(",")[0])
    return total


async def measure(queue: toril.Queue, call: Callable[[], Awaitable[object]]) -> float:
    """Mean server time of one call, in milliseconds."""
    await call()
    before = await server_micros(queue)
    for _ in range(REPEATS):
        await call()
    return (await server_micros(queue) - before) / REPEATS / 1000


async def main(url: str, jobs: int) -> None:
    """Fill one queue a state, read it, print."""
    print(f"{jobs:,} jobs of one state; server ms a call, mean of {REPEATS}; pages of {PAGE}")
    print(f"{'state':14}{'first page':>12}{'middle':>10}{'last':>10}{'counts':>10}{'get_state':>12}")
    states: dict[str, toril.JobKeywords] = {
        "waiting": {},
        "prioritized": {"priority": 1},
        "delayed": {"delay": 1e6},
    }
    for state, options in states.items():
        async with toril.Queue(f"million-{state}", url) as queue:
            middle = ""
            for start in range(0, jobs, 10_000):
                some = [
                    toril.NewJob("x", {"i": start + i}, **options) for i in range(min(10_000, jobs - start))
                ]
                made = await queue.add_many(some)
                if start <= jobs // 2:
                    middle = made[0].id
            pages = [
                await measure(queue, partial(queue.get_jobs, state, start, start + PAGE - 1))
                for start in (0, jobs // 2, jobs - PAGE)
            ]
            counts = await measure(queue, queue.get_job_counts)
            found = await measure(queue, partial(queue.get_state, middle))
            print(
                f"{state:14}{pages[0]:>12.2f}{pages[1]:>10.2f}{pages[2]:>10.2f}{counts:>10.3f}{found:>12.3f}",
                flush=True,
            )
            await queue.pause()
            await queue.obliterate()


if __name__ == "__main__":
    with toril.embedded() as url:
        uvloop.run(main(url, int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
