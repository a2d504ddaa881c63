"""A job's options as a dead letter keeps them, and the job that replays it.

Left out are those that would let a replay vanish or block: the id (it has its own), the delay (it runs
now, or as paced), the deduplication (an earlier job could swallow it), the parent (it may be gone, or done)
and a deadline at a fixed moment (it has passed).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import toril
from insightdesk.kit.redaction import mask

__all__ = ["REPLAY_PREFIX", "packed", "replay_job", "replayed_letter"]

REPLAY_PREFIX = "replay-"


def packed(options: toril.JobOptions) -> dict[str, Any]:
    """Options as plain JSON.

    Raises:
        toril.InvalidOption: another client wrote what no job can be added with.
    """
    kept: dict[str, Any] = {
        "priority": options.priority,
        "attempts": options.attempts,
        "lifo": options.lifo,
        "timeout": options.timeout,
        "deadline": options.deadline if isinstance(options.deadline, float) else None,
        "size_limit": options.size_limit,
        "keep_logs": options.keep_logs,
        "keep_traces": options.keep_traces,
    }
    for name in ("backoff", "keep_completed", "keep_failed"):
        value = getattr(options, name)
        kept[name] = None if value is None else asdict(value)
    if options.backoff is not None:
        kept["backoff"]["type"] = mask(options.backoff.type)
    kept = {name: value for name, value in kept.items() if value is not None}
    replay_job("", "check", None, kept, 0.0)
    return kept


def replay_job(
    letter_id: str, name: str, data: toril.Json, options: dict[str, Any], delay: float
) -> toril.NewJob:
    """The job that replays a letter, `delay` seconds from now. Its id makes it one, however often added."""
    kept = dict(options)
    if "backoff" in kept:
        kept["backoff"] = toril.Backoff(**kept["backoff"])
    for keep in ("keep_completed", "keep_failed"):
        if keep in kept:
            kept[keep] = toril.Keep(**kept[keep])
    return toril.NewJob(name, data, **kept, delay=delay, job_id=f"{REPLAY_PREFIX}{letter_id}")


def replayed_letter(job_id: str) -> str | None:
    """The letter whose replay this job is."""
    return job_id.removeprefix(REPLAY_PREFIX) if job_id.startswith(REPLAY_PREFIX) else None
