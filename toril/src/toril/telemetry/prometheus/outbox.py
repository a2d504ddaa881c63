"""How far the outbox's relay is behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import sqlalchemy as sa
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy.ext.asyncio import AsyncEngine

from ...outbox import backlog
from ...outbox.table import TABLE
from .snapshots import FRESH, Snapshot


class OutboxCollector(Snapshot):
    """Reads the outbox by one query.

    Args:
        engine: Gives the database.
        table: The outbox's table.
        fresh: Seconds for which a reading is good.
    """

    def __init__(
        self, engine: Callable[[], AsyncEngine], *, table: sa.Table = TABLE, fresh: float = FRESH
    ) -> None:
        super().__init__("outbox", fresh)
        self._engine = engine
        self._table = table

    async def read(self) -> Iterable[Metric]:
        """Read how many rows there are, and since when."""
        async with self._engine().connect() as connection:
            found = await backlog(connection, self._table)
        rows = GaugeMetricFamily("toril_outbox_rows", "Committed rows that wait for the relay.", found.rows)
        age = GaugeMetricFamily(
            "toril_outbox_oldest_seconds",
            "How long the oldest row has waited for the relay; 0 if there is none.",
            found.age,
        )
        return rows, age
