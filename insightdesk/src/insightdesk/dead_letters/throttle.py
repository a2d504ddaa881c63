"""Which failures are told of, and which only counted. Pure: it takes the time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

__all__ = ["LIMIT", "WINDOW", "Told", "to_be_told"]

WINDOW = timedelta(hours=1)
"""How long after an alert of a kind no further one of it is raised."""

LIMIT = 10
"""Alerts within the window, of all kinds, after which an organization hears no more."""


@dataclass(frozen=True)
class Told:
    """What one organization was told of within the window.

    Attributes:
        last: the moment of the last alert of each kind.
        count: how many alerts there were.
    """

    last: Mapping[str, datetime] = field(default_factory=dict)
    count: int = 0


def to_be_told(kinds: Iterable[str], told: Told, now: datetime) -> list[str]:
    """Those kinds of failure (fingerprints) of which an alert is raised now, each once, in their order."""
    chosen: list[str] = []
    for kind in kinds:
        last = told.last.get(kind)
        fresh = last is None or now - last >= WINDOW
        if fresh and kind not in chosen and told.count + len(chosen) < LIMIT:
            chosen.append(kind)
    return chosen
