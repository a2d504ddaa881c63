"""`toril jobs` and `toril job`: looking at jobs."""

from __future__ import annotations

from typing import Annotated

import typer

from ..job import JobState
from ..record import Job
from .console import Printer, print_json
from .describing import NUMBERS, as_dict, columns_of, lines_of
from .opening import opened
from .options import AsJson, JobId, NoColor, Prefix, QueueName, Url
from .run import run
from .states import Listed
from .telling import NotDone


def jobs(
    queue: QueueName,
    state: Annotated[Listed, typer.Option("--state", "-s", help="Whose jobs.")] = Listed.WAITING,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many at the most.")] = 20,
    oldest: Annotated[
        bool, typer.Option("--oldest", help="The oldest, or next to run, first; else the newest.")
    ] = False,
    url: Url = None,
    prefix: Prefix = "bull",
    as_json: AsJson = False,
    no_color: NoColor = False,
) -> None:
    """List jobs of one state, the newest first."""
    found, total = run(_jobs(queue, JobState(state), limit, oldest, url, prefix))
    if as_json:
        print_json([as_dict(job, JobState(state)) for job in found])
        return
    printer = Printer(no_color)
    if found:
        columns = columns_of(JobState(state))
        printer.table(list(columns), [[cell(job) for cell in columns.values()] for job in found], NUMBERS)
    if len(found) < total or not found:
        printer.line(f"{len(found):,} of {total:,} {state} jobs", style="dim")


async def _jobs(
    name: str, state: JobState, limit: int, oldest: bool, url: str | None, prefix: str
) -> tuple[list[Job], int]:
    async with opened(name, url, prefix) as queue:
        found = await queue.get_jobs(state, 0, limit - 1, ascending=oldest)
        return found, (await queue.get_job_counts())[state]


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
