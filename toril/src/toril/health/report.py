"""What a process says of its workers, and what follows from it. Values and pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

MAX_AGE = 30.0
"""Seconds without an answer of the server after which a worker is taken for dead, unless told."""


class QueueReport(msgspec.Struct, frozen=True, rename="camel"):
    """One worker.

    Attributes:
        ready: Whether the server has answered it.
        stopping: Whether it was asked to stop.
        silent_for: Seconds since its last successful call to the server.
        running: Jobs that run now.
        finished: Jobs whose run has ended so far.
    """

    ready: bool
    stopping: bool
    silent_for: float
    running: int
    finished: int


class ProcessReport(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One process with its workers.

    Attributes:
        pid: Its id.
        queues: Its workers by queue.
        silent_for: Seconds since the last successful call of the queue that has waited longest; since
            the process's start, before there are workers.
        event_loop_lag: Seconds that the event loop was late at the last look.
        memory: Bytes of resident memory; 0 where that is not known.
        metrics: What it tells Prometheus, now and then, for its supervisor; None otherwise.
    """

    pid: int
    queues: dict[str, QueueReport]
    silent_for: float
    event_loop_lag: float
    memory: int
    metrics: str | None = None

    def aged(self, seconds: float) -> ProcessReport:
        """Return the report as it must be read so many seconds after it was made."""
        queues = {
            name: msgspec.structs.replace(each, silent_for=each.silent_for + seconds)
            for name, each in self.queues.items()
        }
        return msgspec.structs.replace(self, queues=queues, silent_for=self.silent_for + seconds)

    @property
    def ready(self) -> bool:
        """Whether all of its workers take jobs."""
        return bool(self.queues) and all(q.ready and not q.stopping for q in self.queues.values())

    @property
    def finished(self) -> int:
        """Jobs whose run has ended so far."""
        return sum(queue.finished for queue in self.queues.values())


class Health(msgspec.Struct, frozen=True, rename="camel"):
    """Whether workers live and are ready for jobs.

    Attributes:
        live: No process has waited longer than `max_age` for an answer of the server.
        ready: All processes that should be there live and take jobs.
        max_age: Seconds.
        processes: What was judged.
    """

    live: bool
    ready: bool
    max_age: float
    processes: list[ProcessReport]


def judge(reports: Sequence[ProcessReport], max_age: float, wanted: int) -> Health:
    """Judge the reports of processes, of which there should be `wanted`."""
    live = all(report.silent_for <= max_age for report in reports)
    ready = live and len(reports) >= wanted and all(report.ready for report in reports)
    return Health(live, ready, max_age, list(reports))


def longest_silence(reports: Sequence[ProcessReport]) -> float:
    """Return the seconds of the process that has waited longest; 0 if there is none."""
    return max((report.silent_for for report in reports), default=0.0)
