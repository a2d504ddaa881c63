"""What a scenario is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..goals import Goal
from ..record import RATE, Measures
from ..sides import ALL, Side
from ..stage import Stage


@dataclass(frozen=True)
class Column:
    """A measure that the scenario's table shows.

    Attributes:
        measure: Its name in the record.
        title: Its name and unit for readers.
        less: Whether less of it is better.
    """

    measure: str
    title: str
    less: bool = False


@dataclass(frozen=True)
class Scenario:
    """One row of the goals' table: what is done, by whom, and what it should come to.

    Attributes:
        key: Its name in files.
        title: Its name in tables.
        measure: Does it once with one side.
        columns: What is shown of it; the first one is drawn.
        goals: What it should come to.
        sides: The sides that take part, by key.
        quick_sides: Those that do in the quick mode, if they are fewer.
        runs: How often each side does it, in the quick and in the full mode.
        about: What a reader must know of how it is measured.
    """

    key: str
    title: str
    measure: Callable[[Stage, Side], Measures]
    columns: tuple[Column, ...]
    goals: tuple[Goal, ...] = ()
    sides: tuple[str, ...] = ALL
    quick_sides: tuple[str, ...] | None = None
    runs: tuple[int, int] = (2, 3)
    about: str = ""


JOBS = Column(RATE, "jobs/s")
COSTS = (Column("server_us", "server µs/job", less=True), Column("client_us", "client µs/job", less=True))
