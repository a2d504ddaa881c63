"""What the pages show of a queue, by name: put into the page when it is made, and sent when it changes.

A page marks a place by `data-live="name"`; a name that ends with `@d` is the path of a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import charts, words

if TYPE_CHECKING:
    from .watch import Watched

STATES = ("waiting", "prioritized", "active", "delayed", "waiting-children", "completed", "failed")
"""The states, in the order in which pages show them."""
SPARK = charts.Frame(0, 3600, 1, 120, 28)
"""The size of an overview's small pictures."""


def overview(watched: Sequence[Watched]) -> dict[str, str]:
    """All queues' numbers, for the overview."""
    values: dict[str, str] = {}
    for each in watched:
        values |= {f"{each.queue.name}:{key}": value for key, value in row(each).items()}
    return values | totals(watched)


def totals(watched: Sequence[Watched]) -> dict[str, str]:
    """The sums over all queues."""
    surveys = [each.survey for each in watched if each.survey is not None]
    return {
        "waiting": words.number(sum(survey.backlog for survey in surveys)),
        "active": words.number(sum(survey.counts["active"] for survey in surveys)),
        "failed": words.number(sum(survey.counts["failed"] for survey in surveys)),
        "completed a second": words.rate(sum(each.flow.completed for each in watched)),
        "failed a second": words.rate(sum(each.flow.failed for each in watched)),
    }


def row(watched: Watched) -> dict[str, str]:
    """One queue's numbers, by name."""
    survey = watched.survey
    if survey is None:
        return {}
    flow = watched.flow
    counts = {state: words.number(survey.counts[state]) for state in STATES}
    counts["waiting"] = words.number(survey.counts["waiting"] + survey.counts["paused"])
    return {
        **counts,
        "backlog": words.number(survey.backlog),
        "added a second": words.rate(flow.added),
        "completed a second": words.rate(flow.completed),
        "failed a second": words.rate(flow.failed),
        "oldest": words.duration(survey.oldest_waiting),
        "paused": "paused" if survey.paused else "",
        "spark@d": spark(watched),
    }


def queue(watched: Watched) -> dict[str, str]:
    """One queue's numbers, for its own page."""
    return row(watched)


def spark(watched: Watched) -> str:
    """The line of a queue's backlog over the last hour."""
    survey = watched.survey
    if survey is None:
        return ""
    series = [(point.at.timestamp(), float(point.backlog)) for point in watched.points]
    series += [(each.at.timestamp(), float(each.backlog)) for each in watched.recent]
    series.sort()
    end = survey.at.timestamp()
    top = max([1.0, *(value for _, value in series)])
    return charts.line(series, charts.Frame(end - 3600, end, top, SPARK.width, SPARK.height))
