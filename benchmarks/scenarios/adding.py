"""Adding jobs: in bulk, 100 at once, one by one."""

from __future__ import annotations

from functools import partial

from ..goals import Ratio
from ..record import Measures
from ..sides import NODE, TORIL, Side
from ..stage import Appendonly, RunFailed, Stage, rates
from .base import COSTS, JOBS, Scenario


def add(stage: Stage, side: Side, kind: str, share: float = 1.0, appendonly: Appendonly = None) -> Measures:
    """Add jobs; `share` of the usual number of them."""
    count = stage.jobs(side, (0.6 if stage.quick else 3.0) * share)
    with stage.server(side, appendonly) as address:
        values = stage.run(side, address, kind, count)
    if values["left"] != count + 1:  # and the probe
        raise RunFailed(f"{count} jobs added: {values['left'] - 1:.0f} are there")
    return rates(values, count)


SCENARIOS = (
    Scenario(
        "add-100",
        "100 concurrent adds",
        partial(add, kind="gather", share=0.5),
        (JOBS, *COSTS),
        (Ratio(1.5, "Node BullMQ"), Ratio(10.0, "each Python peer")),
        about="100 adds at a time, each by its own call, all awaited before the next 100.",
    ),
    Scenario(
        "add-bulk",
        "bulk add",
        partial(add, kind="bulk", share=2.0),
        (JOBS, *COSTS),
        (Ratio(4.0, "Node BullMQ"),),
        quick_sides=(TORIL, NODE),
        about="Each side's best documented way to add many; 500 a call where that can be chosen.",
    ),
    Scenario(
        "add-bulk-everysec",
        "bulk add, AOF everysec",
        partial(add, kind="bulk", share=2.0, appendonly="everysec"),
        (JOBS, *COSTS),
        sides=(TORIL, NODE),
        about="The server appends to a file and syncs it each second.",
    ),
)
