"""The scenarios, one noun a module, in the order of the tables."""

from __future__ import annotations

from . import adding, running
from .base import Scenario

SCENARIOS: tuple[Scenario, ...] = (*running.SCENARIOS, *adding.SCENARIOS)

BY_KEY = {scenario.key: scenario for scenario in SCENARIOS}
