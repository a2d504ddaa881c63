"""BullMQ's hash fields and option JSON <-> our values."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from .errors import InvalidOption, InvalidPayload
from .family import OnFailure
from .job import JobOptions, Json, NewJob
from .options import MAX_PRIORITY, Backoff, Deduplication, Keep


class AddShape(NamedTuple):
    """What jobs of one kind have in common when they are added; in the order that add_jobs.lua reads."""

    name: str
    options: str  # as JSON
    delay_ms: int
    priority: int
    lifo: bool
    key: str  # of deduplication, or empty
    ttl_ms: int
    flags: str


class AddArguments(NamedTuple):
    """One job to be added. Texts throughout: the server's MessagePack has no binary type."""

    job_id: str  # its own, or empty
    data: str
    shape: AddShape


FlowArguments = tuple[str, str, str, str, str, int, int, bool, str, int, int, str, str]
"""One job as add_flow.lua reads it."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def encode_json(value: Json, what: str) -> str:
    """Write a value as JSON.

    Raises:
        InvalidPayload: it cannot be written as JSON; `what` names it.
    """
    try:
        raw = _encode(value)
        # The encoder writes NaN and the infinities as null.
        if b"null" in raw and not _is_finite(msgspec.to_builtins(value)):
            raise ValueError("NaN and infinities are no JSON")
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidPayload(f"{what} cannot be written as JSON: {error}") from None
    return raw.decode()


def _is_finite(value: Json) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(_is_finite, value))
    return True


def decode_json(raw: bytes, what: str) -> Json:
    """Read JSON.

    Raises:
        InvalidPayload: it is no JSON; `what` names it.
    """
    try:
        return _decode(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidPayload(f"{what} is not JSON: {error}") from None


def _ms(value: float) -> int:
    return round(value * 1000)


def _retention(keep: Keep) -> Json:
    if keep.count is None and keep.age is None:
        return False
    # Whole seconds on the wire; rounded up, so that a short age does not come to mean none.
    return {key: value for key, value in (("count", keep.count), ("age", _up(keep.age))) if value is not None}


def _up(age: float | None) -> int | None:
    return None if age is None else math.ceil(age)


def encode_options(options: JobOptions) -> str:
    """Write options as BullMQ stores them."""
    wire: dict[str, Any] = {"attempts": options.attempts}
    if options.delay:
        wire["delay"] = _ms(options.delay)
    if options.priority:
        wire["priority"] = options.priority
    if options.lifo:
        wire["lifo"] = True
    if options.job_id is not None:
        wire["jobId"] = options.job_id
    if options.backoff is not None:
        wire["backoff"] = {"type": options.backoff.type, "delay": _ms(options.backoff.delay)}
        if options.backoff.jitter:
            wire["backoff"]["jitter"] = options.backoff.jitter
    if options.keep_completed is not None:
        wire["removeOnComplete"] = _retention(options.keep_completed)
    if options.keep_failed is not None:
        wire["removeOnFail"] = _retention(options.keep_failed)
    if options.deduplication is not None:
        wire["de"] = _deduplication(options.deduplication)
    if options.on_failure is not None:
        wire[options.on_failure.value] = True
    if options.keep_logs is not None:
        wire["kl"] = options.keep_logs
    if options.timeout is not None:
        wire["timeout"] = _ms(options.timeout)
    if options.size_limit is not None:
        wire["sizeLimit"] = options.size_limit
    if options.keep_traces is not None:
        wire["stackTraceLimit"] = options.keep_traces
    if options.trace_context is not None:
        wire["tm"] = options.trace_context
    if options.omit_context:
        wire["omc"] = True
    if isinstance(options.deadline, datetime):
        wire["deadlineAt"] = round(options.deadline.timestamp() * 1000)
    elif options.deadline is not None:
        wire["deadline"] = _ms(options.deadline)
    return _encode(wire).decode()


_FLAGS = {"extend": "x", "replace": "r", "reschedule": "s", "keep_last_if_active": "k"}
"""The letters by which include/deduplicate.lua knows a deduplication's flags."""
_WIRE_FLAGS = {
    "extend": "extend",
    "replace": "replace",
    "reschedule": "reschedule",
    "keep_last_if_active": "keepLastIfActive",
}


def _deduplication(dedup: Deduplication) -> dict[str, Any]:
    wire: dict[str, Any] = {"id": dedup.key}
    if dedup.ttl is not None:
        wire["ttl"] = _ms(dedup.ttl)
    return wire | {key: True for name, key in _WIRE_FLAGS.items() if getattr(dedup, name)}


def _read_deduplication(wire: dict[str, Any] | None) -> Deduplication | None:
    if not wire:
        return None
    flags = {name: bool(wire.get(key)) for name, key in _WIRE_FLAGS.items()}
    ttl = _seconds(wire.get("ttl"))
    if ttl is None:
        flags["extend"] = False  # it means nothing then
    return Deduplication(wire["id"], ttl, **flags)


