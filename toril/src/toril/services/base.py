"""The one shape of all background services: a pass, and a ticker that repeats it."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod

from ..errors import ConnectionFailed, ServerRefused

logger = logging.getLogger("toril")

AFTER_ERROR = 0.25
"""Seconds to wait after an error of the server, beside the interval."""


class Service(ABC):
    """A pass that is made at once and then every `interval` seconds.

    Stopping before starting, and stopping twice, are allowed.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def run_once(self) -> int:
        """Make one pass; returns how many things it did."""

    def start(self) -> asyncio.Task[None]:
        """Start the ticker and return it; it ends only with an error that is not the server's."""
        if self._task is None:
            self._task = asyncio.create_task(self._tick(), name=type(self).__name__)
        return self._task

    async def _tick(self) -> None:
        while True:
            try:
                if count := await self.run_once():
                    logger.info("%s: %d", type(self).__name__, count)
            except (ConnectionFailed, ServerRefused) as error:
                logger.warning("%s: %s", type(self).__name__, error)
                await asyncio.sleep(AFTER_ERROR)
            await asyncio.sleep(self._interval)

    async def stop(self) -> None:
        """Stop the ticker."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
