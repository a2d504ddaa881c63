"""Which jobs a test looks for, and what it says when they are not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec

from ..codec import encode_json
from ..definition import JobDefinition
from ..errors import InvalidOption, TorilError
from ..job import Json
from ..options import seconds
from ..record import Job

_SHOWN = 20

Named = JobDefinition[..., Any] | str
"""A declared job, or a job's name."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a job must be like; None stands for anything.

    Attributes:
        payload: What its payload must contain, as the wire has it.
        delay: Seconds, give or take `tolerance`.
    """

    name: str | None = None
    queue: str | None = None
    payload: Mapping[str, Json] | None = None
    delay: float | None = None
    tolerance: float = 1.0
    priority: int | None = None

    @classmethod
    def of(
        cls,
        job: Named | None,
        queue: str | None,
        delay: float | timedelta | None,
        tolerance: float,
        priority: int | None,
        payload: Mapping[str, object],
    ) -> Wanted:
        """Make one from what a test says.

        Raises:
            InvalidOption: the declared job has no such parameter.
        """
        wire: dict[str, Json] = {}
        if isinstance(job, JobDefinition):
            names = job.payload.wire_names
            for key in payload:
                if key not in names:
                    raise InvalidOption(
                        f"job {job.name!r} has no parameter {key!r}; it has: {', '.join(names) or 'none'}"
                    )
            wire = {names[key]: msgspec.to_builtins(value) for key, value in payload.items()}
            queue = queue or job.queue
            job = job.name
        else:
            wire = {key: msgspec.to_builtins(value) for key, value in payload.items()}
        limit = None if delay is None else seconds(delay, "delay")
        return cls(job, queue, wire or None, limit, tolerance, priority)

    def against(self, job: Job) -> str | None:
        """Why the job is not what is wanted; None if it is."""
        if self.queue is not None and job.queue != self.queue:
            return f"queue is {job.queue!r}"
        if self.name is not None and job.name != self.name:
            return f"name is {job.name!r}"
        try:
            data, options = job.data, job.options
        except TorilError as error:
            return str(error)
        if self.payload is not None and (why := _difference(data, dict(self.payload), "")):
            return why
        if self.delay is not None and abs(options.delay - self.delay) > self.tolerance:
            return f"delay is {options.delay:g}"
        if self.priority is not None and job.priority != self.priority:
            return f"priority is {job.priority}"
        return None

    def __str__(self) -> str:
        parts = [repr(self.name) if self.name else "any job"]
        if self.queue:
            parts.append(f"in queue {self.queue!r}")
        if self.payload:
            parts.append(f"with {_text(dict(self.payload))}")
        if self.delay is not None:
            parts.append(f"delayed by {self.delay:g} s (± {self.tolerance:g})")
        if self.priority is not None:
            parts.append(f"of priority {self.priority}")
        return " ".join(parts)


def _difference(actual: Json, wanted: Json, where: str) -> str | None:
    """Where a payload does not contain what is wanted; objects may have more keys, lists may not."""
    if isinstance(wanted, dict) and isinstance(actual, dict):
        for key, value in wanted.items():
            path = f"{where}.{key}" if where else key
            if key not in actual:
                return f"{path} is missing"
            if why := _difference(actual[key], value, path):
                return why
        return None
    if isinstance(wanted, list) and isinstance(actual, list) and len(wanted) == len(actual):
        found = (
            _difference(a, w, f"{where}[{i}]") for i, (a, w) in enumerate(zip(actual, wanted, strict=True))
        )
        return next((why for why in found if why), None)
    same_kind = isinstance(actual, bool) == isinstance(wanted, bool)
    return None if actual == wanted and same_kind else f"{where or 'the payload'} is {_text(actual)}"


def _text(value: Json) -> str:
    text = encode_json(value, "what is shown")
    return text if len(text) <= 200 else f"{text[:199]}…"


def show(jobs: Sequence[Job], wanted: Wanted | None = None) -> str:
    """List jobs for a failed assertion, with what keeps each from being the wanted one."""
    if not jobs:
        return "  nothing is enqueued"
    lines = []
    for job in jobs[:_SHOWN]:
        try:
            body = _text(job.data)
            delay = f", delayed by {job.options.delay:g} s" if job.options.delay else ""
        except TorilError as error:
            body, delay = str(error), ""
        priority = f", priority {job.priority}" if job.priority else ""
        why = wanted.against(job) if wanted is not None else None
        lines.append(
            f"  {job.queue}: {job.name!r} (id {job.id}) {body}{delay}{priority}{f'  <- {why}' if why else ''}"
        )
    if len(jobs) > _SHOWN:
        lines.append(f"  … and {len(jobs) - _SHOWN} more")
    return "\n".join(lines)
