"""Chooses the declared job for a job's name."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from .definition import JobDefinition
from .outcome import PARKED, Snooze
from .record import Job
from .worker.routes import Route

logger = logging.getLogger("toril")


class Dispatch:
    """The declared jobs of one queue, as a worker's router."""

    def __init__(self, queue: str, definitions: Sequence[JobDefinition[..., Any]]) -> None:
        self._queue = queue
        self._routes = {
            each.name: Route(each.call, in_thread=not each.is_async, address=each.address)
            for each in definitions
            if each.queue == queue
        }
        self.names: tuple[str, ...] | None = tuple(sorted(self._routes))

    def route(self, job: Job) -> Route:
        """Return what runs a job.

        Raises:
            Snooze: no job is declared under its name; it is neither completed nor failed.
        """
        found = self._routes.get(job.name)
        if found is None:
            logger.warning(
                "queue %s: no job is declared as %r; job %s is parked", self._queue, job.name, job.id
            )
            raise Snooze(PARKED, f"no job is declared as {job.name!r}")
        return found
