"""What a queue has on the server: its jobs by state, how long they wait, how many have ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from ...job import JobState
from ...queue.observing import Metrics
from ...record import Job
from ..reading import readable
from .snapshots import FRESH, Snapshot


class QueueReader(Protocol):
    """What is asked of a queue."""

    @property
    def name(self) -> str: ...
    async def get_job_counts(self) -> dict[str, int]: ...
    async def get_meta(self) -> dict[str, str]: ...
    async def get_jobs(
        self, state: JobState | str, start: int = 0, end: int = 49, *, ascending: bool = False
    ) -> Sequence[Job]: ...
    async def get_metrics(self, state: JobState | str, start: int = 0, end: int = -1) -> Metrics: ...


class QueueCollector(Snapshot):
    """Reads queues: six short calls a queue, at most every `fresh` seconds.

    Args:
        queues: Gives the queues; as many as are named have samples, so let them be bounded.
        fresh: Seconds for which a reading is good.
    """

    def __init__(self, queues: Callable[[], Iterable[QueueReader]], fresh: float = FRESH) -> None:
        super().__init__("queues", fresh)
        self._queues = queues

    async def read(self) -> Iterable[Metric]:
        """Read all queues at once."""
        jobs = GaugeMetricFamily(
            "toril_queue_jobs", "Jobs of the queue that are in the state now.", labels=["queue", "state"]
        )
        oldest = GaugeMetricFamily(
            "toril_queue_oldest_waiting_seconds",
            "How long the job that is next to run has been able to run; 0 if none waits.",
            labels=["queue"],
        )
        paused = GaugeMetricFamily("toril_queue_paused", "Whether the queue is paused.", labels=["queue"])
        ended = CounterMetricFamily(
            "toril_queue_jobs_ended",
            "Jobs that have ended in the state, by any client; for workers with metrics_minutes.",
            labels=["queue", "state"],
        )
        queues = {queue.name: queue for queue in self._queues()}
        found = await asyncio.gather(*(_look(queue) for queue in queues.values()))
        for name, (counts, age, is_paused, ends) in zip(queues, found, strict=True):
            for state, count in counts.items():
                jobs.add_metric([name, state], count)
            oldest.add_metric([name], age)
            paused.add_metric([name], float(is_paused))
            for state, kept in ends.items():
                if kept.count:
                    ended.add_metric([name, state], kept.count)
        return jobs, oldest, paused, ended


async def _look(queue: QueueReader) -> tuple[Mapping[str, int], float, bool, Mapping[str, Metrics]]:
    counts, meta, waiting, prioritized, completed, failed = await asyncio.gather(
        queue.get_job_counts(),
        queue.get_meta(),
        queue.get_jobs(JobState.WAITING, 0, 0, ascending=True),
        queue.get_jobs(JobState.PRIORITIZED, 0, 0, ascending=True),
        queue.get_metrics(JobState.COMPLETED, 0, 0),
        queue.get_metrics(JobState.FAILED, 0, 0),
    )
    now = time.time()
    age = max((now - runnable_since(job) for job in (*waiting, *prioritized)), default=0.0)
    return counts, max(0.0, age), "paused" in meta, {"completed": completed, "failed": failed}


def runnable_since(job: Job) -> float:
    """When the job could run first, or again, as seconds of the Unix epoch.

    A retry counts from its last run: what its backoff was, the job does not tell. One that cannot be read
    counts from now on.
    """
    delay = readable(lambda: job.options.delay, 0.0)
    added = readable(lambda: job.timestamp, None)
    begun = readable(lambda: job.processed_on, None)
    if begun is not None:
        return begun.timestamp()
    return time.time() if added is None else added.timestamp() + delay
