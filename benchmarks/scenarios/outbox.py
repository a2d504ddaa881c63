"""The outbox."""

from __future__ import annotations

from ..goals import Bound
from ..record import Measures
from ..sides import TORIL, Side
from ..stage import Stage
from .base import Column, Scenario
from .lab import lab


def relay(stage: Stage, side: Side) -> Measures:
    """Rows a second from PostgreSQL to the server."""
    with stage.database() as dsn:
        return lab(stage, "outbox", dsn)


SCENARIOS = (
    Scenario(
        "outbox",
        "outbox relay",
        relay,
        (Column("rate", "rows/s"),),
        (Bound(20_000.0, ">=", "rate", "/s"),),
        sides=(TORIL,),
        runs=(1, 3),
        about="100,000 committed rows (20,000 in the quick mode), one relay, until the table is empty.",
    ),
)
