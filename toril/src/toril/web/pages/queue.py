"""One queue: its numbers, its last hours, how long jobs wait and run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from starlette.responses import Response

from ...inspection.histogram import Histogram
from ...inspection.history import Point, merged, read_history
from ...queue.observing import Metrics
from .. import charts, live, words
from ..charts import Bar, Frame, Series
from ..visit import Visit
from ..watch import Watched

SPANS = {"1h": 1, "6h": 6, "24h": 24}
"""What can be chosen: hours."""
TALL = 140.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a picture: its name, which is its class too, its paths and its newest value."""

    name: str
    line: str
    area: str
    newest: str


@dataclass(frozen=True, slots=True)
class Picture:
    """Lines over a time, with what is written at their side."""

    title: str
    top: str
    lines: list[Line]
    start: str
    end: str
    frame: Frame
    has_points: bool


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution with its quantiles."""

    title: str
    bars: list[Bar]
    quantiles: list[tuple[str, str]]
    total: int


async def show(visit: Visit) -> Response:
    """The queue's page."""
    queue = await visit.queue()
    span = visit.asked("span", "1h")
    hours = SPANS.get(span, 1)
    watched = await visit.site.watch.watched(queue.name)
    assert watched.survey is not None
    since = watched.survey.at - timedelta(hours=hours)
    points = watched.points if hours == 1 else await read_history(queue, since)
    waits, runs = merged(points)
    for survey in watched.recent if not points else ():
        waits.add(survey.waits)
        runs.add(survey.runs)
    meta = await queue.get_meta()
    counted = [await queue.get_metrics(state, 0, hours * 60 - 1) for state in ("completed", "failed")]
    return visit.render(
        "queue.html",
        queue=queue.name,
        values=live.queue(watched),
        survey=watched.survey,
        pictures=pictures(points, watched, hours, counted),
        spreads=[spread("Waited", waits), spread("Ran", runs)],
        span=span if span in SPANS else "1h",
        spans=list(SPANS),
        limits=_limits(meta),
    )


def _limits(meta: dict[str, str]) -> list[str]:
    found = []
    if "concurrency" in meta:
        found.append(f"at most {meta['concurrency']} at once")
    if "max" in meta and "duration" in meta and meta["duration"].isdecimal():
        found.append(f"at most {meta['max']} in {words.duration(int(meta['duration']) / 1000)}")
    return found


def pictures(
    points: list[Point], watched: Watched, hours: int, counted: Sequence[Metrics] = ()
) -> list[Picture]:
    """Depth and rates over the last hours; rates by the workers' own counts where they keep them."""
    assert watched.survey is not None
    end = watched.survey.at.timestamp()
    start = end - hours * 3600
    depth = {
        "waiting": [(point.at.timestamp() + 60, float(point.backlog)) for point in points],
        "active": [(point.at.timestamp() + 60, float(point.counts["active"])) for point in points],
        "delayed": [(point.at.timestamp() + 60, float(point.counts["delayed"])) for point in points],
    }
    for survey in watched.recent:
        at = survey.at.timestamp()
        depth["waiting"].append((at, float(survey.backlog)))
        depth["active"].append((at, float(survey.counts["active"])))
        depth["delayed"].append((at, float(survey.counts["delayed"])))
    rates = {
        "completed": [(point.at.timestamp() + 30, point.completed / 60) for point in points],
        "failed": [(point.at.timestamp() + 30, point.failed / 60) for point in points],
        "added": [(point.at.timestamp() + 30, point.added / 60) for point in points],
    }
    for name, metrics in zip(("completed", "failed"), counted, strict=False):
        if metrics.newest is not None and metrics.minutes:
            # The newest minute is the one before the minute in which it was written down.
            newest = metrics.newest.timestamp() // 60 * 60 - 30
            rates[name] = [(newest - 60 * ago, count / 60) for ago, count in enumerate(metrics.minutes)]
    flow = watched.flow
    for name, value in (("completed", flow.completed), ("failed", flow.failed), ("added", flow.added)):
        rates[name].append((end, value))
    return [
        _picture("Jobs", depth, start, end, words.number),
        _picture("Jobs a second", rates, start, end, words.rate),
    ]


def _picture(
    title: str,
    series: dict[str, list[tuple[float, float]]],
    start: float,
    end: float,
    write: Callable[[float], str],
) -> Picture:
    in_time: dict[str, Series] = {
        name: sorted(point for point in points if start <= point[0] <= end) for name, points in series.items()
    }
    top = charts.round_top(max((value for points in in_time.values() for _, value in points), default=0.0))
    frame = Frame(start, end, top, height=TALL)
    lines = [
        Line(
            name,
            charts.line(points, frame),
            charts.area(points, frame),
            write(points[-1][1]) if points else words.NOTHING,
        )
        for name, points in in_time.items()
    ]
    hours = round((end - start) / 3600)
    return Picture(title, write(top), lines, f"{hours} h ago", "now", frame, any(in_time.values()))


def spread(title: str, histogram: Histogram) -> Spread:
    """A distribution as it is shown."""
    quantiles = [
        (name, words.duration(histogram.quantile(share)))
        for name, share in (("half within", 0.5), ("95 %", 0.95), ("99 %", 0.99))
    ]
    return Spread(title, charts.bars(histogram), quantiles, histogram.total)
