"""A worker process for the tests of stopping. Arguments: URL, queue, kind, concurrency, drain timeout."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time

import toril
from toril.worker.routes import Handler


async def coroutine(job: toril.Job) -> None:
    await asyncio.sleep(600)


async def stubborn(job: toril.Job) -> None:
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(600)


def thread(job: toril.Job) -> None:
    time.sleep(600)


def looking(job: toril.Job) -> None:
    while True:
        job.raise_if_cancelled()
        time.sleep(0.01)


def process(job: toril.Job) -> None:
    time.sleep(600)


KINDS: dict[str, Handler] = {
    "coroutine": coroutine,
    "stubborn": stubborn,
    "thread": thread,
    "looking": looking,
    "process": process,
}


async def main(url: str, queue: str, kind: str, concurrency: str, drain_timeout: str) -> None:
    worker = toril.Worker(
        queue,
        KINDS[kind],
        url=url,
        concurrency=int(concurrency),
        drain_timeout=float(drain_timeout),
        run_in="process" if kind == "process" else None,
    )
    await worker.run()
    print("handed back", worker.handed_back, flush=True)


if __name__ == "__main__":
    import stopping_worker  # by its name, so that a process of a handler can import it too

    asyncio.run(stopping_worker.main(*sys.argv[1:]))
