"""A worker process under load: `python load.py URL QUEUE LEDGER`. Each run is a line of the ledger."""

from __future__ import annotations

import asyncio
import os
import sys

import toril


async def main(url: str, queue: str, ledger: str) -> None:
    out = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def handler(job: toril.Job) -> int:
        os.write(out, f"{job.data}\n".encode())
        await asyncio.sleep(0.01)
        return int(job.data)

    worker = toril.Worker(
        queue, handler, url=url, concurrency=20, lock_duration=1.0, stalled_interval=0.5, max_stalled=20
    )
    await worker.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
