"""Reads which running jobs of a queue are cancelled, as it happens."""

from __future__ import annotations

from typing import NamedTuple

from .connection import Connection
from .jobs import pair
from .keys import Keys

BLOCK_MS = 5000


class CancelOrder(NamedTuple):
    """One run that someone wants to end."""

    job_id: str
    token: str  # what the job's lock held: the run of another time is not meant
    reason: str


class CancelReader:
    """A cursor in the queue's stream of cancels."""

    def __init__(self, connection: Connection, keys: Keys) -> None:
        self._connection = connection
        self._key = keys.cancels
        self._cursor: str | None = None

    async def start(self) -> None:
        """Begin behind what is in the stream now; jobs cancelled before bear a mark."""
        last = await self._connection.call("XREVRANGE", self._key, "+", "-", "COUNT", 1)
        self._cursor = last[0][0].decode() if last else "0-0"

    async def read(self) -> list[CancelOrder]:
        """Wait up to five seconds for orders."""
        assert self._cursor is not None, "start it first"
        reply = await self._connection.call(
            "XREAD", "BLOCK", BLOCK_MS, "COUNT", 1000, "STREAMS", self._key, self._cursor,
            timeout=BLOCK_MS / 1000 + 10,
        )  # fmt: skip
        orders = []
        for entry_id, flat in reply[0][1] if reply else ():
            self._cursor = entry_id.decode()
            fields = {name: value.decode("utf-8", "replace") for name, value in pair(flat).items()}
            orders.append(CancelOrder(fields[b"jobId"], fields[b"token"], fields[b"reason"]))
        return orders
