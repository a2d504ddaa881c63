"""Adds that are made one by one and travel together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from ..codec import AddArguments
from ..errors import ServerRefused
from ..storage.channel import Reply
from ..storage.jobs import Added, JobStore, added_by

CHUNK = 500
"""How many jobs one script call adds at the most, so that no call holds the server for long."""
EARLY = 32
"""How many adds of one turn of the event loop go out before it ends: the server has something to do then."""

FEW = 4
"""Calls under way beside which adds still go out; then they gather until one ends, or `EARLY` are there."""

Outcome = tuple[Added, int]
"""What became of one add, and the server's time in ms."""
_Pending = tuple[AddArguments, "asyncio.Future[Outcome]"]


class GatheredAdds:
    """Sends adds: the first one at once, others of the same turn of the event loop together.

    Args:
        store: The queue's scripts.
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._pending: list[_Pending] = []
        self._posted: set[_Posted] = set()
        self._calls: set[asyncio.Task[None]] = set()

    def add(self, arguments: AddArguments) -> asyncio.Future[Outcome]:
        """Add one job. The future may end with ConnectionFailed, ServerRefused or NotReplicated."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        self._pending.append((arguments, future))
        if len(self._pending) == EARLY or not (self._posted or self._calls):
            self.send()
        elif len(self._pending) == 1:
            loop.call_soon(self._turn_ended)
        return future

    def _turn_ended(self) -> None:
        if self._pending and len(self._posted) + len(self._calls) < FEW:
            self.send()

    def send(self) -> None:
        """Send what has gathered."""
        if self._calls and self._store.connection.address.replicas is not None:
            return  # one wait for replicas at a time: what gathers meanwhile shares the next one
        pending, self._pending = self._pending, []
        for start in range(0, len(pending), CHUNK):
            batch = pending[start : start + CHUNK]
            posted = _Posted(batch, self)
            if self._store.post_add([arguments for arguments, _ in batch], posted):
                self._posted.add(posted)
            else:
                self._call(batch)

    def _call(self, batch: Sequence[_Pending]) -> None:
        call = asyncio.get_running_loop().create_task(self._add(batch))
        self._calls.add(call)
        call.add_done_callback(self._called)

    async def _add(self, batch: Sequence[_Pending]) -> None:
        try:
            added, now = await self._store.add([arguments for arguments, _ in batch])
        except BaseException as error:
            _fail(batch, error)
            if not isinstance(error, Exception):
                raise
            return
        _finish(batch, added, now)

    def _called(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        if self._pending:
            self.send()

    def answered(self, posted: _Posted, error: Exception | None) -> None:
        """Take note that a call that went out at once has been answered, or has failed."""
        self._posted.discard(posted)
        if self._pending:
            asyncio.get_running_loop().call_soon(self._turn_ended)
        told = self._store.refusal(error) if isinstance(error, ServerRefused) else error
        if told is not None:
            _fail(posted.batch, told)
        elif error is not None:
            self._call(posted.batch)

    async def settled(self) -> None:
        """Wait until nothing is under way any more."""
        while self._posted or self._calls:
            under_way: set[asyncio.Future[Any]] = {*self._calls}
            under_way.update(future for posted in self._posted for _, future in posted.batch)
            await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)


class _Posted:
    """The adds of one call that went out at once; its answer is put in here."""

    def __init__(self, batch: Sequence[_Pending], owner: GatheredAdds) -> None:
        self.batch = batch
        self._owner = owner

    def done(self) -> bool:
        return False

    def set_result(self, reply: Reply) -> None:
        self._owner.answered(self, None)
        _finish(self.batch, *added_by(reply, [arguments for arguments, _ in self.batch]))

    def set_exception(self, error: Exception) -> None:
        self._owner.answered(self, error)


def _finish(batch: Sequence[_Pending], added: Sequence[Added], now: int) -> None:
    for (_, future), result in zip(batch, added, strict=True):
        if not future.done():
            future.set_result((result, now))


def _fail(batch: Sequence[_Pending], error: BaseException) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
