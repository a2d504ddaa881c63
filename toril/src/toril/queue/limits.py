"""The limits that all workers of a queue keep, Node's and toril's: how many at once, how many in a time."""

from __future__ import annotations

from datetime import timedelta

from ..errors import InvalidOption
from ..options import RateLimit, milliseconds, seconds, whole
from .base import QueueBase


class Limits(QueueBase):
    """The verbs on a queue's limits."""

    async def set_global_concurrency(self, concurrency: int) -> None:
        """Let at most so many jobs of the queue run at once, over all workers. Raises InvalidOption."""
        await self._limits.set(concurrency=whole(concurrency, "concurrency", 1, 2**31))

    async def remove_global_concurrency(self) -> None:
        """Let each worker run as many jobs as it has slots."""
        await self._limits.set(concurrency=None)

    async def get_global_concurrency(self) -> int | None:
        """How many jobs may run at once over all workers; None if there is no limit."""
        return (await self._limits.read()).concurrency

    async def is_maxed(self) -> bool:
        """Whether as many jobs run as `set_global_concurrency` allows."""
        limits = await self._limits.read()
        return limits.concurrency is not None and limits.active >= limits.concurrency

    async def set_global_rate_limit(self, max: int, duration: float | timedelta) -> None:
        """Let at most `max` jobs begin within `duration` seconds, over all workers; see `RateLimit`.

        It goes before a worker's own `limiter`.

        Raises:
            InvalidOption: one of them is wrong.
        """
        limit = RateLimit(max, seconds(duration, "duration"))
        await self._limits.set(max=limit.max, duration=round(limit.duration * 1000))

    async def remove_global_rate_limit(self) -> None:
        """Take the queue's rate limit away; workers with a `limiter` of their own keep theirs."""
        await self._limits.set(max=None, duration=None)

    async def get_global_rate_limit(self) -> RateLimit | None:
        """The queue's rate limit; None if there is none."""
        limits = await self._limits.read()
        if limits.max is None or limits.duration_ms is None:
            return None
        return RateLimit(limits.max, limits.duration_ms / 1000)

    async def rate_limit(self, duration: float | timedelta) -> None:
        """Let no worker start a job for `duration` seconds.

        Node workers look at it only if they have a `limiter`, or the queue has a rate limit.

        Raises:
            InvalidOption: the duration is wrong or less than a millisecond.
        """
        ms = milliseconds(duration, "duration")
        if ms < 1:
            raise InvalidOption("duration must be at least 0.001 seconds")
        await self._limits.block(ms)

    async def remove_rate_limit_key(self) -> bool:
        """Begin a new window of the rate limit now; returns whether one was running.

        Waiting toril workers go on at once; Node's look again when the old window would have ended.
        """
        return await self._limits.block(0)

    async def get_rate_limit_ttl(self, max: int | None = None) -> float:
        """Seconds until jobs may start again, as a rate limit has it; 0.0 if none stands in the way.

        Args:
            max: What the limit is, where only workers know of it. Without it and without a limit of
                the queue, the end of any window that runs is told, as in BullMQ.

        Raises:
            InvalidOption: `max` is less than 1.
        """
        limits = await self._limits.read()
        most = whole(max, "max", 1, 2**53) if max is not None else limits.max
        return 0.0 if most is not None and limits.started < most else limits.window_ms / 1000
