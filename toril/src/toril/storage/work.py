"""Typed calls before the scripts of a worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from ..errors import ServerRefused
from ..options import RateLimit
from . import scripts
from .channel import Reply, Sink
from .connection import Connection
from .jobs import Fields, pair
from .keys import Keys

FAILED_INSTEAD = {
    -4: "it ended while children were pending",
    -9: "a child has failed it",
    -10: "it was cancelled while it ran",
}
"""Codes of settlements that have failed their job instead of doing what was asked for."""


LATE = 2.0
"""Seconds that a sleep may last too long before its connection is taken for half-open."""


class Settlement(NamedTuple):
    """The outcome of one run."""

    # c completed, f failed for good, r run again, s run again unspent, u the same of a job that was
    # fetched and not begun, w wait for children, l run again unspent, and let no worker start a job
    # for `delay_ms`
    kind: str
    job_id: str
    token: str
    text: str  # the result as JSON, or the failed reason
    trace: str = "[]"
    keep_count: int = -1
    keep_age_ms: int = -1
    delay_ms: int = 0
    attempts: int = 1
    lifo: bool = False

    @property
    def shape(self) -> tuple[object, ...]:
        """What many outcomes have in common, in the order that include/settle.lua reads."""
        return (self.kind, self.token, *self[4:])


class Committed(NamedTuple):
    """What one commit call has done."""

    codes: list[int]
    jobs: list[tuple[str, Fields]]  # a job with no fields was no job any more
    next_in_ms: int  # until a job may start, or -1
    now_ms: int


def committed_by(reply: Reply) -> Committed:
    """Read the answer of commit.lua."""
    codes, flat, next_in, now = reply
    jobs = [(flat[i].decode("utf-8", "replace"), pair(flat[i + 1])) for i in range(0, len(flat), 2)]
    return Committed(codes, jobs, next_in, now)


class WorkStore:
    """The scripts of one queue that a worker calls."""

    def __init__(
        self,
        connection: Connection,
        keys: Keys,
        worker: str,
        lock_ms: int,
        metrics_minutes: int = 0,
        limiter: RateLimit | None = None,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._worker = worker
        self._lock_ms = lock_ms
        self._metrics_minutes = metrics_minutes
        self._limiter = (limiter.max, round(limiter.duration * 1000)) if limiter else (0, 0)

    async def commit(self, settlements: Sequence[Settlement], wanted: int, token: str) -> Committed:
        """Settle runs and fetch up to `wanted` jobs, locked with `token`."""
        keys, blob = self._keys, self._commit_call(settlements, wanted, token)
        return committed_by(await scripts.run(self._connection, "commit", keys.all, keys.base, blob))

    def post_commit(self, settlements: Sequence[Settlement], wanted: int, token: str, sink: Sink) -> bool:
        """Do as `commit` if the call can go out at once; the answer, for `committed_by`, goes into `sink`.

        Returns False if nothing was sent, and `commit` is to do it. See `refusal` for the server's errors.
        """
        keys, blob = self._keys, self._commit_call(settlements, wanted, token)
        return scripts.post(self._connection, "commit", keys.all, keys.base, blob, sink=sink)

    def refusal(self, error: ServerRefused) -> ServerRefused | None:
        """What to tell of a posted call that was refused; None if `commit` is to make it."""
        return scripts.refusal(self._connection, error)

    def _commit_call(self, settlements: Sequence[Settlement], wanted: int, token: str) -> bytes:
        shapes: dict[tuple[object, ...], int] = {}
        ids = [end.job_id for end in settlements]
        texts = [end.text for end in settlements]
        numbers = [shapes.setdefault(end.shape, len(shapes) + 1) for end in settlements]
        head = (wanted, token, self._lock_ms, self._worker)
        tail = (self._metrics_minutes, *self._limiter)
        return msgspec.msgpack.encode((*head, ids, texts, numbers, [*shapes], *tail))

    async def held(self, tokens: Sequence[str]) -> list[tuple[str, str]]:
        """Find running jobs by the tokens that they were locked with; returns ids with tokens."""
        flat = await scripts.run(self._connection, "find_held", self._keys.all, self._keys.base, *tokens)
        found = [part.decode("utf-8", "replace") for part in flat]
        return list(zip(found[::2], found[1::2], strict=True))

    async def recover_stalled(self, max_stalled: int, interval_ms: int) -> list[str]:
        """Give back jobs of dead workers; returns their ids."""
        found = await scripts.run(
            self._connection, "recover_stalled", self._keys.all, self._keys.base, max_stalled, interval_ms
        )
        return [job_id.decode("utf-8", "replace") for job_id in found]

    async def retain_finished(self) -> int:
        """Remove some finished jobs that have become too old; returns how many."""
        removed = await scripts.run(self._connection, "retain_finished", self._keys.all, self._keys.base)
        assert isinstance(removed, int)
        return removed


async def wait_marker(connection: Connection, keys: Keys, timeout: float) -> bool:
    """Sleep on the queue's marker for up to `timeout` seconds; True if it was there."""
    reply = await connection.call("BZPOPMIN", keys.marker, timeout, timeout=timeout + LATE)
    return reply is not None


async def put_marker(connection: Connection, keys: Keys) -> None:
    """Put the marker back for another worker."""
    await connection.call("ZADD", keys.marker, 0, "0")


async def wake_another(connection: Connection, keys: Keys) -> None:
    """Put the marker there for another worker, if jobs wait."""
    if await connection.call("EXISTS", keys.wait, keys.prioritized):
        await put_marker(connection, keys)
