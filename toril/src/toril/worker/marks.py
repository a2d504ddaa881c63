"""Why a worker cancels a run's task: the message of the cancellation."""

from __future__ import annotations

import asyncio
from typing import TypeVar

T = TypeVar("T")


class HandBack(Exception):
    """The worker stops: the job goes back unspent."""


class LockLost(Exception):
    """Another worker may have the job: its run is not to be settled."""


class CancelAsked(Exception):
    """Somebody has cancelled the job: it is to fail."""


class LeftBehind(Exception):
    """The job was handed back already, though its handler has not ended."""


async def unless_told(future: asyncio.Future[T], *marks: type[Exception]) -> T:
    """Wait for a future, and go on waiting when the task is cancelled with one of these marks."""
    while True:
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if not (error.args and error.args[0] in marks) or task is None:
                raise
            task.uncancel()
