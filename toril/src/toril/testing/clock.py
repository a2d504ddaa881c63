"""A queue's clock, moved on without waiting."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

from ..app import Toril
from ..errors import InvalidOption, WrongPlace
from ..options import milliseconds
from ..queue import Queue
from ..storage.clock import ClockStore


class MovableClock:
    """The clock of some queues. Made by `clock`."""

    def __init__(self, stores: Sequence[ClockStore]) -> None:
        self._stores = stores

    async def now(self) -> datetime:
        """The queues' time, UTC."""
        return await self._move(0, False)

    async def advance(self, by: float | timedelta, *, expire_locks: bool = False) -> datetime:
        """Move the clock on, and return the new time.

        Delayed jobs, retries and schedules become due, and one idle worker of each queue is woken.
        Rate limits, deduplication keys and other keys with a time to live have as much less of it.

        Args:
            by: Seconds.
            expire_locks: Whether the locks of running jobs run on too, as if their workers had died;
                else as if these had renewed them meanwhile.

        Raises:
            InvalidOption: the duration is negative or too long.
            ServerRefused: with the code CLOCKMIXED, when a client without this clock has changed a queue.
            WrongPlace: the server has lost the clock, e.g. by a restart.
        """
        return await self._move(milliseconds(by, "by"), expire_locks)

    async def move_to(self, when: datetime, *, expire_locks: bool = False) -> datetime:
        """Move the clock on to a time; see `advance`.

        Raises:
            InvalidOption: the time has no zone, or is past.
        """
        if when.tzinfo is None:
            raise InvalidOption(f"the time to move to needs a zone: {when}")
        left = (when - await self.now()).total_seconds()
        if left < 0:
            raise InvalidOption(f"a clock cannot be moved back: it is {-left:g} s past {when}")
        return await self.advance(left, expire_locks=expire_locks)

    async def _move(self, by_ms: int, expire_locks: bool) -> datetime:
        times = [await store.move(by_ms, expire_locks) for store in self._stores]
        if times[0] is None or None in times:
            raise WrongPlace("the server has lost the queue's moved clock: was it restarted, or flushed?")
        return datetime.fromtimestamp(times[0] / 1000, UTC)


@contextlib.asynccontextmanager
async def clock(*targets: Queue | Toril) -> AsyncIterator[MovableClock]:
    """Put queues on a clock that can be moved, while the block runs.

    `async with toril.testing.clock(queue) as clock: await clock.advance(3600)`. All that this process
    does with these queues follows it, from before the block too; so begin before workers run. Python's
    own clocks and timers do not move: a handler's `datetime.now()` (see time-machine), a job's timeout.
    Use queues of the test's own: what the block leaves behind is dated in the future.

    Args:
        targets: Queues, or applications with all queues of their declared jobs.

    Raises:
        InvalidOption: no queue is given.
        WrongPlace: a queue is on a moved clock already.
        ServerRefused: at the end, as `advance`.
    """
    queues: dict[str, Queue] = {}
    for target in targets:
        names = (
            [target]
            if isinstance(target, Queue)
            else [target.queue(name) for name in sorted({each.queue for each in target.definitions})]
        )
        queues.update({queue.store.keys.base: queue for queue in names})
    if not queues:
        raise InvalidOption("a clock needs a queue, or an application with declared jobs")
    async with contextlib.AsyncExitStack() as stack:
        stores = []
        for queue in queues.values():
            store = ClockStore(queue.store.connection, queue.store.keys)
            if not await store.begin():
                raise WrongPlace(f"queue {queue.name!r} is on a moved clock already")
            stack.push_async_callback(store.end)
            stores.append(store)
        made = MovableClock(stores)
        yield made
        await made.now()
