"""Metrics: what runs count, in this process; and what its workers and their queues tell."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram

from ...hooks import Ending, Telemetry, WorkerView
from ...job import Json
from ...queue import Queue
from ...record import Job
from ..reading import readable
from .lag import LagProbe
from .queues import QueueCollector, QueueReader
from .snapshots import Snapshot, Ups, exposed
from .workers import WorkersCollector

RUN_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)
"""Seconds: handlers take from milliseconds to minutes."""
WAIT_BUCKETS = (0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 21600.0)
"""Seconds: a queue that is behind is so by hours."""
LAG_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0)
MOST_NAMES = 100
LONGEST_NAME = 200
"""Names of jobs that have series of their own in each queue, and how long they may be; further and longer
ones share those of `OTHER`."""
OTHER = "_other"


class Metrics(Telemetry):
    """Counts and times runs, looks at workers and queues; see docs/telemetry.md for the list.

    Args:
        registry: Where the metrics are registered; one of its own if None. Give each object its own.
        queues: Whether the queues of its workers are read too, at each scrape.
        also: Further snapshots to be exposed, like an `outbox.OutboxCollector`.
    """

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        *,
        queues: bool = True,
        also: Sequence[Snapshot] = (),
    ) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self._names: dict[str, set[str]] = {}
        self._workers: list[WorkerView] = []
        labels = ("queue", "job_name")
        self._runs = Counter(
            "toril_job_runs",
            "Runs that have ended, by what has become of the job.",
            (*labels, "ending"),
            registry=self.registry,
        )
        self._run_time = Histogram(
            "toril_job_run_seconds",
            "How long handlers ran.",
            labels,
            registry=self.registry,
            buckets=RUN_BUCKETS,
        )
        self._wait_time = Histogram(
            "toril_job_wait_seconds",
            "How long jobs could have run before their first run began.",
            labels,
            registry=self.registry,
            buckets=WAIT_BUCKETS,
        )
        self._lag_time = Histogram(
            "toril_worker_event_loop_lag_seconds",
            "How late the event loop was, looked at twice a second.",
            registry=self.registry,
            buckets=LAG_BUCKETS,
        )
        self._lag = LagProbe(self._lag_time.observe, lambda: any(each.is_running for each in self._workers))
        self.registry.register(WorkersCollector(self._workers))
        self._snapshots: list[Snapshot] = [*([QueueCollector(self._queues)] if queues else []), *also]
        for snapshot in (*self._snapshots, Ups(self._snapshots)):
            self.registry.register(snapshot)

    def working(self, worker: WorkerView) -> None:
        """Look at a worker from now on."""
        self._workers.append(worker)
        self._lag.start()

    async def running(self, job: Job, run: Callable[[], Awaitable[Json]]) -> Json:
        """Time a run."""
        labels = (job.queue, self._label(job))
        waited = readable(lambda: _waited(job), None)
        if waited is not None:
            self._wait_time.labels(*labels).observe(waited)
        start = time.perf_counter()
        try:
            return await run()
        finally:
            self._run_time.labels(*labels).observe(time.perf_counter() - start)

    def ended(self, job: Job, ending: Ending, error: BaseException | None) -> None:
        """Count a run."""
        self._runs.labels(job.queue, self._label(job), ending.value).inc()

    async def exposition(self) -> str | None:
        """All metrics of the registry."""
        return await exposed(self.registry, self._snapshots)

    def _label(self, job: Job) -> str:
        # Whoever may add jobs chooses their names: series must be bounded all the same.
        known = self._names.setdefault(job.queue, set())
        name = job.name
        if name not in known:
            if len(known) >= MOST_NAMES or len(name) > LONGEST_NAME:
                return OTHER
            known.add(name)
        return name

    def _queues(self) -> Iterable[QueueReader]:
        queues = (each.queue for each in self._workers if each.is_running)
        return [queue for queue in queues if isinstance(queue, Queue)]


def _waited(job: Job) -> float | None:
    """Seconds for which a job could have run before its first run began; None for later runs."""
    begun, added = job.processed_on, job.timestamp
    if job.attempts_started != 1 or begun is None or added is None:
        return None
    return max(0.0, (begun - added).total_seconds() - job.options.delay)
