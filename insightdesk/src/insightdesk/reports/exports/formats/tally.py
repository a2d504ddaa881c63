"""What a picture counts, row by row: memory follows the days and kinds that there are, not the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

from insightdesk.reports.exports.table import Cell, Chart, ChartKind, Row

Bars = list[tuple[str, float]]

_MAX_PARTS = 8


class Tally:
    """The counts of one chart."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self._days: Counter[date] = Counter()
        self._good: Counter[str] = Counter()
        self._all: Counter[str] = Counter()

    def add(self, rows: Sequence[Row]) -> None:
        """Count rows."""
        chart = self.chart
        if chart.kind is ChartKind.TIME:
            moments = (row[chart.column] for row in rows)
            self._days.update(moment.date() for moment in moments if isinstance(moment, datetime))
        elif chart.kind is ChartKind.PARTS:
            self._all.update(_label(row[chart.column]) for row in rows)
        else:
            for row in rows:
                label = _label(row[chart.column])
                self._good[label] += _number(row[chart.good])
                self._all[label] += _number(row[chart.good]) + _number(row[chart.bad])

    def bars(self) -> Bars:
        """Label and height of each bar; of a rate, the height is a percent."""
        if self.chart.kind is ChartKind.TIME:
            return by_period(self._days)
        if self.chart.kind is ChartKind.PARTS:
            ranked = self._all.most_common()
            rest = sum(count for _, count in ranked[_MAX_PARTS:])
            return [*ranked[:_MAX_PARTS], *([("others", rest)] if rest else [])]
        return [
            (label, 100.0 * self._good[label] / count) for label, count in sorted(self._all.items()) if count
        ]


def by_period(days: Counter[date]) -> Bars:
    """Counts of days as those of days, weeks, months or years, so that there are at most about 40 bars;
    what has no count in between has a bar of height 0."""
    if not days:
        return []
    first, last = min(days), max(days)
    start, following, form = _step((last - first).days)
    counts: Counter[date] = Counter()
    for day, count in days.items():
        counts[start(day)] += count
    bars: Bars = []
    at, end = start(first), start(last)
    while at <= end:
        bars.append((at.strftime(form), counts[at]))
        at = following(at)
    return bars


def _step(span: int) -> tuple[Callable[[date], date], Callable[[date], date], str]:
    """The bars for a span of days: where one starts, where the next does, and how it is called."""
    if span <= 35:
        return (lambda day: day), (lambda day: day + timedelta(days=1)), "%d %b"
    if span <= 35 * 7:
        return (
            (lambda day: day - timedelta(days=day.weekday())),
            (lambda day: day + timedelta(days=7)),
            "%d %b",
        )
    if span <= 366 * 3:
        return (lambda day: day.replace(day=1)), _next_month, "%b %y"
    return (lambda day: day.replace(month=1, day=1)), (lambda day: day.replace(year=day.year + 1)), "%Y"


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _label(cell: Cell) -> str:
    return str(cell) if cell not in (None, "") else "none"


def _number(cell: Cell) -> int:
    return cell if isinstance(cell, int) else 0
