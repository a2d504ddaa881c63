"""What the rules share: one job with what was read of it, and how times and commands are said."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime

from ..storage.explaining import Facts
from .staff import Staff


def span(ms: float) -> str:
    """Say a duration: `0.4 s`, `12 s`, `3 min`, `5 h`, `2 days`."""
    seconds = max(0.0, ms / 1000)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


def counted(number: int, one: str, many: str) -> str:
    """Say a number of things: `1 job`, `1,200 jobs`."""
    return f"{number:,} {one if number == 1 else many}"


@dataclass(frozen=True, slots=True)
class Subject:
    """One job with all that was read of it."""

    queue: str
    job_id: str
    facts: Facts
    staff: Staff

    def text(self, field: str) -> str | None:
        """A field of the job's hash, in one line."""
        raw = self.facts.job.get(field.encode())
        return None if raw is None else " ".join(raw.decode("utf-8", "replace").split())[:500]

    def number(self, field: str) -> int:
        """A whole number of the job's hash; 0 where there is none."""
        try:
            return int(float(self.facts.job.get(field.encode(), b"0")))
        except (ValueError, OverflowError):
            return 0

    def at(self, ms: float) -> datetime:
        """A time in ms since 1970 as a datetime, UTC."""
        return datetime.fromtimestamp(ms / 1000, UTC)

    def later(self, ms: int) -> datetime:
        """So many ms after the facts were read."""
        return self.at(self.facts.now_ms + ms)

    def since(self, field: str) -> str:
        """Say a time of the job's hash: `2026-11-25T10:00:00Z (12 s ago)`."""
        ms = self.number(field)
        return f"{self.clock(ms)} ({span(self.facts.now_ms - ms)} ago)" if ms else "an unknown time"

    def clock(self, ms: float) -> str:
        """Say a time."""
        return f"{self.at(ms):%Y-%m-%dT%H:%M:%SZ}"

    def command(self, verb: str, *words: str) -> str:
        """Say a command on the job's queue."""
        return shlex.join(["toril", verb, self.queue, *words])
