"""Deadline arithmetic, round the clock: pure, takes ``now``, knows no database.

A clock runs from ``started_at`` and may be paused. While it runs, ``due_at`` is the deadline. While it is
paused, ``remaining_seconds`` is what will be left when it resumes; below zero when it was already late.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Timing:
    """The times of one clock; all durations are in seconds."""

    started_at: datetime
    due_at: datetime
    target_seconds: float
    paused_since: datetime | None = None
    remaining_seconds: float | None = None

    @property
    def is_paused(self) -> bool:
        """Whether the clock waits on the customer."""
        return self.paused_since is not None


def start(now: datetime, target_seconds: float) -> Timing:
    """A clock that starts now."""
    return Timing(now, now + timedelta(seconds=target_seconds), target_seconds)


def pause(timing: Timing, now: datetime) -> Timing:
    """Stop the time, keeping what remains; a paused clock stays as it is."""
    if timing.is_paused:
        return timing
    remaining = (timing.due_at - now).total_seconds()
    return replace(timing, paused_since=now, remaining_seconds=remaining)


def resume(timing: Timing, now: datetime) -> Timing:
    """Let the time run on with what remained; a running clock stays as it is."""
    if timing.remaining_seconds is None:
        return timing
    due_at = now + timedelta(seconds=timing.remaining_seconds)
    return replace(timing, due_at=due_at, paused_since=None, remaining_seconds=None)


def retarget(timing: Timing, target_seconds: float) -> Timing:
    """Promise another duration, as if it had been so from the start: time spent and pauses stay counted."""
    change = target_seconds - timing.target_seconds
    return replace(
        timing,
        target_seconds=target_seconds,
        due_at=timing.due_at + timedelta(seconds=change),
        remaining_seconds=None if timing.remaining_seconds is None else timing.remaining_seconds + change,
    )


def is_late(timing: Timing, moment: datetime) -> bool:
    """Whether the promise is broken if it is kept (or looked at) at ``moment``; on the dot is in time."""
    if timing.remaining_seconds is not None:
        return timing.remaining_seconds < 0
    return moment > timing.due_at
