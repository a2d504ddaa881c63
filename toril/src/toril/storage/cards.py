"""What a worker tells of itself beside its signs of life, for those who look at a queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import msgspec


class WorkerCard(msgspec.Struct, frozen=True, kw_only=True):
    """One worker of toril's, in the hash `toril:workers`.

    Attributes:
        name: As `processedBy` has it.
        host, process: Where it runs, and the process's id there.
        concurrency: How many jobs it runs at once.
        paused: Whether it starts no jobs at present, by `Worker.pause`.
        jobs: The names of the jobs that it knows; None if it takes any.
        limiter: Its own rate limit: jobs, and seconds.
    """

    name: str
    host: str
    process: int
    concurrency: int
    paused: bool
    jobs: Sequence[str] | None
    limiter: tuple[int, float] | None = None

    def encode(self) -> str:
        """Write it as JSON."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def decode(cls, raw: bytes | None) -> Self | None:
        """Read one; None if it is none, as another release of toril may have written it."""
        if raw is None:
            return None
        try:
            return msgspec.json.decode(raw, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def knows(self, job_name: str) -> bool:
        """Whether it has a handler for jobs of this name."""
        return self.jobs is None or job_name in self.jobs
