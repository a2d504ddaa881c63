"""What is kept of a queue: a point a minute for a day, written by whoever watches it.

Several processes may watch one queue: of a minute, the first to write it down is heard. The points stand in
a stream under `<prefix>:<queue>:toril:history`, and go with the queue, or when nobody has watched it for
some days. A job's run costs nothing for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from ..queue import Queue
from ..storage.inspection import InspectionStore
from .histogram import Histogram
from .survey import Survey

KEPT = 1440
"""Minutes that are kept, about."""
FORGOTTEN_MS = 8 * 86_400_000
"""Ms after which the history of a queue that nobody watches is gone."""
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Point:
    """One minute of a queue.

    Attributes:
        at: Its begin, UTC.
        counts: Jobs by state at its end.
        added, completed, failed: How many in this minute.
        waits, runs: How long jobs that ended in it waited and ran; a sample.
    """

    at: datetime
    counts: dict[str, int]
    added: int
    completed: int
    failed: int
    waits: Histogram
    runs: Histogram

    @property
    def backlog(self) -> int:
        """How many jobs could have run if there had been a worker for them."""
        return self.counts["waiting"] + self.counts["prioritized"]


class _Wire(msgspec.Struct, array_like=True):
    waiting: int
    prioritized: int
    active: int
    delayed: int
    waiting_children: int
    completed_kept: int
    failed_kept: int
    added: int
    completed: int
    failed: int
    waits: dict[int, int]
    runs: dict[int, int]


@dataclass(slots=True)
class _Minute:
    begin_ms: int
    seconds: float = 0.0
    added: float = 0.0
    completed: float = 0.0
    failed: float = 0.0
    waits: Histogram = field(default_factory=Histogram)
    runs: Histogram = field(default_factory=Histogram)
    last: Survey | None = None

    def take(self, survey: Survey) -> None:
        self.seconds += survey.seconds
        self.added += survey.flow.added * survey.seconds
        self.completed += survey.flow.completed * survey.seconds
        self.failed += survey.flow.failed * survey.seconds
        self.waits.add(survey.waits)
        self.runs.add(survey.runs)
        self.last = survey

    def encode(self) -> bytes:
        assert self.last is not None
        counts = self.last.counts
        wire = _Wire(
            waiting=counts["waiting"] + counts["paused"],
            prioritized=counts["prioritized"],
            active=counts["active"],
            delayed=counts["delayed"],
            waiting_children=counts["waiting-children"],
            completed_kept=counts["completed"],
            failed_kept=counts["failed"],
            added=round(self.added),
            completed=round(self.completed),
            failed=round(self.failed),
            waits=self.waits.sparse(),
            runs=self.runs.sparse(),
        )
        return msgspec.json.encode(wire)


class Historian:
    """Gathers one queue's surveys, and writes each minute down when it is over."""

    def __init__(self, queue: Queue) -> None:
        self._store = InspectionStore(queue.store.connection, queue.store.keys)
        self._minute: _Minute | None = None

    async def note(self, survey: Survey) -> bool:
        """Take a survey in; returns whether a minute was written down."""
        begin_ms = int(survey.at.timestamp() * 1000) // MINUTE_MS * MINUTE_MS
        over = self._minute
        if over is not None and over.begin_ms == begin_ms:
            over.take(survey)
            return False
        self._minute = _Minute(begin_ms)
        self._minute.take(survey)
        if over is None:
            return False
        return await self._store.keep_history(over.begin_ms, over.encode(), KEPT, FORGOTTEN_MS)


async def read_history(queue: Queue, since: datetime) -> list[Point]:
    """Read the minutes since a time, the oldest first; what cannot be read is left out."""
    store = InspectionStore(queue.store.connection, queue.store.keys)
    points = []
    for begin_ms, text in await store.history(int(since.timestamp() * 1000)):
        try:
            wire = msgspec.json.decode(text, type=_Wire)
        except msgspec.DecodeError:
            continue  # another version's
        points.append(_point(begin_ms, wire))
    return points


def _point(begin_ms: int, wire: _Wire) -> Point:
    counts = {
        "waiting": wire.waiting,
        "prioritized": wire.prioritized,
        "active": wire.active,
        "delayed": wire.delayed,
        "waiting-children": wire.waiting_children,
        "completed": wire.completed_kept,
        "failed": wire.failed_kept,
    }
    return Point(
        at=datetime.fromtimestamp(begin_ms / 1000, UTC),
        counts=counts,
        added=wire.added,
        completed=wire.completed,
        failed=wire.failed,
        waits=Histogram.from_sparse(wire.waits),
        runs=Histogram.from_sparse(wire.runs),
    )


def merged(points: Sequence[Point]) -> tuple[Histogram, Histogram]:
    """How long jobs waited and ran, over several minutes."""
    waits, runs = Histogram(), Histogram()
    for point in points:
        waits.add(point.waits)
        runs.add(point.runs)
    return waits, runs
