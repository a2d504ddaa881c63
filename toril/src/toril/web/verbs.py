"""What can be done with jobs, and in which states of theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..job import JobState

Argument = Literal["priority", "delay"]


@dataclass(frozen=True, slots=True)
class Verb:
    """Something that can be done with jobs.

    Attributes:
        name: What forms and hooks call it.
        label: What its button says.
        done: What the page tells afterwards: `12 jobs retried`.
        states: Of which jobs.
        asks: Whether it is asked for confirmation for a single job too.
        argument: What it needs to know.
    """

    name: str
    label: str
    done: str
    states: frozenset[JobState]
    asks: bool = False
    argument: Argument | None = None


_ENDED = frozenset({JobState.FAILED, JobState.COMPLETED})
_WAITING = frozenset({JobState.WAITING, JobState.PRIORITIZED, JobState.DELAYED})
_PENDING = _WAITING | {JobState.WAITING_CHILDREN}

VERBS = {
    verb.name: verb
    for verb in (
        Verb("retry", "Retry", "retried", _ENDED),
        Verb("promote", "Run now", "promoted", frozenset({JobState.DELAYED})),
        Verb("priority", "Set priority", "given another priority", _WAITING, argument="priority"),
        Verb("delay", "Set delay", "given another delay", frozenset({JobState.DELAYED}), argument="delay"),
        Verb("cancel", "Cancel", "cancelled", _PENDING | {JobState.ACTIVE}, asks=True),
        Verb("remove", "Remove", "removed", _PENDING | _ENDED, asks=True),
    )
}
"""All, in the order of their buttons."""


def verbs_of(state: JobState) -> list[Verb]:
    """What can be done with jobs of a state."""
    return [verb for verb in VERBS.values() if state in verb.states]
