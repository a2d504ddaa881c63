"""Sleeps while a queue has no jobs for a worker, and wakes it when there may be some."""

from __future__ import annotations

import asyncio
import logging

from ..errors import ConnectionFailed, ServerRefused
from ..storage.address import Address
from ..storage.connection import Connection
from ..storage.keys import Keys
from ..storage.work import put_marker, wait_marker, wake_another
from .cycle import Cycle

logger = logging.getLogger("toril")


class Idler:
    """Sleeps on the queue's marker whenever slots are free and the queue had no jobs for them.

    Args:
        cycle: Fed when there may be jobs.
        address: The server.
        keys: The queue's keys.
        name: The worker's name, which its connection bears.
        max_block: Seconds after which the worker looks itself, as BullMQ's `drainDelay`.
    """

    def __init__(self, cycle: Cycle, address: Address, keys: Keys, name: str, max_block: float) -> None:
        self._cycle = cycle
        self._address = address
        self._keys = keys
        self._name = name
        self._max_block = max_block
        self._connection = self._new_connection()
        self._awake = asyncio.Event()
        self._awake.set()

    def _new_connection(self) -> Connection:
        # The name is how `Queue.workers` and Node's `getWorkers` find this worker.
        return Connection(self._address, name=f"{self._keys.client}:w:{self._name}")

    @property
    def reconnects(self) -> int:
        """How often its connection was made anew."""
        return self._connection.reconnects

    async def connect(self) -> None:
        """Connect, so that the worker can be found. Raises ConnectionFailed, ServerRefused."""
        await self._connection.call("PING")

    async def run(self) -> None:
        """Sleep and wake until cancelled."""
        cycle = self._cycle
        while True:
            await self._awake.wait()
            await cycle.dry.wait()
            try:
                woken = await wait_marker(self._connection, self._keys, self._max_block)
                if woken and (cycle.free <= 0 or not self._awake.is_set()):
                    # Not for us: all slots are busy by now, or the worker is paused.
                    await put_marker(self._connection, self._keys)
            except (ConnectionFailed, ServerRefused) as error:
                logger.warning("worker %s cannot wait for jobs: %s", self._name, error)
                await asyncio.sleep(0.25)
            cycle.wake()

    def pause(self) -> None:
        """Leave the marker to other workers."""
        self._awake.clear()

    def resume(self) -> None:
        """Hear the marker again."""
        self._awake.set()

    async def leave(self, calls: Connection) -> None:
        """Close the connection, and let another worker have the marker that it may have been given."""
        await self._connection.close()
        try:
            await wake_another(calls, self._keys)
        except (ConnectionFailed, ServerRefused) as error:
            logger.warning("worker %s cannot wake another one: %s", self._name, error)

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()
