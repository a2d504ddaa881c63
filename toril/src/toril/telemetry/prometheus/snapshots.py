"""Metrics that must be asked for: read before they are exposed, for Prometheus's client cannot wait."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ...failure import reason_of

logger = logging.getLogger("toril")

FRESH = 5.0
"""Seconds for which what was read is not read again, however often it is asked for."""
PATIENCE = 2.0
"""Seconds that one reading may take."""


class Snapshot(Collector, ABC):
    """A collector whose metrics are read by `refresh`.

    Args:
        source: What is read, for `toril_exporter_up` and the log.
        fresh: Seconds for which a reading is good.
    """

    def __init__(self, source: str, fresh: float = FRESH) -> None:
        self.source = source
        self._fresh = fresh
        self._read_at = float("-inf")
        self._metrics: list[Metric] = []
        self._reading = asyncio.Lock()
        self.up = False
        """Whether the last reading has succeeded."""

    @abstractmethod
    async def read(self) -> Iterable[Metric]:
        """Read the metrics. What it raises means that there are none at present."""

    async def refresh(self) -> None:
        """Read anew if the last reading is too old; never raises."""
        async with self._reading:
            if time.monotonic() - self._read_at < self._fresh:
                return
            try:
                async with asyncio.timeout(PATIENCE):
                    self._metrics = list(await self.read())
                self.up = True
            except Exception as error:  # noqa: BLE001 - its metrics are missing, and `up` tells so
                self._metrics, self.up = [], False
                logger.warning("metrics of %s cannot be read: %s", self.source, reason_of(error))
            self._read_at = time.monotonic()

    def collect(self) -> Iterable[Metric]:
        """What was read last."""
        return self._metrics

    def describe(self) -> Iterable[Metric]:
        """Nothing: what it has is not known before it was read."""
        return ()


class Ups(Collector):
    """Tells which snapshots could be read."""

    def __init__(self, snapshots: Sequence[Snapshot]) -> None:
        self._snapshots = snapshots

    def collect(self) -> Iterable[Metric]:
        """One sample a source."""
        family = GaugeMetricFamily(
            "toril_exporter_up", "Whether the source of metrics could be read.", labels=["source"]
        )
        for each in self._snapshots:
            family.add_metric([each.source], float(each.up))
        return [family]

    def describe(self) -> Iterable[Metric]:
        """Nothing that could clash."""
        return ()


async def exposed(registry: CollectorRegistry, snapshots: Sequence[Snapshot]) -> str:
    """Read the snapshots, and return all that the registry has in Prometheus's text format.

    Args:
        registry: The snapshots are registered there, or not used.
        snapshots: Read before.
    """
    await asyncio.gather(*(each.refresh() for each in snapshots))
    return generate_latest(registry).decode()
