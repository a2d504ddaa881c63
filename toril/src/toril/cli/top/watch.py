"""Looks at queues again and again for `toril top`."""

from __future__ import annotations

import asyncio
import textwrap
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ...failure import one_line
from ...inspection.explain import explain
from ...inspection.running import WorkerState, workers_of
from ...inspection.survey import Flow, Survey, Surveyor, mean_flow
from ...job import JobState, Json
from ...queue import Queue
from ...record import Job
from ..describing import lines_of
from .view import Choices, Screen, View

SMOOTH = 5.0
"""Over how many seconds the rates are taken."""
LISTED = 200
"""How many jobs are listed."""


@dataclass(frozen=True, slots=True)
class Row:
    """One queue: as it is now, and its rates over the last seconds."""

    name: str
    survey: Survey
    flow: Flow

    def as_dict(self) -> dict[str, Json]:
        """The same as JSON has it: rates by the second, durations in seconds."""
        survey = self.survey
        return {
            "queue": self.name,
            "paused": survey.paused,
            "added": self.flow.added,
            "completed": self.flow.completed,
            "failed": self.flow.failed,
            "counts": survey.counts,
            "ran95": survey.runs.quantile(0.95),
            "oldestWaiting": survey.oldest_waiting,
        }


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen at one time.

    Attributes:
        at: Our own time, UTC.
        rows: The queues.
        workers: Those of the chosen queue, with what they run.
        jobs: The jobs of the chosen queue and state, where they are shown.
        total: How many of them there are.
        lines: The job that is looked into: why it does not run, and what it is.
    """

    at: datetime
    rows: Sequence[Row] = ()
    workers: Sequence[WorkerState] = ()
    jobs: Sequence[Job] = ()
    total: int = 0
    lines: Sequence[str] = field(default=())

    @property
    def choices(self) -> Choices:
        """What there is to be chosen from."""
        return Choices(
            queues=[row.name for row in self.rows],
            paused=frozenset(row.name for row in self.rows if row.survey.paused),
            failed=[row.survey.counts["failed"] for row in self.rows],
            jobs=[job.id for job in self.jobs],
            lines=len(self.lines),
        )


class Watcher:
    """Looks at queues, each by one script call; what is shown of one of them by some more."""

    def __init__(self, queues: Sequence[Queue]) -> None:
        self.queues = {queue.name: queue for queue in queues}
        self._surveyors = {name: Surveyor(queue) for name, queue in self.queues.items()}
        self._surveys: dict[str, deque[Survey]] = {name: deque(maxlen=60) for name in self.queues}

    async def look(self, view: View, width: int) -> Sight:
        """Look once, at what the view shows; a job's lines are wrapped to the width.

        Raises:
            ConnectionFailed, ServerRefused: as of any call.
        """
        rows = await asyncio.gather(*(self._row(name) for name in self.queues))
        at = datetime.now(UTC)
        if not rows:
            return Sight(at)
        row = rows[min(view.queue, len(rows) - 1)]
        queue = self.queues[row.name]
        if view.screen is Screen.JOBS:
            jobs = await queue.get_jobs(view.state, 0, LISTED - 1, ascending=view.state is JobState.ACTIVE)
            return Sight(at, rows, jobs=jobs, total=row.survey.counts[view.state])
        if view.screen is Screen.JOB:
            return Sight(at, rows, lines=await _lines(queue, view.job_id, width))
        return Sight(at, rows, workers=await workers_of(queue))

    async def _row(self, name: str) -> Row:
        survey = await self._surveyors[name].survey()
        surveys = self._surveys[name]
        surveys.append(survey)
        return Row(name, survey, mean_flow(list(surveys), SMOOTH))


async def _lines(queue: Queue, job_id: str, width: int) -> list[str]:
    found, job, logs = await asyncio.gather(
        explain(queue, job_id), queue.get_job(job_id), queue.get_logs(job_id, -20, -1)
    )
    lines = str(found).splitlines()
    if job is not None and found.state is not None:
        lines += ["", *lines_of(job, found.state, logs)]
    return [part for line in lines for part in _wrapped(one_line(line), width)]


def _wrapped(line: str, width: int) -> list[str]:
    """A line in as many as it needs; further ones are indented."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(line, width, subsequent_indent=indent[: width // 2]) or [""]
