"""A job as commands show it: as JSON, as lines, and as the row of a table. Malformed fields are shown raw."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from ..errors import InvalidPayload
from ..inspection.lines import span
from ..job import JobState, Json
from ..record import Job

T = TypeVar("T")


def of(read: Callable[[], T]) -> T | None:
    """What a field says; None if it cannot be read."""
    try:
        return read()
    except InvalidPayload:
        return None


def raw(job: Job, field: bytes) -> Json:
    """A field as JSON; as text where it is none."""
    text = job.fields.get(field)
    if text is None:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.decode("utf-8", "backslashreplace")


def as_dict(job: Job, state: JobState | None) -> dict[str, Json]:
    """A job as JSON: BullMQ's names of the fields, times as ISO 8601 in UTC, durations in seconds."""
    return {
        "id": job.id,
        "queue": job.queue,
        "name": job.name,
        "state": state,
        "data": raw(job, b"data"),
        "opts": raw(job, b"opts"),
        "timestamp": _iso(of(lambda: job.timestamp)),
        "processedOn": _iso(of(lambda: job.processed_on)),
        "finishedOn": _iso(of(lambda: job.finished_on)),
        "delay": of(lambda: job.delay),
        "priority": of(lambda: job.priority),
        "attemptsMade": of(lambda: job.attempts_made),
        "attemptsStarted": of(lambda: job.attempts_started),
        "stalledCount": of(lambda: job.stalled_count),
        "progress": raw(job, b"progress"),
        "returnvalue": raw(job, b"returnvalue"),
        "failedReason": job.failed_reason,
        "stacktrace": of(lambda: job.stacktrace),
        "processedBy": job.processed_by,
        "schedulerId": job.scheduler_id,
        "deduplicationId": job.deduplication_id,
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def ago(at: datetime | None) -> str:
    """Say a time as how long ago it was, by our clock."""
    return "-" if at is None else f"{span((datetime.now(UTC) - at).total_seconds() * 1000)} ago"


def short(value: Json) -> str:
    """A value as JSON in one line; a text as it is."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def columns_of(state: JobState) -> dict[str, Callable[[Job], str]]:
    """The columns of a table of jobs of one state; the last one is the widest."""
    first: dict[str, Callable[[Job], str]] = {"ID": lambda job: job.id, "NAME": lambda job: job.name}
    added = {"ADDED": lambda job: ago(of(lambda: job.timestamp))}
    made = {"ATTEMPTS": lambda job: str(of(lambda: job.attempts_made) or 0)}
    data = {"DATA": lambda job: short(raw(job, b"data"))}
    ended = {"ENDED": lambda job: ago(of(lambda: job.finished_on)), "RAN": _ran}
    match state:
        case JobState.ACTIVE:
            begun = {"BEGUN": lambda job: ago(of(lambda: job.processed_on))}
            return first | begun | {"WORKER": lambda job: job.processed_by or "-"} | data
        case JobState.COMPLETED:
            return first | ended | {"RESULT": lambda job: short(raw(job, b"returnvalue"))}
        case JobState.FAILED:
            return first | ended | made | {"ERROR": lambda job: job.failed_reason or "-"}
        case JobState.DELAYED:
            return first | added | {"DELAY": _delay} | made | data
        case JobState.PRIORITIZED:
            return first | added | {"PRIORITY": lambda job: str(of(lambda: job.priority) or 0)} | data
        case _:
            return first | added | data


NUMBERS = ("ATTEMPTS", "PRIORITY", "RAN", "DELAY")
"""Columns that are set to the right."""


def _ran(job: Job) -> str:
    begun, ended = of(lambda: job.processed_on), of(lambda: job.finished_on)
    return "-" if begun is None or ended is None else span((ended - begun).total_seconds() * 1000)


def _delay(job: Job) -> str:
    delay = of(lambda: job.delay)
    return "-" if delay is None else span(delay * 1000)


def lines_of(job: Job, state: JobState, logs: list[str]) -> list[str]:
    """A job in lines, what matters first: its times, its data, how it ended, its stack trace, its log."""
    found = as_dict(job, state)
    lines = [f"{'id':16}{job.id}", f"{'name':16}{job.name}", f"{'state':16}{state}"]
    for field in ("timestamp", "processedOn", "finishedOn"):
        if found[field]:
            lines.append(f"{field:16}{found[field]}")
    for field in (
        "processedBy", "attemptsMade", "attemptsStarted", "stalledCount", "priority", "delay", "schedulerId",
        "deduplicationId", "progress", "failedReason", "returnvalue",
    ):  # fmt: skip
        if found[field] not in (None, 0):
            lines.append(f"{field:16}{short(found[field])}")
    lines += ["data", *_indented(json.dumps(found["data"], indent=2)), "opts"]
    lines += _indented(json.dumps(found["opts"], indent=2))
    if found["stacktrace"]:
        lines += ["stack trace of the last failure", *_indented(found["stacktrace"][-1])]
    return [*lines, *(["log", *(f"  {line}" for line in logs)] if logs else [])]


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]
