"""A server that is 2 ms away."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from ..goals import Bound
from ..record import RATE, Measures
from ..sides import NODE, TORIL, Side
from ..stage import Stage, exact, spawn
from .base import Column, Scenario

CONCURRENCY = 200
ONE_WAY = 0.001


@contextlib.contextmanager
def proxy(port: int, delay: float) -> Iterator[str]:
    """A proxy in a process of its own; its port."""
    with spawn([sys.executable, "-m", "benchmarks.proxy", str(port), str(delay)]) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()


def through(stage: Stage, side: Side) -> Measures:
    """Run no-op jobs through a proxy without and with delay."""
    count = stage.jobs(side, 0.6 if stage.quick else 3.0)
    found: dict[float, float] = {}
    for delay in (0.0, ONE_WAY):
        with stage.valkey() as server, proxy(server.port, delay) as port:
            values = stage.run(side, port, "run", count, CONCURRENCY)
            found[delay] = exact(values, count)[RATE]
    return {"kept": found[ONE_WAY] / found[0.0], "near": found[0.0], "far": found[ONE_WAY]}


SCENARIOS = (
    Scenario(
        "roundtrip",
        "2 ms round trip, c=200",
        through,
        (Column("kept", "share kept"), Column("near", "jobs/s near"), Column("far", "jobs/s far")),
        (Bound(0.8, ">=", "kept"),),
        sides=(TORIL, NODE),
        about="No-op jobs through a proxy that holds each packet for 1 ms, beside one that holds none.",
    ),
)
