"""The scenarios, one noun a module, in the order of the tables."""

from __future__ import annotations

from . import adding, backlog, death, delays, footprint, limit, memory, outbox, pickup, roundtrip, running
from .base import Scenario

SCENARIOS: tuple[Scenario, ...] = (
    *running.SCENARIOS,
    *limit.SCENARIOS,
    *adding.SCENARIOS,
    *roundtrip.SCENARIOS,
    *pickup.SCENARIOS,
    *delays.SCENARIOS,
    *backlog.SCENARIOS,
    *memory.SCENARIOS,
    *footprint.SCENARIOS,
    *death.SCENARIOS,
    *outbox.SCENARIOS,
)

BY_KEY = {scenario.key: scenario for scenario in SCENARIOS}
