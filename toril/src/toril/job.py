"""The values around a job: its states, its options, and what is asked for when one is added."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypedDict, Unpack

import msgspec

from .errors import InvalidOption
from .family import JobRef, OnFailure
from .options import MAX_PRIORITY, Backoff, Deduplication, Keep, seconds, valid_text, whole

Json = Any
"""Whatever JSON can say: None, bool, int, float, str, list of these, dict of str to these."""


class JobState(StrEnum):
    """Where a job is. Jobs move only inside scripts on the server; see docs/lifecycle.md."""

    WAITING = "waiting"
    PRIORITIZED = "prioritized"
    DELAYED = "delayed"
    ACTIVE = "active"
    WAITING_CHILDREN = "waiting-children"
    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Cancellation(StrEnum):
    """What `cancel` has done."""

    FAILED = "failed"
    """The job waited; it has failed now."""
    ASKED = "asked"
    """A worker runs the job; it was told, and the job fails when its handler has stopped."""


class JobKeywords(TypedDict, total=False):
    """The keyword options of `Queue.add`, `NewJob` and `JobDefinition.options`."""

    delay: float | timedelta
    priority: int
    attempts: int
    backoff: Backoff | float | None
    job_id: str | None
    lifo: bool
    deduplication: Deduplication | None
    timeout: float | timedelta | None
    keep_completed: Keep | bool | None
    keep_failed: Keep | bool | None
    parent: JobRef | None
    on_failure: OnFailure | str | None
    keep_logs: int | None
    deadline: float | timedelta | datetime | None
    size_limit: int | None
    keep_traces: int | None
    trace_context: str | None
    omit_context: bool


@dataclass(frozen=True, slots=True)
class JobOptions:
    """Checked options of one job.

    Attributes:
        delay: Seconds until the job may run, by the server's clock.
        priority: 0 (none, first of all) or 1 (highest) to 2,097,151 (lowest).
        attempts: How many runs may fail before the job is failed, 1 or more.
        backoff: Wait between attempts; a plain number means fixed seconds.
        job_id: The job's own id instead of a counted one; a second add of it is the same job.
        lifo: Put it before the waiting jobs instead of behind them.
        timeout: Seconds that one run may take (toril's own: Node workers do not look at it).
        keep_completed, keep_failed: Retention; None and True keep all, False keeps none.
        parent: The job that waits for this one (`job.ref`), perhaps of another queue.
        on_failure: What this job's failure does to its parent; see `OnFailure`.
        deadline: Seconds after it was added, or an aware datetime, after which it does not begin, and
            at which a run is cut; it fails then (toril's own, as `timeout`).
        size_limit: Bytes that the data may have as JSON; more is refused when it is added.
        keep_traces: How many stack traces of failed runs are kept, the newest; ten if None.
        keep_logs: How many log lines are kept, the newest; None keeps all.
        trace_context: What the spans of its runs follow, as BullMQ carries it: a JSON object of texts,
            `{"traceparent": …}`. Telemetry puts it in where there is none.
        omit_context: Whether telemetry puts no context in.
    """

    delay: float = 0.0
    priority: int = 0
    attempts: int = 1
    backoff: Backoff | None = None
    job_id: str | None = None
    lifo: bool = False
    deduplication: Deduplication | None = None
    timeout: float | None = None
    keep_completed: Keep | None = None
    keep_failed: Keep | None = None
    parent: JobRef | None = None
    on_failure: OnFailure | None = None
    keep_logs: int | None = None
    deadline: float | datetime | None = None
    size_limit: int | None = None
    keep_traces: int | None = None
    trace_context: str | None = None
    omit_context: bool = False

    @classmethod
    def of(cls, **options: Unpack[JobKeywords]) -> JobOptions:
        """Check options and return them; the same object for the same options, as far as it can be.

        Raises:
            InvalidOption: one of them is wrong; the message names it.
        """
        if "job_id" not in options and "trace_context" not in options:
            try:
                return _check_once(**options)
            except TypeError:
                pass  # not to be hashed, or not known: the check itself tells
        return _check(**options)


def _keep(value: Keep | bool | None) -> Keep | None:
    if isinstance(value, bool):
        return Keep() if value else Keep(count=0)
    return value


def _parent(value: JobRef | None) -> JobRef | None:
    if value is not None and not isinstance(value, JobRef):
        raise InvalidOption(f"parent must be a JobRef (a job's `ref`), not {type(value).__name__}")
    return value


def _on_failure(value: OnFailure | str | None) -> OnFailure | None:
    if value is None:
        return None
    try:
        return OnFailure(value)
    except ValueError:
        known = ", ".join(f"OnFailure.{each.name}" for each in OnFailure)
        raise InvalidOption(f"on_failure must be one of {known}, not {value!r}") from None


def _deadline(value: float | timedelta | datetime | None) -> float | datetime | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidOption("deadline must be an aware datetime, with its time zone")
        return value.astimezone(UTC)
    checked = seconds(value, "deadline")
    if checked == 0:
        raise InvalidOption("deadline must be more than 0 seconds")
    return checked


def _trace_context(value: str | None) -> str | None:
    if value is None:
        return None
    valid_text(value, "trace_context")
    try:
        fields = msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        fields = None
    if not isinstance(fields, dict) or not all(isinstance(field, str) for field in fields.values()):
        raise InvalidOption(f"trace_context must be a JSON object of texts, not {value[:100]!r}")
    return value


def check_id(job_id: str) -> None:
    """Check a job's own id. Raises InvalidOption."""
    valid_text(job_id, "job_id")
    if len(job_id) > 512:
        raise InvalidOption("job_id must have at most 512 characters")
    if job_id.isdigit():
        raise InvalidOption(f"job_id must not be a whole number ({job_id}): counted ids are")
    if ":" in job_id and len(job_id.split(":")) != 3:
        raise InvalidOption(f"job_id must not contain ':' ({job_id})")


def _check(
    *,
    delay: float | timedelta = 0.0,
    priority: int = 0,
    attempts: int = 1,
    backoff: Backoff | float | None = None,
    job_id: str | None = None,
    lifo: bool = False,
    deduplication: Deduplication | None = None,
    timeout: float | timedelta | None = None,
    keep_completed: Keep | bool | None = None,
    keep_failed: Keep | bool | None = None,
    parent: JobRef | None = None,
    on_failure: OnFailure | str | None = None,
    keep_logs: int | None = None,
    deadline: float | timedelta | datetime | None = None,
    size_limit: int | None = None,
    keep_traces: int | None = None,
    trace_context: str | None = None,
    omit_context: bool = False,
) -> JobOptions:
    if job_id is not None:
        check_id(job_id)
    if backoff is not None and not isinstance(backoff, Backoff):
        backoff = Backoff.fixed(backoff)
    limit = None if timeout is None else seconds(timeout, "timeout")
    if limit == 0:
        raise InvalidOption("timeout must be more than 0 seconds")
    return JobOptions(
        delay=seconds(delay, "delay"),
        priority=whole(priority, "priority", 0, MAX_PRIORITY),
        attempts=whole(attempts, "attempts", 1, 2**31),
        backoff=backoff,
        job_id=job_id,
        lifo=lifo,
        deduplication=deduplication,
        timeout=limit,
        keep_completed=_keep(keep_completed),
        keep_failed=_keep(keep_failed),
        parent=_parent(parent),
        on_failure=_on_failure(on_failure),
        keep_logs=None if keep_logs is None else whole(keep_logs, "keep_logs", 1, 2**31),
        deadline=_deadline(deadline),
        size_limit=None if size_limit is None else whole(size_limit, "size_limit", 1, 2**53),
        keep_traces=None if keep_traces is None else whole(keep_traces, "keep_traces", 0, 1000),
        trace_context=_trace_context(trace_context),
        omit_context=bool(omit_context),
    )


_check_once = lru_cache(maxsize=1024, typed=True)(_check)


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job that is about to be added: `NewJob("welcome", {...}, priority=1)`.

    Raises:
        InvalidOption: the name is empty or an option is wrong.
    """

    name: str
    data: Json
    options: JobOptions = field(default_factory=JobOptions)

    def __init__(self, name: str, data: Json = None, **options: Unpack[JobKeywords]) -> None:
        valid_text(name, "a job's name")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "options", JobOptions.of(**options))

    @classmethod
    def with_options(cls, name: str, data: Json, options: JobOptions) -> NewJob:
        """Make one from options that are already checked."""
        made = cls(name, data)
        object.__setattr__(made, "options", options)
        return made
