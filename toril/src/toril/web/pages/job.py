"""One job: what has happened to it, what it carries, what it has said, and what can be done with it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, fields
from datetime import datetime

import msgspec
from starlette.responses import PlainTextResponse, Response

from ...errors import InvalidPayload, JobNotFound
from ...family import JobRef
from ...inspection.explain import explain
from ...inspection.timeline import due_of, job_events, timeline
from ...job import JobOptions, JobState, Json
from ...options import Backoff, Keep
from ...queue import Queue
from ...record import Job
from ...storage.inspection import InspectionStore
from .. import words
from ..redaction import Part
from ..verbs import verbs_of
from ..visit import NotThere, Visit, encoded

ENDED = frozenset({JobState.COMPLETED, JobState.FAILED})
LINES = 500
"""Of a job's log that its page shows, the newest."""
CHILDREN = 100
"""Of each kind that the page names."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run that has failed."""

    number: int
    trace: str
    is_last: bool


@dataclass(frozen=True, slots=True)
class Relative:
    """A parent or a child, with its page where this dashboard has it."""

    name: str
    link: str | None
    text: str
    kind: str


async def show(visit: Visit) -> Response:
    """The job's page."""
    queue = await visit.queue()
    job = await _find(visit, queue)
    try:
        state = await queue.get_state(job.id)
    except JobNotFound:
        raise NotThere(f"There is no job {job.id!r} in {queue.name!r} any more.") from None
    store = InspectionStore(queue.store.connection, queue.store.keys)
    why, length, lines, events, family = await asyncio.gather(
        explain(queue, job.id),
        store.log_length(job.id),
        queue.get_logs(job.id, -LINES, -1),
        job_events(queue, job.id),
        _family(visit, queue, job),
    )
    due = due_of(job, events) if state is JobState.DELAYED else None
    return visit.render(
        "job.html",
        queue=queue.name,
        job=job,
        ids=encoded([job.id]),
        state=state,
        verbs=verbs_of(state),
        error=visit.error_of(job),
        reasons=[] if state in ENDED else [_hidden(visit, job, reason.text) for reason in why.reasons],
        advice=why.advice,
        moments=timeline(job, events, due),
        attempts=_attempts(visit, job),
        facts=_facts(job),
        data=_shown(visit, job, "data"),
        result=_shown(visit, job, "result") if state is JobState.COMPLETED else None,
        progress=_progress(visit, job),
        log=[str(visit.hide(line, job.queue, job.name, "log")) for line in lines],
        log_length=length,
        family=family,
    )


async def _find(visit: Visit, queue: Queue) -> Job:
    job = await queue.get_job(visit.segment("job"))
    if job is None:
        raise NotThere(
            f"There is no job {visit.segment('job')!r} in {queue.name!r}: it never was, or is removed."
        )
    return job


def _hidden(visit: Visit, job: Job, text: str) -> str:
    return str(visit.hide(text, job.queue, job.name, "error"))


def _attempts(visit: Visit, job: Job) -> list[Attempt]:
    try:
        traces, made = job.stacktrace, job.attempts_made
    except InvalidPayload:
        return []
    first = max(made, len(traces)) - len(traces) + 1
    return [
        Attempt(
            number,
            words.cut(str(visit.hide(trace, job.queue, job.name, "stack")), words.LONGEST),
            number - first == len(traces) - 1,
        )
        for number, trace in enumerate(traces, first)
    ]


