"""The jobs of one state, by pages, or those that a search finds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response

from ...errors import InvalidOption, InvalidPayload
from ...inspection.query import Query
from ...inspection.scan import EVERYWHERE, Found, FoundEverywhere, Place, search, search_everywhere
from ...job import JobState
from ...queue import Queue
from ...record import Job
from .. import live, words
from ..verbs import verbs_of
from ..visit import NotThere, Visit, encoded

PAGE = 50
ANY = "any"
"""What an address calls a search through all states."""
NEXT_FIRST = frozenset({JobState.WAITING, JobState.PRIORITIZED, JobState.DELAYED})
"""States whose lists begin with the job that runs next; of the others the newest comes first."""


@dataclass(frozen=True, slots=True)
class Row:
    """One job of a list."""

    id: str
    name: str
    data: str
    error: str
    attempts: str
    at: datetime | None
    note: str
    state: JobState | None


@dataclass(frozen=True, slots=True)
class Pager:
    """Where in a list a page is."""

    first: str | None
    back: str | None
    on: str | None
    last: str | None
    text: str


def state_of(text: str) -> JobState:
    """The state that an address names. Raises NotThere."""
    if text not in live.STATES:
        raise NotThere(f"There is no state {text!r}.")
    return JobState(text)


async def show(visit: Visit) -> Response:
    """A page of jobs."""
    if visit.asked("state") == ANY:
        return await _everywhere(visit)
    queue = await visit.queue()
    state = state_of(visit.asked("state", "waiting"))
    text = visit.asked("q").strip()
    watched = await visit.site.watch.watched(queue.name)
    counts = await queue.get_job_counts()
    problem, exact = "", None
    try:
        query = Query.parse(text)
    except InvalidOption as error:
        query, problem = Query(), str(error)
    if query.job_id is not None:
        exact = await queue.get_job(query.job_id)
    start = visit.number("start")
    if query:
        found = await search(
            queue, state, query, shown=visit.shown, start=start, most=PAGE, ascending=state in NEXT_FIRST
        )
        pager = _search_pager(visit, queue, state, text, found)
    else:
        start = min(start, max(0, counts[state] - 1)) // PAGE * PAGE
        page = await queue.get_jobs(state, start, start + PAGE - 1, ascending=state in NEXT_FIRST)
        found = Found(page, start, start + len(page), counts[state])
        pager = _pager(visit, queue, state, found)
    return visit.render(
        "jobs.html",
        queue=queue.name,
        state=state,
        counts=counts,
        values=live.queue(watched),
        text=text,
        problem=problem,
        exact=None if exact is None else row(visit, exact, None),
        anywhere=visit.links.jobs(queue.name, ANY, q=text),
        rows=[row(visit, job, state) for job in found.jobs],
        ids=encoded([job.id for job in found.jobs]),
        found=found,
        pager=pager,
        searching=bool(query),
        verbs=verbs_of(state),
        next_first=state in NEXT_FIRST,
    )


async def _everywhere(visit: Visit) -> Response:
    """What a search finds in all states."""
    queue = await visit.queue()
    text = visit.asked("q").strip()
    watched = await visit.site.watch.watched(queue.name)
    problem, exact = "", None
    try:
        query = Query.parse(text)
    except InvalidOption as error:
        query, problem = Query(), str(error)
    if query.job_id is not None:
        exact = await queue.get_job(query.job_id)
    found = FoundEverywhere([], 0, 0, None)
    if query:
        place = Place(state_of(visit.asked("at", str(EVERYWHERE[0]))), visit.number("start"))
        found = await search_everywhere(
            queue, query, shown=visit.shown, place=place, most=PAGE, next_first=NEXT_FIRST
        )
    further = None
    if found.further is not None:
        at, start = str(found.further.state), found.further.start
        further = visit.links.jobs(queue.name, ANY, q=text, at=at, start=start or None)
    return visit.render(
        "everywhere.html",
        queue=queue.name,
        values=live.queue(watched),
        text=text,
        problem=problem,
        exact=None if exact is None else row(visit, exact, None),
        rows=[row(visit, job, state) for state, job in found.jobs],
        found=found,
        further=further,
        searching=bool(query),
    )


def _pager(visit: Visit, queue: Queue, state: JobState, found: Found) -> Pager:
    def link(start: int) -> str:
        return visit.links.jobs(queue.name, state, start=start or None)

    last = max(0, (found.total - 1) // PAGE * PAGE)
    shown = f"{found.start + 1:,} to {found.end:,} of {found.total:,}" if found.jobs else "none"
    return Pager(
        first=link(0) if found.start > 0 else None,
        back=link(max(0, found.start - PAGE)) if found.start > 0 else None,
        on=link(found.start + PAGE) if found.start + PAGE < found.total else None,
        last=link(last) if found.start < last else None,
        text=shown,
    )


def _search_pager(visit: Visit, queue: Queue, state: JobState, text: str, found: Found) -> Pager:
    def link(start: int) -> str:
        return visit.links.jobs(queue.name, state, q=text, start=start or None)

    end = min(found.end, found.total)
    looked = f"{found.start + 1:,} to {end:,}" if found.start else f"{end:,}"
    whole = f"{len(found.jobs):,} found; looked at {looked} of {found.total:,}"
    return Pager(
        first=link(0) if found.start > 0 else None,
        back=None,
        on=None if found.is_whole else link(found.end),
        last=None,
        text=whole,
    )


def row(visit: Visit, job: Job, state: JobState | None) -> Row:
    """A job as a line of a list; what another client has written wrongly is told in its place."""
    try:
        data = words.brief(visit.shown(job), 160)
    except InvalidPayload:
        data = "(cannot be read)"
    try:
        attempts = f"{job.attempts_made} of {job.options.attempts}" if job.attempts_made else ""
        at, note = _when(job, state)
    except InvalidPayload as error:
        attempts, at, note = "", None, str(error)
    return Row(job.id, job.name, data, words.cut(visit.error_of(job), 200), attempts, at, note, state)


def _when(job: Job, state: JobState | None) -> tuple[datetime | None, str]:
    if state is JobState.ACTIVE:
        return job.processed_on, job.processed_by or ""
    if job.finished_on is not None:
        ran = None if job.processed_on is None else (job.finished_on - job.processed_on).total_seconds()
        return job.finished_on, "" if ran is None else f"ran {words.duration(max(0.0, ran))}"
    note = f"priority {job.priority}" if job.priority else ""
    return job.timestamp, f"delayed {words.duration(job.delay)}" if state is JobState.DELAYED else note
