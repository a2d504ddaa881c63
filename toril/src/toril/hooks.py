"""Telemetry: the hooks by which others follow jobs, from those who add them to their ends.

`toril.telemetry` has those for OpenTelemetry, Prometheus, structlog and Sentry.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from .job import Json, NewJob
from .record import Job

logger = logging.getLogger("toril")


class Ending(StrEnum):
    """What has become of a job after a run."""

    COMPLETED = "completed"
    FAILED = "failed"
    """For good."""
    RETRIED = "retried"
    """The run has failed, and the job runs again."""
    SNOOZED = "snoozed"
    LIMITED = "rate-limited"
    WAITING_CHILDREN = "waiting-children"


@dataclass(frozen=True, slots=True)
class Sending:
    """Jobs on their way to the server.

    Attributes:
        jobs: What is added, in place of what was given.
        added: Gets what they have become, in the same order.
    """

    jobs: Sequence[NewJob]
    added: Callable[[Sequence[Job]], None]


class Named(Protocol):
    """A queue."""

    @property
    def name(self) -> str: ...


class WorkerView(Protocol):
    """A worker, to those who only look; `Worker` says what each number is."""

    @property
    def queue(self) -> Named: ...
    @property
    def concurrency(self) -> int: ...
    @property
    def running(self) -> int: ...
    @property
    def is_running(self) -> bool: ...
    @property
    def last_success(self) -> float | None: ...
    @property
    def handed_back(self) -> int: ...
    @property
    def recovered(self) -> int: ...
    @property
    def lost_locks(self) -> int: ...
    @property
    def reconnects(self) -> int: ...


class Telemetry:
    """Follows jobs. Override what you need: what is not overridden costs nothing.

    One object may serve many queues, workers and flows at once.
    """

    @contextlib.contextmanager
    def sending(self, queue: str, jobs: Sequence[NewJob]) -> Iterator[Sending]:
        """Around one call that adds jobs, of which there is at least one.

        Args:
            queue: The queue's name; of a flow, that of its first root.
            jobs: What is to be added.
        """
        yield Sending(jobs, lambda made: None)

    def working(self, worker: WorkerView) -> None:
        """A worker begins, in the event loop in which this is called."""

    async def running(self, job: Job, run: Callable[[], Awaitable[Json]]) -> Json:
        """Around each run that reaches its handler, as a middleware."""
        return await run()

    def ended(self, job: Job, ending: Ending, error: BaseException | None) -> None:
        """After each run, before it is settled; also where the handler was never called.

        Args:
            job: As it was when the run began: this run is not among its `attempts_made`.
            ending: What becomes of the job.
            error: What the run has ended with; None if it has completed.
        """

    async def exposition(self) -> str | None:
        """What this process tells Prometheus, in its text format; None if nothing."""
        return None


def overriding(telemetry: Sequence[Telemetry], hook: str) -> tuple[Telemetry, ...]:
    """Those that have this hook of their own."""
    return tuple(each for each in telemetry if getattr(type(each), hook) is not getattr(Telemetry, hook))


@contextlib.contextmanager
def sending(telemetry: Sequence[Telemetry], queue: str, jobs: Sequence[NewJob]) -> Iterator[Sending]:
    """Let all of them follow one call that adds jobs, the first one outermost."""
    with contextlib.ExitStack() as stack:
        followed: list[Sending] = []
        for each in telemetry if jobs else ():
            followed.append(stack.enter_context(each.sending(queue, jobs)))
            jobs = followed[-1].jobs

        def added(made: Sequence[Job]) -> None:
            for one in followed:
                one.added(made)

        yield Sending(jobs, added)


def tell(telemetry: Sequence[Telemetry], job: Job, ending: Ending, error: BaseException | None) -> None:
    """Tell all of them of a run's end. One that raises is told in the log, and harms no job."""
    for each in telemetry:
        try:
            each.ended(job, ending, error)
        except Exception:
            logger.exception("job %s: %s cannot take note of its end", job.id, type(each).__name__)


async def exposition(telemetry: Sequence[Telemetry]) -> str | None:
    """What all of them tell Prometheus; None if nothing."""
    texts: list[str] = []
    for each in telemetry:
        try:
            text = await each.exposition()
        except Exception:
            logger.exception("%s cannot tell its metrics", type(each).__name__)
            continue
        if text is not None:
            texts.append(text)
    return "".join(texts) if texts else None
