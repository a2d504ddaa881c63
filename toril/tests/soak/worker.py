"""A worker process: `python -m soak.worker URL QUEUE KIND CLOCK_OFF`, with SOAK_LEDGER in the environment."""

from __future__ import annotations

import asyncio
import logging
import sys
import time

import toril

from . import handlers

LOCK = 2.0
STALLED = 1.0
NO_SERVER = 69
"""Exit code of a worker that cannot reach the server when it starts, as `toril worker` has it."""


async def main(url: str, queue: str, kind: str, clock_off: str) -> None:
    real = time.time
    time.time = lambda: real() + float(clock_off)
    handler = handlers.in_loop if kind == "loop" else handlers.blocking
    worker = toril.Worker(
        queue,
        handler,
        url=url,
        name=f"soak-{kind}",
        concurrency=2 if kind == "process" else 10,
        lock_duration=LOCK,
        stalled_interval=STALLED,
        max_stalled=1000,
        drain_timeout=3.0,
        run_in="process" if kind == "process" else None,
    )
    try:
        await worker.run()
    except (toril.ConnectionFailed, toril.ServerRefused):
        if worker.ready.is_set():
            raise
        sys.exit(NO_SERVER)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s [%(process)d] %(levelname)s %(message)s")
    asyncio.run(main(*sys.argv[1:5]))
