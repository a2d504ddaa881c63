"""What one may do with a whole queue."""

from __future__ import annotations

from ..errors import QueueActive, QueueNotPaused
from .base import QueueBase


class Control(QueueBase):
    """The verbs on all jobs of a queue at once."""

    async def pause(self) -> None:
        """Let no worker start further jobs of this queue."""
        await self._store.set_paused(True)

    async def resume(self) -> None:
        """Let workers go on."""
        await self._store.set_paused(False)

    async def is_paused(self) -> bool:
        """Whether the queue is paused."""
        return await self._store.is_paused()

    async def drain(self, *, delayed: bool = False) -> int:
        """Remove all waiting jobs, and delayed ones when asked; returns how many."""
        total = 0
        while removed := await self._store.drain(delayed):
            total += removed
        return total

    async def obliterate(self, *, force: bool = False) -> None:
        """Remove the paused queue with all that belongs to it.

        Raises:
            QueueNotPaused: pause it first.
            QueueActive: jobs are running, and `force` is not set.
        """
        while (code := await self._store.obliterate(force)) == 1:
            pass
        if code == -1:
            raise QueueNotPaused(f"queue {self._name} must be paused before it is obliterated")
        if code == -2:
            raise QueueActive(f"queue {self._name} has running jobs; force=True removes them too")
