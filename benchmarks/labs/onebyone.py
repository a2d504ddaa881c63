"""`add`, awaited one by one, beside a bare call of the same script over a socket of one's own.

The bare call's bytes are made before, and of the answer only its end is looked for: no Python client
can be faster. Rounds alternate.
"""

from __future__ import annotations

import asyncio
import statistics
import time

import toril
from benchmarks.peers.common import TEXT
from benchmarks.record import Measures
from toril.codec import add_arguments
from toril.storage import scripts
from toril.storage.channel import encode
from toril.storage.jobs import add_call

from .common import KEEP, drive, new_job

ROUND = 1000


class Bare(asyncio.Protocol):
    """Sends bytes, and knows an answer by its length."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to write."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """An answer is small: it comes in one piece."""
        assert self.answer is not None
        if data.startswith(b"-"):
            self.answer.set_exception(RuntimeError(data.decode()))
        else:
            self.answer.set_result(None)

    async def call(self, command: bytes) -> None:
        """Send, and wait for the answer."""
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(command)  # type: ignore[attr-defined]  # uvloop's are no asyncio.Transport
        await self.answer


async def measure(quick: bool) -> Measures:
    """Both rates, and the share that `add` reaches."""
    ours: list[float] = []
    bare: list[float] = []
    with toril.EmbeddedServer() as server:
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_connection(Bare, "127.0.0.1", server.port)
        async with toril.Queue("onebyone", server.url) as queue:
            keys = queue.store.keys
            await queue.add("x", {"i": -1})
            for number in range(4 if quick else 12):
                begun = time.perf_counter()
                for i in range(ROUND):
                    await queue.add("x", {"i": i, "due": 0, "text": TEXT}, keep_completed=KEEP)
                ours.append(ROUND / (time.perf_counter() - begun))
                blob = add_call([add_arguments(new_job(number))])
                command = encode(
                    ("EVALSHA", scripts.sha("add_jobs"), len(keys.all), *keys.all, keys.base, blob)
                )
                begun = time.perf_counter()
                for _ in range(ROUND):
                    await protocol.call(command)
                bare.append(ROUND / (time.perf_counter() - begun))
            counts = await queue.get_job_counts()
            assert counts["waiting"] == 1 + 2 * ROUND * len(ours), counts
        protocol.transport.close()
    rate, limit = statistics.median(ours), statistics.median(bare)
    return {"share": rate / limit, "rate": rate, "bare": limit}


if __name__ == "__main__":
    drive(measure)
