"""A worker process that begins jobs and ends none: `python held.py URL QUEUE LEDGER [DEATH_AFTER]`.

Each run is a line of the ledger. Without DEATH_AFTER the worker has the default settings.
"""

from __future__ import annotations

import asyncio
import os
import sys

import toril


async def main(url: str, queue: str, ledger: str, death_after: str | None = None) -> None:
    out = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def handler(job: toril.Job) -> None:
        os.write(out, f"{job.id}\n".encode())
        await asyncio.sleep(600)

    if death_after is None:
        worker = toril.Worker(queue, handler, url=url, concurrency=20)
    else:
        worker = toril.Worker(queue, handler, url=url, concurrency=20, death_after=float(death_after))
    await worker.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
