"""Doing things: the page that asks whether it is meant, and what is done then."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from starlette.responses import Response

from ...errors import InvalidOption
from ...inspection.query import Query
from ...inspection.scan import search
from ...job import JobState
from ...queue import Queue
from ..access import Act
from ..doing import STATE_WIDE, argument_of, do, do_to_state
from ..verbs import VERBS, Verb
from ..visit import Form, NotThere, Visit, encoded
from .jobs import NEXT_FIRST, state_of

MOST_IDS = 5000
"""How many jobs one form names."""
MOST_LOOKED = 20_000
"""How many jobs are looked at for all that match a search."""
TYPED = 100
"""More jobs than so many are counted out by the visitor."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form wants to be done.

    Attributes:
        scope: `jobs`, those of `job_ids`, or `state`, the first `count` of a state.
        told: Where the jobs come from, in words.
    """

    scope: str
    job_ids: list[str]
    state: str
    count: int
    told: str = ""


async def confirm(visit: Visit) -> Response:
    """Ask whether it is meant, with the number of jobs."""
    form = await visit.form()
    queue = await visit.queue(form.get("queue"))
    name = form.get("verb")
    back = visit.links.back(form.get("back"))
    if name in {"drain", "clean"}:
        counts = await queue.get_job_counts()
        state = state_of(form.get("state", "completed")) if name == "clean" else JobState.WAITING
        if name == "clean" and state in {JobState.WAITING_CHILDREN, JobState.ACTIVE}:
            raise InvalidOption(f"jobs of state {state} cannot be cleaned")
        return visit.render(
            "confirm_queue.html", queue=queue.name, name=name, counts=counts, state=state, back=back
        )
    verb = _verb(name)
    asked = await _asked(visit, queue, verb, form)
    if not asked.count:
        return visit.go(back, "No job was chosen.")
    return visit.render(
        "confirm.html",
        queue=queue.name,
        verb=verb,
        asked=asked,
        ids=encoded(asked.job_ids),
        value=form.get("value"),
        typed=asked.count > TYPED,
        back=back,
    )


async def act(visit: Visit) -> Response:
    """Do it."""
    form = await visit.form()
    queue = await visit.queue(form.get("queue"))
    name = form.get("verb")
    back = form.get("back")
    if name in _QUEUE_ACTS:
        told = await _QUEUE_ACTS[name](visit, queue, form)
    else:
        verb = _verb(name)
        argument = argument_of(verb, form.get("value"))
        if form.get("scope") == "state":
            return await _whole_state(visit, queue, verb, form)
        job_ids = _ids(form.get("ids"))
        _check_typed(form, len(job_ids))
        await visit.check(Act(name, queue.name, tuple(job_ids)))
        told = (await do(queue, verb, job_ids, argument)).told(verb.done)
    visit.site.watch.changed(queue.name)
    return visit.go(back, told)


def _verb(name: str) -> Verb:
    if name not in VERBS:
        raise NotThere(f"There is no act {name!r}.")
    return VERBS[name]


def _ids(text: str) -> list[str]:
    try:
        found = msgspec.json.decode(text or "[]", type=list[str])
    except msgspec.DecodeError:
        raise InvalidOption("the jobs' ids cannot be read") from None
    if len(found) > MOST_IDS:
        raise InvalidOption(f"at most {MOST_IDS:,} jobs can be named at once")
    return list(dict.fromkeys(found))


def _check_typed(form: Form, count: int) -> None:
    if count > TYPED and form.get("typed").replace(",", "").strip() != str(count):
        raise InvalidOption(f"to confirm it, type the number of jobs: {count}")


async def _asked(visit: Visit, queue: Queue, verb: Verb, form: Form) -> Asked:
    scope = form.get("scope", "jobs")
    if scope == "jobs":
        ids = list(dict.fromkeys([*_ids(form.get("ids")), *form.all("id")]))
        return Asked("jobs", ids, "", len(ids), f"job {ids[0]}" if len(ids) == 1 else "")
    state = state_of(form.get("state"))
    if state not in verb.states:
        raise InvalidOption(f"{verb.label} cannot be done to {state} jobs")
    if scope == "match":
        return await _matching(visit, queue, state, form.get("q"))
    counts = await queue.get_job_counts()
    if verb.name in STATE_WIDE and state is not JobState.WAITING_CHILDREN:
        return Asked("state", [], str(state), counts[state], f"all that are {state}")
    ids = await queue.get_job_ids(state, 0, MOST_IDS - 1, ascending=state in NEXT_FIRST)
    part = f"the first {len(ids):,} of {counts[state]:,}" if counts[state] > len(ids) else "all"
    return Asked("jobs", ids, str(state), len(ids), f"{part} that are {state}")


async def _matching(visit: Visit, queue: Queue, state: JobState, text: str) -> Asked:
    found = await search(
        queue,
        state,
        Query.parse(text),
        shown=visit.shown,
        most=MOST_IDS,
        look=MOST_LOOKED,
        ascending=state in NEXT_FIRST,
    )
    ids = [job.id for job in found.jobs][:MOST_IDS]
    told = f"all {state} that match {text}"
    if not found.is_whole:
        told += f", among the first {found.end:,} of {found.total:,}"
    return Asked("jobs", ids, str(state), len(ids), told)


async def _whole_state(visit: Visit, queue: Queue, verb: Verb, form: Form) -> Response:
    """Go on with a whole state for a while; then the page asks to go on."""
    state = state_of(form.get("state"))
    if state not in verb.states or verb.name not in STATE_WIDE:
        raise InvalidOption(f"{verb.label} cannot be done to all {state} jobs at once")
    total, done = _count(form.get("count")), _count(form.get("done"))
    _check_typed(form, total)
    await visit.check(Act(verb.name, queue.name, state=str(state)))
    moved, more = await do_to_state(queue, verb, state, total - done)
    done += moved
    visit.site.watch.changed(queue.name)
    if not more:
        return visit.go(form.get("back"), f"{done:,} {'job' if done == 1 else 'jobs'} {verb.done}.")
    return visit.render(
        "going_on.html",
        queue=queue.name,
        verb=verb,
        state=state,
        total=total,
        done=done,
        back=visit.links.back(form.get("back")),
    )


def _count(text: str) -> int:
    if text == "":
        return 0
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise InvalidOption(f"{text!r} is no number of jobs")
    return int(text)


async def _pause(visit: Visit, queue: Queue, _form: Form) -> str:
    await visit.check(Act("pause", queue.name))
    await queue.pause()
    return f"{queue.name} is paused: no worker starts a job of it."


async def _resume(visit: Visit, queue: Queue, _form: Form) -> str:
    await visit.check(Act("resume", queue.name))
    await queue.resume()
    return f"{queue.name} goes on."


async def _drain(visit: Visit, queue: Queue, form: Form) -> str:
    await visit.check(Act("drain", queue.name))
    gone = await queue.drain(delayed=form.get("delayed") == "1")
    return f"{gone:,} {'job' if gone == 1 else 'jobs'} removed."


async def _clean(visit: Visit, queue: Queue, form: Form) -> str:
    state = state_of(form.get("state"))
    try:
        hours = float(form.get("hours") or "0")
    except ValueError:
        raise InvalidOption(f"{form.get('hours')!r} is no number of hours") from None
    await visit.check(Act("clean", queue.name, state=str(state)))
    gone = len(await queue.clean(state, age=hours * 3600, limit=_count(form.get("limit")) or 10_000))
    return f"{gone:,} {state} {'job' if gone == 1 else 'jobs'} removed."


async def _run(visit: Visit, queue: Queue, form: Form) -> str:
    scheduler_id = form.get("scheduler")
    await visit.check(Act("run", queue.name, scheduler_id=scheduler_id))
    added = await queue.run_job_scheduler(scheduler_id)
    if added is None:
        raise NotThere(f"There is no scheduler {scheduler_id!r} in {queue.name!r}.")
    return f"Job {added.id} was added as {scheduler_id} would have."


_QUEUE_ACTS = {"pause": _pause, "resume": _resume, "drain": _drain, "clean": _clean, "run": _run}
