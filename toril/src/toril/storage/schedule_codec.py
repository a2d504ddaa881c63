"""A job scheduler's hash and its jobs' options, as BullMQ has them <-> our values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ..codec import decode_json, decode_options, encode_json, encode_options
from ..errors import InvalidOption, InvalidPayload
from ..job import JobOptions, Json, NewJob
from ..schedule import Cron, Every, Missed, Scheduler, When, to_ms
from .jobs import Fields

_WHOLE = ["0", "*", "*", "*", "*", "*"]


class Template(NamedTuple):
    """What the jobs of a scheduler are made with."""

    opts: str
    priority: int
    lifo: bool


def encode_scheduler(
    scheduler_id: str, when: When, job: NewJob, owner: str, first: list[int]
) -> dict[str, Json]:
    """Write a scheduler as include/scheduler.lua reads it; `owner` is '' for one made by hand.

    Raises:
        InvalidPayload: the job's data cannot be written as JSON.
    """
    options = replace(job.options, delay=0.0, job_id=None, deduplication=None)
    template = encode_options(options)
    definition = {"name": job.name, "opts": template}
    body = encode_json(job.data, f"data of scheduler {scheduler_id!r}")
    if body != "{}":
        definition["data"] = body
    for field, value in _repeat(when).items():
        definition[field] = str(value)
    return {
        "id": scheduler_id,
        "definition": definition,
        "own": _encode_own(owner, when.missed),
        "catch_up": when.missed.kind == "all",
        "first": first,
        "opts": job_options(template, {**_repeat(when), "count": 1}),
        "priority": options.priority,
        "lifo": options.lifo,
    }


def _repeat(when: When) -> dict[str, Json]:
    wire: dict[str, Json] = {}
    if isinstance(when, Cron):
        wire |= {"pattern": when.pattern, "tz": when.tz}
    else:
        wire["every"] = when.every_ms
        if when.offset_ms:
            wire["offset"] = when.offset_ms
    if when.limit is not None:
        wire["limit"] = when.limit
    if when.start is not None:
        wire["startDate"] = to_ms(when.start)
    if when.end is not None:
        wire["endDate"] = to_ms(when.end)
    return wire


def _encode_own(owner: str, missed: Missed) -> str:
    own: dict[str, Json] = {"owner": owner} if owner else {}
    if missed.kind == "skip":
        own["missed"] = {"type": "skip", "after": round(missed.after * 1000)}
    elif missed.kind == "all":
        own["missed"] = {"type": "all", "limit": missed.limit}
    return encode_json(own, "the schedule") if own else ""


def job_options(template: str, repeat: dict[str, Json]) -> str:
    """Write the options of a scheduler's job. A Node worker reads `repeat` to make the next one."""
    return encode_json({**_object(template.encode()), "repeat": repeat}, "the scheduler's options")


def decode_scheduler(scheduler_id: str, raw: Fields, due: bytes) -> Scheduler:
    """Read a scheduler that any BullMQ client has written."""
    own = _object(raw.get(b"toril", b""))
    template = raw.get(b"opts", b"")
    try:
        options = decode_options(template) if template else JobOptions()
        data = decode_json(raw.get(b"data", b"{}"), "the scheduler's data")
    except InvalidPayload:
        options, data = JobOptions(), None
    return Scheduler(
        scheduler_id,
        raw.get(b"name", b"").decode("utf-8", "replace"),
        _when(raw, own),
        datetime.fromtimestamp(float(due) / 1000, UTC),
        _number(raw, b"ic") or 0,
        data,
        options,
        own.get("owner"),
    )


def _when(raw: Fields, own: dict[str, Any]) -> When | None:
    try:
        missed = _missed(own.get("missed"))
        limit, start, end = _number(raw, b"limit"), _time(raw, b"startDate"), _time(raw, b"endDate")
        if b"pattern" in raw:
            pattern = raw[b"pattern"].decode()
            atoms = pattern.split()
            # BullMQ fills the fields that are missing from the left.
            if not pattern.startswith("@") and len(atoms) < 5:
                pattern = " ".join(_WHOLE[: 6 - len(atoms)] + atoms)
            tz = raw.get(b"tz", b"UTC").decode()
            return Cron(pattern, tz, limit=limit, start=start, end=end, missed=missed)
        every = _number(raw, b"every")
        if every is None:
            return None
        offset = (_number(raw, b"offset") or 0) % every if start is None else 0
        return Every(
            every / 1000, offset / 1000 if offset else None, limit=limit, start=start, end=end, missed=missed
        )
    except (InvalidOption, ValueError, OverflowError, ZeroDivisionError):
        return None


def _missed(wire: dict[str, Any] | None) -> Missed:
    if wire is None:
        return Missed.once()
    return Missed.skip(wire["after"] / 1000) if wire["type"] == "skip" else Missed.all(wire["limit"])


def _number(raw: Fields, field: bytes) -> int | None:
    return int(float(raw[field])) if field in raw else None


def _time(raw: Fields, field: bytes) -> datetime | None:
    ms = _number(raw, field)
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)


def decode_template(raw: Fields) -> Template:
    """Read what the jobs of a scheduler are made with."""
    opts = raw.get(b"opts", b"") or b"{}"
    options = decode_options(opts)
    return Template(opts.decode(), options.priority, options.lifo)


def decode_repeat(opts: bytes, when: When) -> dict[str, Json]:
    """Read `repeat` of a scheduler's job; made anew when it cannot be read."""
    repeat = _object(opts).get("repeat")
    return repeat if isinstance(repeat, dict) else _repeat(when)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = decode_json(raw or b"{}", "the scheduler's options")
    except InvalidPayload:
        return {}
    return value if isinstance(value, dict) else {}
