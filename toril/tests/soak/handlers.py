"""The handlers of all kinds of workers: an effect with a key, between two lines of the ledger."""

from __future__ import annotations

import asyncio
import random
import time
import uuid

import toril

from .ledgers import write


def _begin(job: toril.Job) -> tuple[str, str, float]:
    run = uuid.uuid4().hex[:12]
    write("start", job.id, run)
    does = job.data["does"] if isinstance(job.data, dict) else "ok"
    return run, does, random.choice((0.0, 0.02, 0.2, 0.8))


def _end(job: toril.Job, run: str, does: str) -> str:
    if does == "bad" or (does == "flaky" and job.attempts_made == 0):
        raise ValueError(f"told to be {does}")
    write("effect", job.id, run)
    return run


async def in_loop(job: toril.Job) -> str:
    run, does, length = _begin(job)
    await asyncio.sleep(length)
    return _end(job, run, does)


def blocking(job: toril.Job) -> str:
    """In a thread, or in a process of its own."""
    run, does, length = _begin(job)
    time.sleep(length)
    return _end(job, run, does)
