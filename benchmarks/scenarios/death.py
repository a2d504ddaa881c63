"""A worker is killed: how long until its job runs elsewhere."""

from __future__ import annotations

import time

from ..goals import Bound
from ..record import Measures
from ..sides import NODE, TORIL, Side
from ..stage import RunFailed, Stage, new_queue, told
from .base import Column, Scenario

SETTLE = 2.0
"""Seconds that the second worker gets to start."""


def killed(stage: Stage, side: Side) -> Measures:
    """Seconds from SIGKILL of one worker to the start of its job in another; all at the defaults.

    The quick mode waits for 10 s, and gives these if the job has not started by then.
    """
    limit = 10.0 if stage.quick else 120.0
    queue = new_queue()
    with (
        stage.server(side) as address,
        stage.process(side, address, queue, "hang", 1) as first,
    ):
        if not told(first, 20.0):
            raise RunFailed("the first worker did not run the job")
        with stage.process(side, address, queue, "hang", 0) as second:
            time.sleep(SETTLE)
            first.kill()
            begun = time.monotonic()
            if not told(second, limit) and not stage.quick:
                raise RunFailed(f"the job did not run elsewhere within {limit:g} s")
            return {"seconds": time.monotonic() - begun}


SCENARIOS = (
    Scenario(
        "death",
        "SIGKILL to the job running elsewhere",
        killed,
        (Column("seconds", "seconds", less=True),),
        (Bound(5.0, "<=", "seconds", " s", worst=True),),
        sides=(TORIL, NODE),
        quick_sides=(TORIL,),
        runs=(1, 3),
        about="Default settings; another worker idles. The quick mode waits for 10 s and no longer.",
    ),
)
