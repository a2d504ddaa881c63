"""Goals, and whether a record meets them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from .record import RATE, Record
from .sides import NODE, PYTHON_PEERS, TORIL


class Verdict(Enum):
    """What a record says of a goal."""

    MET = "met"
    MISSED = "missed"
    UNKNOWN = "not measured"


@dataclass(frozen=True)
class Judgement:
    """A goal beside what was measured."""

    verdict: Verdict
    measured: str


@dataclass(frozen=True)
class Bound:
    """A measure of toril's that must be at least, or at most, something.

    Attributes:
        limit: The bound, in the measure's unit.
        sense: Which side of it is good.
        measure: The measure's name.
        unit: What is written behind the number.
        worst: Whether every run must keep it, not the median.
    """

    limit: float
    sense: Literal[">=", "<="]
    measure: str
    unit: str = ""
    worst: bool = False

    @property
    def text(self) -> str:
        """The goal in words."""
        return f"{self.measure} {self.sense} {number(self.limit)}{self.unit}"

    def judge(self, record: Record, scenario: str) -> Judgement:
        """Compare."""
        figure = record.figure(scenario, TORIL)
        value = figure.median(self.measure) if figure else None
        if figure is None or value is None:
            return Judgement(Verdict.UNKNOWN, figure.error if figure else "")
        if self.worst:
            least, most = figure.span(self.measure)
            value = most if self.sense == "<=" else least
        met = value >= self.limit if self.sense == ">=" else value <= self.limit
        met = met and not figure.error
        return Judgement(Verdict.MET if met else Verdict.MISSED, f"{number(value)}{self.unit}")


@dataclass(frozen=True)
class Ratio:
    """toril's measure over that of others must be at least something.

    Attributes:
        limit: The least ratio.
        over: Node BullMQ; the fastest Python peer, which is as good as each of them.
        measure: The measure's name.
    """

    limit: float
    over: Literal["Node BullMQ", "each Python peer"]
    measure: str = RATE

    @property
    def text(self) -> str:
        """The goal in words."""
        return f">= {self.limit:g}x {self.over}"

    def judge(self, record: Record, scenario: str) -> Judgement:
        """Compare. A peer that has failed, or was left out, leaves the goal open unless it is missed."""
        ours = record.figure(scenario, TORIL)
        own = ours.median(self.measure) if ours else None
        if ours is None or own is None:
            return Judgement(Verdict.UNKNOWN, ours.error if ours else "")
        keys = (NODE,) if self.over == "Node BullMQ" else PYTHON_PEERS
        rates: dict[str, float] = {}
        absent = []
        for key in keys:
            theirs = record.figure(scenario, key)
            rate = theirs.median(self.measure) if theirs else None
            if rate:
                rates[key] = rate
            else:
                absent.append(key)
        if not rates:
            return Judgement(Verdict.UNKNOWN, "")
        best = max(rates, key=lambda key: rates[key])
        ratio = own / rates[best]
        measured = f"{ratio:.1f}x"
        if len(keys) > 1:
            kept = sum(own >= self.limit * rate for rate in rates.values())
            measured += f" ({best}); {kept} of {len(keys)} peers"
        if ratio < self.limit or ours.error:
            return Judgement(Verdict.MISSED, measured)
        if absent:
            return Judgement(Verdict.UNKNOWN, f"{measured}, without {', '.join(absent)}")
        return Judgement(Verdict.MET, measured)


Goal = Bound | Ratio


def number(value: float) -> str:
    """A number as tables show it: three figures that count, thousands apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}"
