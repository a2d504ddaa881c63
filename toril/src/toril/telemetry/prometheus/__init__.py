"""Prometheus: what workers, runs and queues count, as metrics.

`Metrics` goes into `Toril(telemetry=[...])`; the process's health endpoint then answers to `/metrics`.
`QueueCollector` is for processes without workers, `outbox.OutboxCollector` for the outbox on PostgreSQL.
"""

from .metrics import Metrics
from .queues import QueueCollector, QueueReader
from .snapshots import Snapshot, Ups, exposed

__all__ = ["Metrics", "QueueCollector", "QueueReader", "Snapshot", "Ups", "exposed"]
