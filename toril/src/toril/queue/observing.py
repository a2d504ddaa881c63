"""Who works on a queue, and how many jobs have ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from ..errors import InvalidOption
from ..job import JobState
from ..storage.observing import clients, read_metrics
from .base import QueueBase


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker's connection, as the server sees it.

    Attributes:
        name: The worker's name; None if a Node worker has none.
        address: `host:port` of its end of the connection.
        age: Seconds since it connected.
        idle: Seconds since its last command; a worker that waits for jobs has one at least every 5 s.
    """

    name: str | None
    address: str
    age: float
    idle: float


@dataclass(frozen=True, slots=True)
class Metrics:
    """How many jobs have ended in one way.

    Attributes:
        count: In all, since the numbers are kept.
        newest: When the newest full minute was written down; None before there is one.
        minutes: How many in each full minute, the newest first.
        kept: How many minutes are kept, read or not.
    """

    count: int
    newest: datetime | None
    minutes: list[int]
    kept: int


class Observing(QueueBase):
    """The verbs that look at workers and numbers."""

    async def workers(self) -> list[WorkerInfo]:
        """List the workers that are connected now, Node's too."""
        own = self._store.keys.client
        rows = await clients(self._store.connection, own)
        return [
            WorkerInfo(
                row["name"].removeprefix(f"{own}:w:") if row["name"] != own else None,
                row.get("addr", ""),
                float(row.get("age", "0")),
                float(row.get("idle", "0")),
            )
            for row in rows
            if row["name"] == own or row["name"].startswith(f"{own}:w:")
        ]

    async def get_metrics(self, state: JobState | str, start: int = 0, end: int = -1) -> Metrics:
        """Read how many jobs have ended; kept by workers with `metrics_minutes`, Node's too.

        Args:
            state: `completed` or `failed`.
            start, end: The first and the last minute, 0 the newest, -1 the oldest.

        Raises:
            InvalidOption: no such numbers are kept of that state.
        """
        if state not in {JobState.COMPLETED, JobState.FAILED}:
            raise InvalidOption(f"numbers are kept of completed and failed jobs, not {str(state)!r}")
        keys = self._store.keys
        found = await read_metrics(self._store.connection, keys, str(state), start, end)
        newest = None if found.newest_ms is None else datetime.fromtimestamp(found.newest_ms / 1000, UTC)
        return Metrics(found.total, newest, found.minutes, found.kept)