def _shown(visit: Visit, job: Job, part: Part) -> str:
    try:
        value = job.data if part == "data" else job.return_value
    except InvalidPayload as error:
        return str(error)
    return words.pretty(visit.hide(value, job.queue, job.name, part))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job has come, where it tells so: a share in percent, or whatever it says."""

    percent: float | None
    text: str


def _progress(visit: Visit, job: Job) -> Progress | None:
    try:
        value = visit.hide(job.progress, job.queue, job.name, "progress")
    except InvalidPayload as error:
        return Progress(None, str(error))
    if value in (0, None) or isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return Progress(max(0.0, min(100.0, float(value))), f"{value:g} %")
    return Progress(None, words.brief(value, 400))


def _facts(job: Job) -> list[tuple[str, str]]:
    """Options that differ from the defaults, and what else its record tells, in words."""
    try:
        options = job.options
        facts = [
            ("Attempts", f"{job.attempts_made} made of {options.attempts}"),
            ("Priority", str(job.priority) if job.priority else ""),
            ("Delay", words.duration(job.delay) if job.delay else ""),
            ("Stalled", f"{job.stalled_count} times" if job.stalled_count else ""),
        ]
    except InvalidPayload as error:
        return [("Options", str(error))]
    facts += [
        ("Worker", job.processed_by or ""),
        ("Scheduler", job.scheduler_id or ""),
        ("Deduplication", job.deduplication_id or ""),
        ("Cancelled", job.cancel_reason or ("yes" if job.cancel_reason is not None else "")),
        ("Will fail", job.deferred_failure or ""),
    ]
    default = JobOptions()
    skipped = {"attempts", "priority", "delay", "job_id", "deduplication", "parent"}
    facts += [
        (field.name.replace("_", " ").capitalize(), _option(getattr(options, field.name)))
        for field in fields(options)
        if field.name not in skipped and getattr(options, field.name) != getattr(default, field.name)
    ]
    return [(name, text) for name, text in facts if text]


def _option(value: object) -> str:
    if isinstance(value, float):
        return words.duration(value)
    if isinstance(value, Backoff):
        jitter = f", {value.jitter:.0%} of it by chance" if value.jitter else ""
        return f"{value.type}, {words.duration(value.delay)}{jitter}"
    if isinstance(value, Keep):
        count = "all" if value.count is None else f"{value.count:,}"
        return count if value.age is None else f"{count}, not older than {words.duration(value.age)}"
    if isinstance(value, datetime):
        return f"{words.moment(value)} UTC"
    return str(value)


async def _family(visit: Visit, queue: Queue, job: Job) -> list[Relative]:
    found: list[Relative] = []
    if job.parent is not None:
        found.append(await _relative(visit, job.parent, "parent", "waits for this job"))
    children = await queue.get_dependencies(job.id, limit=CHILDREN)
    for ref, value in children.processed.items():
        text = words.brief(visit.hide(value, ref.queue, "", "result"))
        found.append(await _relative(visit, ref, "completed", text))
    for ref in sorted(children.pending, key=str):
        found.append(await _relative(visit, ref, "pending", ""))
    for ref, reason in children.ignored.items():
        hidden = words.cut(str(visit.hide(reason, ref.queue, "", "error")), 200)
        found.append(await _relative(visit, ref, "failed, ignored", hidden))
    found += [await _relative(visit, ref, "failed", "") for ref in children.failed]
    if (more := sum(children.counts.values()) - len(found) + (job.parent is not None)) > 0:
        found.append(Relative(f"{more:,} more", None, "", ""))
    return found


async def _relative(visit: Visit, ref: JobRef, kind: str, text: str) -> Relative:
    registry = visit.site.registry
    known = ref.prefix == registry.prefix and await registry.find(ref.queue) is not None
    link = visit.links.job(ref.queue, ref.id) if known else None
    return Relative(f"{ref.queue} {ref.id}", link, text, kind)


async def raw(visit: Visit) -> Response:
    """The job's hash as it stands on the server, its payload and texts as they may be shown."""
    queue = await visit.queue()
    job = await _find(visit, queue)
    shown = {
        name.decode("utf-8", "replace"): _raw(visit, job, name.decode("utf-8", "replace"), value)
        for name, value in sorted(job.fields.items())
    }
    text = msgspec.json.format(msgspec.json.encode(shown), indent=2).decode()
    return PlainTextResponse(text, media_type="application/json")


_PARTS: dict[str, Part] = {
    "data": "data", "returnvalue": "result", "progress": "progress", "failedReason": "error",
    "stacktrace": "stack", "defa": "error",
}  # fmt: skip
_JSON = frozenset({"data", "returnvalue", "progress", "stacktrace", "opts", "parent"})


def _raw(visit: Visit, job: Job, name: str, raw_value: bytes) -> Json:
    text = raw_value.decode("utf-8", "replace")
    value: Json = text
    if name in _JSON:
        try:
            value = msgspec.json.decode(text)
        except msgspec.DecodeError:
            value = text
    part = _PARTS.get(name)
    if part is None:
        return value
    if part == "stack" and isinstance(value, list):
        return [visit.hide(str(each), job.queue, job.name, part) for each in value]
    return visit.hide(value, job.queue, job.name, part)
