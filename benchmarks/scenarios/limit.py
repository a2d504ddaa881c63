"""What toril reaches of a limit that is measured in the same run: the server's, and a bare call's."""

from __future__ import annotations

from ..goals import Bound
from ..record import Measures
from ..sides import TORIL, Side
from ..stage import Stage
from .base import Column, Scenario
from .lab import lab
from .running import run


def of_server(stage: Stage, side: Side) -> Measures:
    """The no-op rate as a share of the server's own."""
    rate = run(stage, side, concurrency=50)["rate"]
    limit = lab(stage, "limit")
    return {"share": rate / limit["limit"], "rate": rate, **limit}


def of_call(stage: Stage, side: Side) -> Measures:
    """Adds awaited one by one as a share of bare calls of the same script."""
    return lab(stage, "onebyone")


SCENARIOS = (
    Scenario(
        "server-limit",
        "share of the server's limit",
        of_server,
        (
            Column("share", "share"),
            Column("rate", "jobs/s"),
            Column("limit", "limit, jobs/s"),
            Column("commands", "commands/job"),
        ),
        (Bound(0.7, ">=", "share"),),
        sides=(TORIL,),
        about="The limit: the same commands with the same arguments, called by one script that does nothing"
        " else, by the server's CPU time; toril's rate: no-op, c=50.",
    ),
    Scenario(
        "add-1",
        "add awaited one by one",
        of_call,
        (Column("share", "share"), Column("rate", "adds/s"), Column("bare", "bare calls/s")),
        (Bound(0.9, ">=", "share"),),
        sides=(TORIL,),
        about="Beside a bare call of the same script: bytes made before, sent over a socket, the answer not"
        " even parsed.",
    ),
)
