"""What may be done with a delivery, given what became of its earlier tries: a pure decision.

A mail that was certainly not taken may go to any provider. One whose answer was lost belongs to the provider
that may have it: a provider that remembers keys is asked again under the same key, and sends nothing twice.
One that does not (SMTP) gets the mail once more, under the same Message-ID, by which the reader's side can
drop the second; that is counted, and never done twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

__all__ = ["Plan", "Step", "plan"]


class Step(Enum):
    """What to do next."""

    SEND = auto()
    ASK = auto()
    SEND_AGAIN = auto()
    WAIT = auto()
    UNDECIDED = auto()


@dataclass(frozen=True)
class Plan:
    """The step, and for `WAIT` how many seconds."""

    step: Step
    seconds: float = 0.0


def plan(
    *,
    handed_over_at: datetime | None,
    extra_sends: int,
    cut_off: bool,
    known: bool,
    remembers: timedelta | None,
    timeout: float,
    now: datetime,
) -> Plan:
    """The next step.

    Args:
        handed_over_at: when a try began whose answer is unknown; None if there is none.
        extra_sends: how often the mail was sent again already.
        cut_off: whether the try's process never told of its end, so that it may still be at it.
        known: whether the provider of that try is still configured.
        remembers: how long that provider knows a mail by its key.
        timeout: seconds after which that provider answers no more.
    """
    if handed_over_at is None:
        return Plan(Step.SEND)
    if not known:
        return Plan(Step.UNDECIDED)
    if remembers is not None:
        return Plan(Step.ASK if now < handed_over_at + remembers else Step.UNDECIDED)
    if extra_sends:
        return Plan(Step.UNDECIDED)
    over = handed_over_at + timedelta(seconds=timeout)
    if cut_off and now < over:
        return Plan(Step.WAIT, (over - now).total_seconds())
    return Plan(Step.SEND_AGAIN)
