"""A report as a table, before it has a format."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

Cell = str | int | float | datetime | None
Row = tuple[Cell, ...]


class Kind(StrEnum):
    """What the cells of a column are."""

    TEXT = "text"
    NUMBER = "number"
    PERCENT = "percent"
    MOMENT = "moment"


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        kind: of its cells; a moment is in the organization's zone, a share of 1 is a percent.
        width: its weight beside the others', about the characters of a usual cell.
    """

    name: str
    kind: Kind = Kind.TEXT
    width: int = 12


class ChartKind(StrEnum):
    """How a picture shows what it counts."""

    TIME = "time"
    PARTS = "parts"
    RATE = "rate"


@dataclass(frozen=True)
class Chart:
    """A picture: rows counted by what they have in a column.

    Attributes:
        kind: ``time`` counts by day, week or month of a moment; ``parts`` by a text; ``rate`` shows, by a
            text, the share that ``good`` has of ``good`` and ``bad``.
        column: the place of the column that is counted by.
        good: the place of the column with the number kept.
        bad: the place of the column with the number missed.
    """

    title: str
    kind: ChartKind
    column: int
    good: int = 0
    bad: int = 0


@dataclass(frozen=True)
class Heading:
    """What stands above a report.

    Attributes:
        facts: label and value of what was asked for.
        zone: the name of the zone that moments are in.
    """

    title: str
    organization: str
    zone: str
    made_at: datetime
    facts: tuple[tuple[str, str], ...]
