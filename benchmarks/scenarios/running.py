"""Running jobs that are there already: no-op handlers, and handlers that wait."""

from __future__ import annotations

from functools import partial

from ..goals import Bound, Ratio
from ..record import RATE, Measures
from ..sides import NODE, TORIL, Side
from ..stage import Appendonly, Stage, exact
from .base import COSTS, JOBS, Column, Scenario

HANDLER_SECONDS = 0.01
ABOUT = "One process; jobs are added before; from the first handler's start to the last one's end."


def run(
    stage: Stage, side: Side, concurrency: int, share: float = 1.0, appendonly: Appendonly = None
) -> Measures:
    """Run no-op jobs; `share` of the usual number of them."""
    count = stage.jobs(side, (0.6 if stage.quick else 3.0) * share)
    with stage.server(side, appendonly) as address:
        return exact(stage.run(side, address, "run", count, concurrency), count)


def run_slow(stage: Stage, side: Side, concurrency: int) -> Measures:
    """Run jobs that sleep for 10 ms, and say what share of the ceiling that is."""
    count = stage.jobs(side, 0.6 if stage.quick else 3.0, least=400)
    with stage.server(side) as address:
        measures = exact(stage.run(side, address, "sleep", count, concurrency), count)
    return {"share": measures[RATE] * HANDLER_SECONDS / concurrency, **measures}


SCENARIOS = (
    *(
        Scenario(
            f"noop-{concurrency}",
            f"no-op, c={concurrency}",
            partial(run, concurrency=concurrency),
            (JOBS, *COSTS),
            (Ratio(2.0, "Node BullMQ"), Ratio(10.0, "each Python peer")),
            about=ABOUT,
        )
        for concurrency in (50, 200)
    ),
    Scenario(
        "noop-1",
        "no-op, c=1",
        partial(run, concurrency=1, share=0.25),
        (JOBS, *COSTS),
        (Ratio(2.0, "Node BullMQ"),),
        quick_sides=(TORIL, NODE),
        about=ABOUT,
    ),
    Scenario(
        "noop-50-everysec",
        "no-op, c=50, AOF everysec",
        partial(run, concurrency=50, appendonly="everysec"),
        (JOBS, *COSTS),
        sides=(TORIL, NODE),
        about=f"{ABOUT} The server appends to a file and syncs it each second.",
    ),
    Scenario(
        "sleep-200",
        "10 ms handlers, c=200",
        partial(run_slow, concurrency=200),
        (Column("share", "share of the ceiling"), JOBS, *COSTS),
        (Bound(0.9, ">=", "share"),),
        quick_sides=(TORIL, NODE),
        about=f"{ABOUT} The ceiling is 200 / 10 ms = 20,000 jobs/s, as if timers were exact.",
    ),
)
