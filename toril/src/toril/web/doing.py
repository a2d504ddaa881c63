"""Doing it: a verb to jobs one by one, or to all jobs of a state a bounded time long."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..errors import InvalidOption, JobError
from ..job import JobState
from ..options import MAX_DELAY, MAX_PRIORITY
from ..queue import Queue
from .verbs import Verb

AT_ONCE = 100
"""How many calls are under way at once."""
SLICE = 150
"""How many jobs of a whole state one call moves."""
SECONDS = 1.5
"""How long one request goes on with a whole state."""
STATE_WIDE = frozenset({"retry", "promote", "remove"})
"""Verbs that the server does to a whole state; others are done to its first jobs by their ids."""


@dataclass(slots=True)
class Done:
    """What came of it: how many it was done to, and why not to others."""

    count: int = 0
    refused: list[str] = field(default_factory=list)

    def told(self, done: str) -> str:
        """In words."""
        text = f"{self.count:,} {'job' if self.count == 1 else 'jobs'} {done}."
        if self.refused:
            text += f" {len(self.refused):,} not: {self.refused[0]}"
        return text


def argument_of(verb: Verb, text: str) -> float | None:
    """What a verb needs to know, from what was typed. Raises InvalidOption."""
    if verb.argument is None:
        return None
    try:
        value = float(text)
    except ValueError:
        raise InvalidOption(f"{verb.label} needs a number, not {text!r}") from None
    most = MAX_PRIORITY if verb.argument == "priority" else MAX_DELAY
    if not 0 <= value <= most or (verb.argument == "priority" and value != int(value)):
        raise InvalidOption(f"a {verb.argument} is from 0 to {most:,.0f}, not {text}")
    return value


async def do(queue: Queue, verb: Verb, job_ids: Sequence[str], argument: float | None) -> Done:
    """Do a verb to jobs; each that refuses is told of, and stops no other."""
    done = Done()

    async def one(job_id: str) -> None:
        try:
            await _do_one(queue, verb, job_id, argument)
        except JobError as error:
            done.refused.append(str(error))
        else:
            done.count += 1

    for start in range(0, len(job_ids), AT_ONCE):
        await asyncio.gather(*(one(job_id) for job_id in job_ids[start : start + AT_ONCE]))
    return done


async def _do_one(queue: Queue, verb: Verb, job_id: str, argument: float | None) -> None:
    match verb.name:
        case "retry":
            await queue.retry(job_id)
        case "promote":
            await queue.promote(job_id)
        case "cancel":
            await queue.cancel(job_id, "from the dashboard")
        case "remove":
            await queue.remove(job_id)
        case "priority":
            await queue.change_priority(job_id, int(argument or 0))
        case "delay":
            await queue.change_delay(job_id, argument or 0.0)
        case _:
            raise InvalidOption(f"there is no {verb.name!r}")


async def do_to_state(queue: Queue, verb: Verb, state: JobState, most: int) -> tuple[int, bool]:
    """Do a verb to the first `most` jobs of a state for a while; returns to how many, and if more are."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + SECONDS
    total = 0
    while total < most:
        limit = min(SLICE, most - total)
        if verb.name == "retry":
            moved = await queue.retry_jobs(state, limit=limit)
        elif verb.name == "promote":
            moved = await queue.promote_jobs(limit=limit)
        else:
            moved = len(await queue.clean(state, limit=limit))
        total += moved
        if moved < limit:
            return total, False
        if loop.time() > ends:
            break
    return total, total < most
