"""`toril schedulers`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from ..errors import InvalidOption
from ..inspection.lines import span
from ..job import Json
from ..queue import Queue
from ..record import Job
from ..running import run
from ..schedule import Cron, Every, Scheduler
from ..storage.address import server_url
from ..storage.discovery import queue_names
from .completion import complete_queue
from .console import Printer, print_json
from .opening import opened
from .options import AsJson, NoColor, Prefix, Url
from .telling import NotDone


def schedulers(
    queue: Annotated[
        str | None,
        typer.Argument(metavar="QUEUE", help="The queue's name; all if none.", autocompletion=complete_queue),
    ] = None,
    run_now: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Add a job of this scheduler now; its times stay as they are."),
    ] = None,
    url: Url = None,
    prefix: Prefix = "bull",
    as_json: AsJson = False,
    no_color: NoColor = False,
) -> None:
    """List job schedulers with their next runs, or run one now."""
    if run_now is not None:
        if queue is None:
            raise InvalidOption("--run-now needs the queue: toril schedulers QUEUE --run-now ID")
        job = run(_run_now(queue, run_now, url, prefix))
        if as_json:
            print_json({"queue": queue, "scheduler": run_now, "id": job.id})
        else:
            Printer(no_color).line(f"added job {job.id} ({job.name}) of scheduler {run_now}")
        return
    found = run(_list(queue, url, prefix))
    if as_json:
        print_json([_as_dict(name, each) for name, each in found])
        return
    printer = Printer(no_color)
    if not found:
        printer.line("no schedulers there")
        return
    rows = [
        (name, each.id, each.name, _when(each), _next(each), f"{each.runs:,}", each.owner or "-")
        for name, each in found
    ]
    printer.table(["QUEUE", "ID", "JOB", "WHEN", "NEXT", "MADE", "APP"], rows, ["MADE"])


async def _run_now(name: str, scheduler_id: str, url: str | None, prefix: str) -> Job:
    async with opened(name, url, prefix) as queue:
        job = await queue.run_job_scheduler(scheduler_id)
        if job is None:
            raise NotDone(f"there is no scheduler {scheduler_id!r} in queue {name}")
        return job


async def _list(name: str | None, url: str | None, prefix: str) -> list[tuple[str, Scheduler]]:
    found = []
    for each in [name] if name is not None else await queue_names(server_url(url), prefix):
        if name is None:
            async with Queue(each, server_url(url), prefix=prefix) as queue:
                found += [(each, scheduler) for scheduler in await queue.get_job_schedulers()]
        else:
            async with opened(each, url, prefix) as queue:
                found += [(each, scheduler) for scheduler in await queue.get_job_schedulers()]
    return found


def _when(scheduler: Scheduler) -> str:
    match scheduler.when:
        case Cron() as cron:
            return f"{cron.pattern} {cron.tz}"
        case Every() as every:
            return f"every {span(every.every_ms)}"
        case _:
            return "by its maker"


def _next(scheduler: Scheduler) -> str:
    left = (scheduler.next_run - datetime.now(UTC)).total_seconds() * 1000
    at = f"{scheduler.next_run:%Y-%m-%d %H:%M:%SZ}"
    return f"{at} (in {span(left)})" if left > 0 else f"{at} (due, or running)"


def _as_dict(queue: str, scheduler: Scheduler) -> dict[str, Json]:
    when = scheduler.when
    return {
        "queue": queue,
        "id": scheduler.id,
        "name": scheduler.name,
        "pattern": when.pattern if isinstance(when, Cron) else None,
        "tz": when.tz if isinstance(when, Cron) else None,
        "every": when.every_ms / 1000 if isinstance(when, Every) else None,
        "next": scheduler.next_run.isoformat(),
        "made": scheduler.runs,
        "data": scheduler.data,
        "app": scheduler.owner,
    }
