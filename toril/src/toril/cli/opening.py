"""Opens the queue that a command is about."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from ..queue import Queue
from ..storage.address import server_url
from .telling import NotDone


@contextlib.asynccontextmanager
async def opened(name: str, url: str | None, prefix: str) -> AsyncIterator[Queue]:
    """A queue that is there, closed when the block ends.

    Raises:
        NotDone: there is no such queue: a name that was mistyped.
        InvalidOption: the name or the URL cannot be meant.
    """
    async with Queue(name, server_url(url), prefix=prefix) as queue:
        if not await queue.exists():
            raise NotDone(f"there is no queue {name!r}; `toril stats` lists those that are there")
        yield queue