def _data(new: NewJob) -> str:
    text = encode_json(new.data, f"data of job {new.name!r}")
    limit = new.options.size_limit
    if limit is not None and (size := len(text.encode())) > limit:
        raise InvalidPayload(
            f"data of job {new.name!r} has {size} bytes, more than its size_limit of {limit}"
        )
    return text


def add_arguments(new: NewJob) -> AddArguments:
    """Write one job as it is added.

    Raises:
        InvalidPayload: its data cannot be written as JSON, or is larger than its size_limit.
    """
    return AddArguments(new.options.job_id or "", _data(new), _shape(new.name, new.options))


_shapes: dict[tuple[str, int], tuple[JobOptions, AddShape]] = {}
"""Of names and options that were written of late, the latter by identity: jobs of one kind share theirs."""


def _shape(name: str, options: JobOptions) -> AddShape:
    known = _shapes.get((name, id(options)))
    if known is not None and known[0] is options:
        return known[1]
    if len(_shapes) >= 1024:
        _shapes.clear()
    dedup = options.deduplication
    shape = AddShape(
        name,
        encode_options(options),
        _ms(options.delay),
        options.priority,
        options.lifo,
        dedup.key if dedup else "",
        _ms(dedup.ttl) if dedup and dedup.ttl is not None else 0,
        "".join(flag for name, flag in _FLAGS.items() if getattr(dedup, name)) if dedup else "",
    )
    _shapes[name, id(options)] = (options, shape)
    return shape


def addressed(arguments: AddArguments, job_id: str, data: str) -> AddArguments:
    """The same job under an id, and with data that is JSON already. One that has an id keeps it."""
    own, _, shape = arguments
    if not own:
        options = f'{shape.options[:-1]},"jobId":{encode_json(job_id, "job_id")}}}'
        shape = shape._replace(options=options)
    return AddArguments(own or job_id, data, shape)


def flow_arguments(base: str, new: NewJob, parent_place: int, has_children: bool) -> FlowArguments:
    """Write one job as add_flow.lua reads it; `base` is what its queue's keys begin with.

    Raises:
        InvalidPayload: its data cannot be written as JSON, or is larger than its size_limit.
    """
    options = new.options
    parent = options.parent
    return (
        base,
        options.job_id or "",
        new.name,
        _data(new),
        encode_options(options),
        _ms(options.delay),
        options.priority,
        options.lifo,
        options.on_failure.value if options.on_failure else "",
        int(has_children),
        parent_place,
        f"{parent.prefix}:{parent.queue}" if parent else "",
        parent.id if parent else "",
    )


def _keep(value: Json) -> Keep | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return Keep(count=0) if value else Keep()
    if isinstance(value, int):
        return Keep(count=value) if value >= 0 else Keep()
    count, age = value.get("count"), value.get("age")
    return Keep(count=None if count is None or count < 0 else int(count), age=age)


def _backoff(value: Json) -> Backoff | None:
    if not value:
        return None
    if isinstance(value, int | float):
        return Backoff.fixed(value / 1000)
    return Backoff(value["type"], (value.get("delay") or 0) / 1000, value.get("jitter") or 0.0)


@lru_cache(maxsize=1024)
def decode_options(raw: bytes) -> JobOptions:
    """Read options that any BullMQ client has written; unknown ones are left out.

    Raises:
        InvalidPayload: they are no JSON object, or of wrong types.
    """
    wire = decode_json(raw, "the job's options")
    try:
        return JobOptions(
            delay=(wire.get("delay") or 0) / 1000,
            priority=min(int(wire.get("priority") or 0), MAX_PRIORITY),
            attempts=max(int(wire.get("attempts") or 1), 1),
            backoff=_backoff(wire.get("backoff")),
            job_id=wire.get("jobId"),
            lifo=bool(wire.get("lifo")),
            deduplication=_read_deduplication(wire.get("de")),
            timeout=_seconds(wire.get("timeout")),
            keep_completed=_keep(wire.get("removeOnComplete")),
            keep_failed=_keep(wire.get("removeOnFail")),
            keep_logs=wire.get("kl"),
            deadline=_read_deadline(wire),
            size_limit=wire.get("sizeLimit"),
            keep_traces=wire.get("stackTraceLimit"),
            trace_context=_text(wire.get("tm")),
            omit_context=bool(wire.get("omc")),
            on_failure=next((policy for policy in OnFailure if wire.get(policy.value)), None),
        )
    except (AttributeError, KeyError, TypeError, ValueError, InvalidOption) as error:
        raise InvalidPayload(f"the job's options are malformed: {error}") from None


def _read_deadline(wire: dict[str, Any]) -> float | datetime | None:
    if at := wire.get("deadlineAt"):
        return datetime.fromtimestamp(at / 1000, UTC)
    return _seconds(wire.get("deadline"))


def _text(value: Json) -> str | None:
    # A context that is no text is no reason to fail the job: it follows none then.
    return value if isinstance(value, str) else None


def _seconds(ms: Json) -> float | None:
    return ms / 1000 if ms else None
