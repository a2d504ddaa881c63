"""`toril jobs` and `toril job`: looking at jobs."""

from __future__ import annotations

from typing import Annotated

import typer

from ..job import JobState
from ..record import Job
from ..running import run
from .console import Printer, print_json, progress
from .describing import NUMBERS, as_dict, columns_of, lines_of
from .opening import opened
from .options import AsJson, JobId, NoColor, Prefix, QueueName, Url
from .selecting import Filter, Found, Name, Search, find
from .states import Listed
from .telling import NotDone


def jobs(
    queue: QueueName,
    state: Annotated[Listed, typer.Option("--state", "-s", help="Whose jobs.")] = Listed.WAITING,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many at the most.")] = 20,
    oldest: Annotated[
        bool, typer.Option("--oldest", help="The oldest, or next to run, first; else the newest.")
    ] = False,
    name: Name = None,
    search: Search = None,
    scan: Annotated[
        int, typer.Option(min=1, help="With --name or --search: how many jobs to look at.")
    ] = 100_000,
    url: Url = None,
    prefix: Prefix = "bull",
    as_json: AsJson = False,
    no_color: NoColor = False,
) -> None:
    """List jobs of one state, the newest first."""
    wanted = Filter.of(name, search)
    found, total = run(_jobs(queue, JobState(state), wanted, limit, scan, oldest, url, prefix, no_color))
    if as_json:
        print_json([as_dict(job, JobState(state)) for job in found.jobs])
        return
    printer = Printer(no_color)
    if found.jobs:
        columns = columns_of(JobState(state))
        rows = [[cell(job) for cell in columns.values()] for job in found.jobs]
        printer.table(list(columns), rows, NUMBERS)
    if wanted and found.looked < total:
        line = f"{len(found.jobs):,} found among {found.looked:,} of {total:,} {state} jobs"
        printer.line(line, style="dim")
    elif len(found.jobs) < total or not found.jobs:
        printer.line(f"{len(found.jobs):,} of {total:,} {state} jobs", style="dim")


async def _jobs(
    name: str,
    state: JobState,
    wanted: Filter,
    limit: int,
    scan: int,
    oldest: bool,
    url: str | None,
    prefix: str,
    no_color: bool,
) -> tuple[Found, int]:
    async with opened(name, url, prefix) as queue:
        total = (await queue.get_job_counts())[state]
        if not wanted:
            jobs = await queue.get_jobs(state, 0, limit - 1, ascending=oldest)
            return Found(jobs, len(jobs)), total
        with progress(min(total, scan), "looking", no_color) as step:
            return await find(
                queue, state, wanted, limit=limit, look=scan, ascending=oldest, step=step
            ), total


def job(
    queue: QueueName,
    job_id: JobId,
    logs: Annotated[int, typer.Option(min=0, max=10_000, help="How many lines of its log, the newest.")] = 20,
    url: Url = None,
    prefix: Prefix = "bull",
    as_json: AsJson = False,
    no_color: NoColor = False,
) -> None:
    """Show one job: its times, data and options, how it ended, its stack trace, its log.

    Exit code 1 if there is no such job.
    """
    found, state, lines = run(_job(queue, job_id, logs, url, prefix))
    if as_json:
        print_json(as_dict(found, state) | {"logs": lines})
        return
    printer = Printer(no_color)
    for line in lines_of(found, state, lines):
        printer.line(line)


async def _job(
    name: str, job_id: str, logs: int, url: str | None, prefix: str
) -> tuple[Job, JobState, list[str]]:
    async with opened(name, url, prefix) as queue:
        found = await queue.get_job(job_id)
        if found is None:
            raise NotDone(f"there is no job {job_id} in queue {name}")
        lines = await queue.get_logs(job_id, -logs, -1) if logs else []
        return found, await queue.get_state(job_id), lines
