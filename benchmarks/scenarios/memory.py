"""What a waiting job takes on the server."""

from __future__ import annotations

from ..goals import Bound
from ..record import Measures
from ..sides import NODE, TORIL, Side
from ..stage import Stage
from .base import Column, Scenario

JOBS = 100_000


def waiting(stage: Stage, side: Side) -> Measures:
    """Bytes of `used_memory` a job, over many that were added in bulk."""
    count = JOBS // 5 if stage.quick else JOBS
    with stage.server(side) as address:
        return {"bytes": stage.run(side, address, "bulk", count)["bytes"]}


SCENARIOS = (
    Scenario(
        "memory",
        "memory of a waiting job with 100 B",
        waiting,
        (Column("bytes", "bytes/job", less=True),),
        (Bound(500.0, "<=", "bytes", " B"),),
        sides=(TORIL, NODE),
        runs=(1, 1),
        about="Growth of the server's used_memory by 100,000 jobs (20,000 in the quick mode).",
    ),
)
