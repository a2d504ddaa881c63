"""Cancelling jobs, wherever they are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from ..errors import InvalidOption
from ..failure import readable
from ..job import Cancellation
from ..storage.jobs import SCHEDULED
from .base import QueueBase

CHUNK = 200
"""How many calls are under way at once."""
REASON_LIMIT = 1000
"""Characters of a reason at the most."""


class Cancelling(QueueBase):
    """The verbs that cancel jobs."""

    async def cancel(self, job_id: str, reason: str = "") -> Cancellation:
        """Let a job fail as cancelled: now if it waits, by its worker if it runs.

        An `async` handler is cancelled, a process is killed, a thread may look at `job.cancelled`. A
        handler that returns all the same completes its job. A worker of Node does not hear of it: the
        mark stays, and counts when a toril worker is to run the job again.

        Raises:
            JobNotFound: there is no such job.
            JobNotInState: it has ended, or it is the next job of a scheduler.
            InvalidOption: the reason is no text, or longer than 1,000 characters.
        """
        code = await self._store.cancel(job_id, _checked(reason))
        state = "waiting or running" if code != SCHEDULED else "free: it is the next one of its scheduler"
        self._check(code, job_id, state)
        return Cancellation.ASKED if code else Cancellation.FAILED

    async def cancel_many(self, job_ids: Iterable[str], reason: str = "") -> dict[str, Cancellation]:
        """Cancel jobs, and return what was done with each; those that `cancel` refuses are left out.

        Raises:
            InvalidOption: the reason is no text, or longer than 1,000 characters.
        """
        text = _checked(reason)
        ids = list(dict.fromkeys(job_ids))
        done: dict[str, Cancellation] = {}
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            codes = await asyncio.gather(*(self._store.cancel(job_id, text) for job_id in chunk))
            for job_id, code in zip(chunk, codes, strict=True):
                if code >= 0:
                    done[job_id] = Cancellation.ASKED if code else Cancellation.FAILED
        return done


def _checked(reason: str) -> str:
    if not isinstance(reason, str) or len(reason) > REASON_LIMIT:
        raise InvalidOption(f"reason must be a text of at most {REASON_LIMIT} characters")
    return readable(reason)
