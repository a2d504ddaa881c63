"""What the workers of this process tell of themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ...hooks import WorkerView

_Read = Callable[[WorkerView], int]

_GAUGES: dict[str, tuple[str, _Read]] = {
    "toril_worker_jobs_running": ("Jobs that run now in this process.", lambda each: each.running),
    "toril_worker_slots": ("Jobs that this process may run at once.", lambda each: each.concurrency),
}
_COUNTERS: dict[str, tuple[str, _Read]] = {
    "toril_worker_handed_back": (
        "Running jobs that were handed back unspent when the worker stopped.",
        lambda each: each.handed_back,
    ),
    "toril_worker_stalled_recovered": (
        "Jobs of dead workers that this process has given back.",
        lambda each: each.recovered,
    ),
    "toril_worker_locks_lost": (
        "Jobs that were found to be this process's no longer, and not settled.",
        lambda each: each.lost_locks,
    ),
    "toril_worker_reconnects": (
        "How often a connection to the server was lost and made anew.",
        lambda each: each.reconnects,
    ),
}


class WorkersCollector(Collector):
    """Looks at workers, those of the past too: a counter never goes back."""

    def __init__(self, workers: Sequence[WorkerView]) -> None:
        self._workers = workers

    def collect(self) -> Iterable[Metric]:
        """Add up the workers of each queue."""
        now = time.monotonic()
        silent = GaugeMetricFamily(
            "toril_worker_silent_seconds",
            "Seconds since the server last answered the worker; absent if none runs.",
            labels=["queue"],
        )
        by_queue: dict[str, list[WorkerView]] = {}
        for worker in self._workers:
            by_queue.setdefault(worker.queue.name, []).append(worker)
        families: dict[str, Metric] = {}
        for name, (text, read) in _GAUGES.items():
            gauge = families[name] = GaugeMetricFamily(name, text, labels=["queue"])
            for queue, workers in by_queue.items():
                gauge.add_metric([queue], sum(read(each) for each in workers if each.is_running))
        for name, (text, read) in _COUNTERS.items():
            counter = families[name] = CounterMetricFamily(name, text, labels=["queue"])
            for queue, workers in by_queue.items():
                counter.add_metric([queue], sum(map(read, workers)))
        for queue, workers in by_queue.items():
            heard = [each.last_success for each in workers if each.last_success is not None]
            if heard:
                silent.add_metric([queue], now - min(heard))
        return (*families.values(), silent)

    def describe(self) -> Iterable[Metric]:
        """Nothing that could clash."""
        return ()
