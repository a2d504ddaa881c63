"""Deadline arithmetic: pure, takes ``now``, knows no database.

A run is what happened: when a clock started and when it stood still. Deadlines follow from that, from the
target and from the working time, so another target or calendar holds as if it had from the start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from insightdesk.sla.calendar import WorkTime

WARNING_SHARE = 0.75
"""How much of the target may be used before the assignee is warned."""


@dataclass(frozen=True)
class Run:
    """What happened to a clock.

    Attributes:
        pauses: in order; only the last may have no end, then the clock is paused.
    """

    started_at: datetime
    pauses: tuple[tuple[datetime, datetime | None], ...] = ()

    @property
    def paused_since(self) -> datetime | None:
        """When the pause began that lasts; None while the clock runs."""
        return self.pauses[-1][0] if self.pauses and self.pauses[-1][1] is None else None


@dataclass(frozen=True)
class Timing:
    """What follows for a clock.

    Attributes:
        warn_at: when three quarters of the target are used.
        due_at: the deadline. Of a paused clock: what it would be if the pause ended where it began.
        remaining_seconds: working time that a paused clock has left, below zero when it is late; None
            while it runs.
    """

    warn_at: datetime
    due_at: datetime
    remaining_seconds: float | None


def pause(run: Run, now: datetime) -> Run:
    """Stop the time; a paused clock stays as it is."""
    if run.paused_since is not None:
        return run
    earliest = run.pauses[-1][1] if run.pauses else run.started_at
    return replace(run, pauses=(*run.pauses, (max(now, earliest or now), None)))


def resume(run: Run, now: datetime) -> Run:
    """Let the time run on with what remained; a running clock stays as it is."""
    since = run.paused_since
    if since is None:
        return run
    # A pause without length says nothing.
    ended = ((since, now),) if now > since else ()
    return replace(run, pauses=(*run.pauses[:-1], *ended))


def timing(run: Run, work: WorkTime, target_seconds: float) -> Timing:
    """When a clock warns and is due.

    Raises:
        NeverReached: The target is more than 20 years away.
    """
    target = timedelta(seconds=target_seconds)
    since = run.paused_since
    remaining = None if since is None else (target - used(run, work, since)).total_seconds()
    return Timing(_reach(run, work, target * WARNING_SHARE), _reach(run, work, target), remaining)


def used(run: Run, work: WorkTime, now: datetime) -> timedelta:
    """Working time that has passed on the clock by ``now``."""
    total = timedelta(0)
    for start, end in _stretches(run):
        total += work.worked(start, now if end is None else min(end, now))
    return total


def _reach(run: Run, work: WorkTime, left: timedelta) -> datetime:
    """The first moment at which ``left`` has passed on the clock, as if a lasting pause were over."""
    for start, end in _stretches(run):
        if end is None:
            return work.after(start, left)
        passed = work.worked(start, end)
        if passed >= left:
            return work.after(start, left)
        left -= passed
    return work.after(run.pauses[-1][0], left)


def _stretches(run: Run) -> Iterator[tuple[datetime, datetime | None]]:
    """Where the time ran; the last stretch has no end unless the clock is paused."""
    start: datetime | None = run.started_at
    for since, until in run.pauses:
        if start is not None:
            yield start, since
        start = until
    if start is not None:
        yield start, None
