"""Job schedulers and their next runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response

from ...errors import InvalidPayload
from ...schedule import Cron, Every, Scheduler
from .. import words
from ..visit import Visit

MOST = 200
"""Schedulers of one queue that the page shows, the next to run first."""
RUNS = 4
"""How many next runs are told of each."""


@dataclass(frozen=True, slots=True)
class Row:
    """A scheduler as it is shown."""

    queue: str
    scheduler: Scheduler
    rhythm: str
    data: str
    runs: list[datetime]
    waits: bool


async def show(visit: Visit) -> Response:
    """The schedulers of one queue, or of all."""
    wanted = visit.asked("queue")
    names = [(await visit.queue(wanted)).name] if wanted else await visit.site.registry.names()
    rows: list[Row] = []
    more = 0
    for name in names:
        queue = visit.site.registry.queue(name)
        for scheduler in await queue.get_job_schedulers(0, MOST - 1):
            rows.append(_row(visit, name, scheduler))
        more += max(0, await queue.get_job_schedulers_count() - MOST)
    rows.sort(key=lambda row: row.scheduler.next_run)
    return visit.render(
        "schedulers.html", wanted=wanted, names=await visit.site.registry.names(), rows=rows, more=more
    )


def _row(visit: Visit, queue: str, scheduler: Scheduler) -> Row:
    try:
        data = words.brief(visit.hide(scheduler.data, queue, scheduler.name, "data"), 160)
    except InvalidPayload as error:
        data = str(error)
    return Row(
        queue,
        scheduler,
        rhythm(scheduler),
        "" if data in {"null", "{}"} else data,
        next_runs(scheduler, visit.now, RUNS),
        scheduler.next_run < visit.now,
    )


def rhythm(scheduler: Scheduler) -> str:
    """When it runs, in words."""
    when = scheduler.when
    if isinstance(when, Cron):
        return f"{when.pattern} ({when.tz})"
    if isinstance(when, Every):
        return f"every {words.duration(when.every_ms / 1000)}"
    return "as its maker tells"


def next_runs(scheduler: Scheduler, now: datetime, count: int) -> list[datetime]:
    """Its next runs, the first of which stands in the queue already."""
    runs = [scheduler.next_run]
    when = scheduler.when
    while when is not None and len(runs) < count:
        if when.limit is not None and scheduler.runs + len(runs) > when.limit:
            break
        before = round(runs[-1].timestamp() * 1000)
        following = when.following_ms(before, max(before, round(now.timestamp() * 1000)))
        if following is None:
            break
        runs.append(datetime.fromtimestamp(following / 1000, runs[0].tzinfo))
    return runs
