"""Runs scenarios: sides in turn, and each round begins with another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from .places import PlaceFailed
from .record import Record
from .scenarios.base import Scenario
from .sides import BY_KEY, PYTHON_PEERS, Side
from .stage import RunFailed, Stage


class Progress(Protocol):
    """Is told how far it is."""

    def begin(self, scenario: Scenario, side: Side) -> None:
        """A side begins one run of a scenario."""

    def end(self) -> None:
        """It has ended."""


def turns(scenario: Scenario, sides: Sequence[str], quick: bool) -> list[str]:
    """Whose turn it is, run by run: interleaved, and rotated so that nobody is always first.

    In the quick mode the Python peers run once, however often the others do.
    """
    taking_part = scenario.quick_sides if quick and scenario.quick_sides else scenario.sides
    present = [key for key in taking_part if key in sides]
    order: list[str] = []
    for number in range(scenario.runs[0 if quick else 1]):
        turn = [key for key in present if not (quick and number and key in PYTHON_PEERS)]
        first = number % len(turn) if turn else 0
        order += turn[first:] + turn[:first]
    return order


def carry_out(
    stage: Stage,
    record: Record,
    scenarios: Sequence[Scenario],
    sides: Sequence[str],
    progress: Progress,
    save: Callable[[Record], None],
) -> None:
    """Run all, and save the record after each scenario.

    A side that has failed in a scenario is not run again in it; the record tells why.
    """
    for scenario in scenarios:
        out: set[str] = set()
        for key in turns(scenario, sides, stage.quick):
            side = BY_KEY[key]
            progress.begin(scenario, side)
            if key not in out:
                try:
                    record.add(scenario.key, key, scenario.measure(stage, side))
                except (RunFailed, PlaceFailed) as error:
                    record.fail(scenario.key, key, str(error))
                    out.add(key)
            progress.end()
        save(record)
