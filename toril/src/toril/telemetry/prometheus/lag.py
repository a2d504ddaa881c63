"""How late an event loop is, looked at twice a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

INTERVAL = 0.5
"""Seconds between two looks."""


class LagProbe:
    """Looks while there is something to look for.

    Args:
        late: Told of each look: how many seconds it came too late.
        wanted: Whether to go on.
    """

    def __init__(self, late: Callable[[float], None], wanted: Callable[[], bool]) -> None:
        self._late = late
        self._wanted = wanted
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Look at the running event loop, unless that is done already."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            self._next(loop)

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        due = loop.time() + INTERVAL
        loop.call_at(due, self._look, loop, due)

    def _look(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        if self._loop is not loop:
            return
        if not self._wanted():
            self._loop = None
            return
        self._late(max(0.0, loop.time() - due))
        self._next(loop)
