"""What Prometheus is told of the helpdesk: its promises, its mails, its outbox and its queues.

Of all organizations together: series do not grow with them.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from insightdesk.admin.heartbeat import workers_alive
from insightdesk.database import database
from insightdesk.email import gauges as mail
from insightdesk.jobs import app
from insightdesk.kit import clock
from insightdesk.queues import QUEUES
from insightdesk.sla import gauges as sla
from toril.telemetry.prometheus import QueueCollector, Snapshot, Ups, exposed
from toril.telemetry.prometheus.outbox import OutboxCollector

__all__ = ["DeskMetrics"]

FRESH = 30.0
"""Seconds between two readings of the database: all open promises are counted."""


class DeskCollector(Snapshot):
    """Reads the database, in one transaction."""

    def __init__(self) -> None:
        super().__init__("helpdesk", FRESH)

    async def read(self) -> Iterable[Metric]:
        """Read what is open, what is late, and who works."""
        now = clock.now()
        async with database().transaction() as session:
            clocks = await sla.open_clocks(session, now)
            behind = await sla.seconds_behind(session, now)
            deliveries = await mail.lately(session, now)
            circuits = await mail.circuits(session, now)
            workers = await workers_alive(session, now)
        promises = GaugeMetricFamily(
            "insightdesk_sla_clocks",
            "Promises that are not fulfilled: running, paused, due (late, not yet recorded) or breached.",
            labels=["metric", "state"],
        )
        for (metric, state), count in clocks.items():
            promises.add_metric([metric, state], count)
        mails = GaugeMetricFamily(
            "insightdesk_mail_deliveries",
            "Mails that were made in the last 24 hours, by what has become of them.",
            labels=["state"],
        )
        for state, count in deliveries.items():
            mails.add_metric([state], count)
        open_circuits = GaugeMetricFamily(
            "insightdesk_mail_circuit_open",
            "Whether the provider is left alone after errors.",
            labels=["provider"],
        )
        for provider, is_open in circuits.items():
            open_circuits.add_metric([provider], float(is_open))
        return (
            promises,
            GaugeMetricFamily(
                "insightdesk_sla_behind_seconds",
                "How long the clock that somebody should look at first has waited for that.",
                behind,
            ),
            mails,
            open_circuits,
            GaugeMetricFamily(
                "insightdesk_workers_alive", "Workers that gave a sign of life within 30 seconds.", workers
            ),
        )


class DeskMetrics:
    """All that one process of the API exposes."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._snapshots: list[Snapshot] = [
            DeskCollector(),
            OutboxCollector(lambda: database().engine),
            QueueCollector(lambda: [app.queue(spec.name) for spec in QUEUES]),
        ]
        for collector in (*self._snapshots, Ups(self._snapshots)):
            self._registry.register(collector)

    async def exposition(self) -> str:
        """All metrics in Prometheus's text format."""
        return await exposed(self._registry, self._snapshots)
