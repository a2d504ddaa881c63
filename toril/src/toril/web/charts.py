"""Pictures of numbers as SVG paths: pure, in the picture's own units; colours are the style sheet's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..inspection.histogram import CLASSES, Histogram, bounds
from .words import duration

Series = Sequence[tuple[float, float]]
"""Points (seconds, value), in the order of their times."""

GAP = 150.0
"""Seconds without a point after which a line is broken: nobody watched."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a picture shows.

    Attributes:
        start, end: Its times, in seconds.
        top: Its highest value.
        width, height: Its size.
    """

    start: float
    end: float
    top: float
    width: float = 600.0
    height: float = 120.0

    def x(self, at: float) -> float:
        """Where a time is."""
        return (at - self.start) / max(1e-9, self.end - self.start) * self.width

    def y(self, value: float) -> float:
        """Where a value is."""
        return self.height - min(1.0, value / self.top) * self.height


def round_top(value: float) -> float:
    """The next number of 1, 2 or 5 times a power of ten, at least 1: the top of a picture."""
    power = 1.0
    while value > power * 10:
        power *= 10
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if value <= step * power)


def line(series: Series, frame: Frame) -> str:
    """The path of a line; empty of no points."""
    parts: list[str] = []
    before: float | None = None
    for at, value in series:
        if at < frame.start:
            continue
        move = "M" if before is None or at - before > GAP else "L"
        parts.append(f"{move}{frame.x(at):.1f} {frame.y(value):.1f}")
        if move == "M":
            parts.append("h.01")  # so that a point alone is seen
        before = at
    return "".join(parts)


def area(series: Series, frame: Frame) -> str:
    """The path of what is below a line."""
    parts: list[str] = []
    run: list[tuple[float, float]] = []

    def close() -> None:
        if run:
            points = "".join(f"L{frame.x(at):.1f} {frame.y(value):.1f}" for at, value in run)
            left, right = frame.x(run[0][0]), frame.x(run[-1][0])
            parts.append(f"M{left:.1f} {frame.height:g}{points}L{right:.1f} {frame.height:g}Z")

    for at, value in series:
        if at < frame.start:
            continue
        if run and at - run[-1][0] > GAP:
            close()
            run = []
        run.append((at, value))
    close()
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a distribution: its place and height from 0 to 100, and what it stands for."""

    x: float
    width: float
    height: float
    label: str
    count: int


def bars(histogram: Histogram) -> list[Bar]:
    """The bars of a distribution, from its first class that has something in it to its last."""
    filled = [place for place in range(CLASSES) if histogram.counts[place]]
    if not filled:
        return []
    first, last = min(filled), max(filled)
    # A few more, so that a single class is no block.
    first, last = max(0, min(first, last - 7)), min(CLASSES - 1, max(last, first + 7))
    top = max(histogram.counts)
    step = 100 / (last - first + 1)
    return [
        Bar(
            x=(place - first) * step,
            width=step,
            height=histogram.counts[place] / top * 100,
            label=_range(place),
            count=histogram.counts[place],
        )
        for place in range(first, last + 1)
    ]


def _range(place: int) -> str:
    low, high = bounds(place)
    if place == CLASSES - 1:
        return f"{duration(low)} and more"
    return f"{duration(low)} to {duration(high)}" if low else f"below {duration(high)}"
