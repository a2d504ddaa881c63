"""A queue at one instant and how fast it moves, by one script call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ..queue import Queue
from ..storage.inspection import InspectionStore, Surveyed
from .histogram import Histogram

EVENTS = 500
"""How many events one survey looks at; if more have happened, it judges by the newest."""
ENDED = 60
"""Of how many jobs that have ended one survey takes the times."""


@dataclass(frozen=True, slots=True)
class Flow:
    """How many jobs a second: exact, or by a sample where more happened than a survey looks at."""

    added: float = 0.0
    completed: float = 0.0
    failed: float = 0.0


@dataclass(frozen=True, slots=True)
class Survey:
    """A queue at one instant, and how it has moved since the survey before.

    Attributes:
        at: The server's time, UTC.
        counts: Jobs by state.
        oldest_waiting: Seconds since when the oldest job that waits could have run; None if none waits.
        flow: Jobs a second.
        seconds: Over how long the flow was measured.
        waits, runs: How long jobs that ended since waited for their run, and ran; a sample.
    """

    at: datetime
    counts: dict[str, int]
    paused: bool
    oldest_waiting: float | None
    flow: Flow
    seconds: float
    waits: Histogram = field(default_factory=Histogram)
    runs: Histogram = field(default_factory=Histogram)

    @property
    def backlog(self) -> int:
        """How many jobs could run if there were a worker for them."""
        return self.counts["waiting"] + self.counts["prioritized"] + self.counts["paused"]


class Surveyor:
    """Surveys one queue again and again; each survey begins where the last one has ended."""

    def __init__(self, queue: Queue) -> None:
        self._store = InspectionStore(queue.store.connection, queue.store.keys)
        self._last: Surveyed | None = None

    async def survey(self) -> Survey:
        """Look at the queue now. Raises ConnectionFailed, ServerRefused."""
        last = self._last
        found = await self._store.survey(None if last is None else last.now_ms, EVENTS, ENDED)
        self._last = found
        seconds = found.span_ms / 1000 if last is None else max(1, found.now_ms - last.now_ms) / 1000
        return Survey(
            at=datetime.fromtimestamp(found.now_ms / 1000, UTC),
            counts=found.counts,
            paused=found.paused,
            oldest_waiting=None if found.oldest_ms is None else (found.now_ms - found.oldest_ms) / 1000,
            flow=flow_between(last, found),
            seconds=seconds,
            waits=Histogram.of(found.waits_ms),
            runs=Histogram.of(found.runs_ms),
        )


def flow_between(last: Surveyed | None, found: Surveyed) -> Flow:
    """How many jobs a second were added and have ended: by the workers' own counts where they keep them."""
    span = found.span_ms / 1000

    def counted(before: int | None, now: int | None, kind: str) -> float:
        by_events = found.events.get(kind, 0) / span
        if not found.cut or last is None or before is None or now is None or now < before:
            return by_events
        return (now - before) / (max(1, found.now_ms - last.now_ms) / 1000)

    return Flow(
        added=found.events.get("added", 0) / span,
        completed=counted(last and last.completed, found.completed, "completed"),
        failed=counted(last and last.failed, found.failed, "failed"),
    )


def mean_flow(surveys: Sequence[Survey], seconds: float) -> Flow:
    """How many jobs a second over the last so many seconds of surveys, the newest of which comes last."""
    total = added = completed = failed = 0.0
    for survey in reversed(surveys):
        total += survey.seconds
        added += survey.flow.added * survey.seconds
        completed += survey.flow.completed * survey.seconds
        failed += survey.flow.failed * survey.seconds
        if total >= seconds:
            break
    return Flow(added / total, completed / total, failed / total) if total else Flow()
