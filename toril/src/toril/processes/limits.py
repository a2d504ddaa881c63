"""What a supervisor allows its worker processes."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from ..errors import InvalidOption
from ..health import ProcessReport

STEADY = 10.0
"""Seconds after which a process that took jobs has not died in a crash loop."""
FIRST_PAUSE = 0.25
MAX_PAUSE = 30.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What worker processes may do before their supervisor steps in.

    Attributes:
        drain_timeout: Seconds that a worker may finish its jobs for.
        max_crashes: How often in a row a process may die within `STEADY` seconds of its start.
        max_jobs: Runs after which a process is replaced; None for no limit. Looked at twice a second.
        max_memory: Bytes of resident memory above which a process is replaced; None for no limit.

    Raises:
        InvalidOption: a memory limit where the system does not tell.
    """

    drain_timeout: float = 30.0
    max_crashes: int = 5
    max_jobs: int | None = None
    max_memory: int | None = None

    def __post_init__(self) -> None:
        if self.max_memory is not None and sys.platform != "linux":
            raise InvalidOption("a memory limit works on Linux only")

    def exceeded(self, report: ProcessReport) -> str | None:
        """Say which limit a process has reached; None if none."""
        if self.max_jobs is not None and report.finished >= self.max_jobs:
            return f"has run {report.finished} jobs"
        if self.max_memory is not None and report.memory > self.max_memory:
            return f"has {report.memory >> 20} MiB of memory"
        return None


def pause_after(crashes: int) -> float:
    """Return the seconds to wait before a process is started again that has crashed so often in a row."""
    return min(MAX_PAUSE, FIRST_PAUSE * 2.0 ** (min(crashes, 20) - 1)) if crashes else 0.0
