"""No-op jobs of a queue with a long backlog beside those of a short one, on one server, in turn."""

from __future__ import annotations

import statistics
import sys

import toril
from benchmarks.record import Measures

from .common import Runs, drive, fill

SHORT = 10_000
A_ROUND = 8_000
CONCURRENCY = 50


async def measure(quick: bool) -> Measures:
    """Both rates, and the share that the long one reaches."""
    long = int(sys.argv[2])
    found: dict[str, list[float]] = {"short": [], "long": []}
    with toril.EmbeddedServer() as server:
        async with (
            toril.Queue("short", server.url) as short_queue,
            toril.Queue("long", server.url) as long_queue,
        ):
            queues = {"short": short_queue, "long": long_queue}
            await fill(short_queue, SHORT)
            await fill(long_queue, long)
            for number in range(5 if quick else 9):
                names = ("short", "long") if number % 2 else ("long", "short")
                for name in names:
                    runs = Runs(A_ROUND)
                    await runs.work(queues[name], CONCURRENCY)
                    found[name].append(runs.rate)
                    await fill(queues[name], runs.runs)
    rates = {name: statistics.median(values) for name, values in found.items()}
    return {"share": rates["long"] / rates["short"], **rates}


if __name__ == "__main__":
    drive(measure)
