"""Delayed jobs: some due all the time among a million, and very many due at once."""

from __future__ import annotations

from ..goals import Bound
from ..record import Measures
from ..sides import TORIL, Side
from ..stage import Stage
from .base import Column, Scenario
from .lab import lab


def spread(stage: Stage, side: Side) -> Measures:
    """1,000 due a second."""
    return lab(stage, "delayed")


def burst(stage: Stage, side: Side) -> Measures:
    """100,000 due at once."""
    return lab(stage, "burst")


SCENARIOS = (
    Scenario(
        "delayed",
        "1 M delayed, 1 k due a second",
        spread,
        (
            Column("p99_ms", "p99 ms late", less=True),
            Column("p50_ms", "p50 ms late"),
            Column("max_ms", "max ms late"),
            Column("early", "early"),
            Column("jobs", "delayed jobs"),
        ),
        (Bound(5.0, "<=", "p99_ms", " ms"), Bound(0.0, "<=", "early", worst=True)),
        sides=(TORIL,),
        runs=(1, 3),
        about="From each job's due time to its handler's start, c=50; the quick mode has 50,000 jobs.",
    ),
    Scenario(
        "burst",
        "100 k due at once",
        burst,
        (
            Column("ready", "ready jobs/s"),
            Column("rate", "run jobs/s"),
            Column("longest_ms", "longest script ms"),
        ),
        (Bound(50_000.0, ">=", "ready", "/s"), Bound(5.0, "<=", "longest_ms", " ms", worst=True)),
        sides=(TORIL,),
        runs=(1, 3),
        about="How fast due jobs leave the delayed set while a worker with c=200 runs them, how fast they"
        " run, and the longest script call by the server's slow log; the quick mode has 20,000 jobs.",
    ),
)
