"""The queues that the dashboard shows, each with one connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from ..errors import InvalidOption
from ..queue import Queue
from ..storage.discovery import queue_names

REDISCOVER = 60.0
"""Seconds after which queues are looked for anew."""
SHARE = 100
"""Looking for queues goes through all keys: it is done at most for a hundredth of the time."""


class QueueRegistry:
    """The queues of a server, or those that were named.

    Args:
        url: The server.
        prefix: What all keys begin with.
        names: The queues; None for all that are there.
    """

    def __init__(self, url: str, prefix: str, names: Sequence[str] | None) -> None:
        self._url = url
        self._prefix = prefix
        self._fixed = names is not None
        self._names: list[str] = sorted(names or ())
        self._queues: dict[str, Queue] = {}
        self._looked_until = 0.0
        self._looking: asyncio.Lock = asyncio.Lock()

    @property
    def prefix(self) -> str:
        """What all keys begin with."""
        return self._prefix

    async def names(self) -> list[str]:
        """The names of the queues, sorted. Raises ConnectionFailed, ServerRefused."""
        if self._fixed or time.monotonic() < self._looked_until:
            return self._names
        if self._names and self._looking.locked():
            return self._names  # somebody looks already
        async with self._looking:
            if time.monotonic() >= self._looked_until:
                begun = time.monotonic()
                found = await queue_names(self._url, self._prefix)
                took = time.monotonic() - begun
                self._names = found
                self._looked_until = time.monotonic() + max(REDISCOVER, SHARE * took)
        return self._names

    async def find(self, name: str) -> Queue | None:
        """The queue of this name, if it is shown here."""
        if name in self._names:
            return self.queue(name)
        if self._fixed:
            return None
        try:
            queue = self.queue(name)
        except InvalidOption:
            return None
        if await queue.exists():
            self._names = sorted({*self._names, name})
            return queue
        await self._forget(name)
        return None

    def queue(self, name: str) -> Queue:
        """The queue of a name that is known. Raises InvalidOption."""
        found = self._queues.get(name)
        if found is None:
            found = self._queues[name] = Queue(name, self._url, prefix=self._prefix)
        return found

    async def _forget(self, name: str) -> None:
        queue = self._queues.pop(name, None)
        if queue is not None:
            await queue.close()

    async def close(self) -> None:
        """Close all connections."""
        for name in list(self._queues):
            await self._forget(name)
