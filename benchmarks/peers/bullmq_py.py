"""bullmq for Python: addBulk in chunks of 500, and a Worker of the given concurrency."""

from __future__ import annotations

import uvloop
from bullmq import Queue, Worker

from .common import KEEP_SECONDS, Order, Payload
from .coroutines import drive
from .ledger import Ledger

OPTIONS = {"removeOnComplete": {"age": KEEP_SECONDS}}
CHUNK = 500


class BullMQ:
    """The side."""

    def __init__(self, given: Order) -> None:
        self.given = given
        self.queue = Queue(given.queue, {"connection": given.url})

    async def open(self) -> None:
        """Nothing: the first call connects."""

    async def add(self, data: Payload) -> object:
        """One job."""
        return await self.queue.add("x", data, OPTIONS)

    async def add_bulk(self, many: list[Payload]) -> object:
        """As many in a call as Node's side."""
        for first in range(0, len(many), CHUNK):
            await self.queue.addBulk(
                [{"name": "x", "data": data, "opts": OPTIONS} for data in many[first : first + CHUNK]]
            )
        return None

    async def work(self, ledger: Ledger) -> None:
        """One worker in this process."""

        async def process(job, token):  # type: ignore[no-untyped-def]  # as the package wants it
            return await ledger.run(job.data)

        worker = Worker(
            self.given.queue,
            process,
            {"connection": self.given.url, "concurrency": self.given.concurrency},
        )
        await ledger.wait()
        await worker.close()

    async def left(self) -> int:
        """What waits or runs."""
        counts = await self.queue.getJobCounts("waiting", "active")
        return int(counts["waiting"] + counts["active"])

    async def close(self) -> None:
        """Disconnect."""
        await self.queue.close()


if __name__ == "__main__":
    drive(BullMQ, uvloop.run)
