"""What an application declares: its jobs and schedules; and the queues that they go to."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Unpack, cast

from .definition import JobDecorator, JobDefinition, Payload
from .errors import InvalidOption
from .flow import FlowProducer
from .hooks import Telemetry
from .job import JobKeywords, JobOptions, NewJob
from .options import whole
from .queue import Queue
from .sandbox import RunIn, address_of
from .schedule import When
from .storage.address import server_url
from .storage.schedulers import Declared, report


class Registry:
    """Declarations and queues; `Toril` adds the workers, and says what the arguments are."""

    def __init__(
        self, url: str | None, prefix: str, name: str, release: int, telemetry: Sequence[Telemetry]
    ) -> None:
        if not isinstance(name, str) or not name:
            raise InvalidOption("an app's name must be a non-empty text")
        self.name = name
        self.release = whole(release, "an app's release", 0, 2**53)
        self._url = url
        self.prefix = prefix
        self.telemetry = tuple(telemetry)
        self._definitions: dict[tuple[str, str], JobDefinition[..., Any]] = {}
        self._schedules: dict[str, tuple[When, str, NewJob]] = {}
        self._queues: dict[str, Queue] = {}
        self._make_queue: Callable[[str], Queue] = self._new_queue
        self._flows: FlowProducer | None = None

    @property
    def url(self) -> str:
        """The server's URL."""
        return server_url(self._url)

    @property
    def definitions(self) -> list[JobDefinition[..., Any]]:
        """All declared jobs."""
        return list(self._definitions.values())

    @property
    def schedules(self) -> dict[str, tuple[When, str, NewJob]]:
        """All declared schedules: id -> (when, queue, job)."""
        return dict(self._schedules)

    def job(
        self,
        queue: str,
        *,
        name: str | None = None,
        run_in: RunIn | None = None,
        **options: Unpack[JobKeywords],
    ) -> JobDecorator:
        """Declare a job: `@app.job("email", name="welcome", attempts=5)`.

        Args:
            queue: The queue's name.
            name: The job's name; the function's if None.
            run_in: `"process"` runs it in a process of its own: for CPU-bound work, and for what may
                crash. The handler must stand at the top of a module.
            options: What its jobs are added with.

        Raises:
            InvalidOption: an option or the signature is wrong, or the name is taken in this queue.
        """
        JobOptions.of(**options)

        def declare(handler: Callable[..., Any]) -> JobDefinition[..., Any]:
            label = name or handler.__name__
            if (queue, label) in self._definitions:
                raise InvalidOption(f"queue {queue!r} has a job {label!r} already")
            address_of(handler, run_in)
            definition: JobDefinition[..., Any] = JobDefinition(
                self, queue, label, handler, Payload(handler, label), options, run_in
            )
            self._definitions[queue, label] = definition
            return definition

        return cast("JobDecorator", declare)

    def schedule(
        self, scheduler_id: str, when: When, definition: JobDefinition[..., Any], /, *args: Any, **kwargs: Any
    ) -> None:
        """Declare that a job runs again and again. Workers see to it when they start.

        Its options are those of the job: `app.schedule("nightly", when, purge.options(attempts=3))`.

        Raises:
            InvalidOption: the id is taken or empty.
            InvalidPayload: the arguments do not fit the job.
        """
        if not scheduler_id or scheduler_id in self._schedules:
            raise InvalidOption(f"scheduler id {scheduler_id!r} is empty or taken")
        self._schedules[scheduler_id] = (when, definition.queue, definition.new_job(*args, **kwargs))

    def queue(self, name: str) -> Queue:
        """Return the queue of this name, one object for all callers."""
        if name not in self._queues:
            self._queues[name] = self._make_queue(name)
        return self._queues[name]

    def _new_queue(self, name: str) -> Queue:
        return Queue(name, self.url, prefix=self.prefix, telemetry=self.telemetry)

    @property
    def flows(self) -> FlowProducer:
        """Adds flows: `await app.flows.add(FlowJob.of(ship.queue, ship.new_job(order=7), [...]))`."""
        if self._flows is None:
            self._flows = FlowProducer(self.url, prefix=self.prefix, telemetry=self.telemetry)
        return self._flows

    async def apply_schedules(self, queues: Sequence[str] | None = None) -> int:
        """Put the declared schedules on the server, and take away those that this app declares no more.

        Each queue's are put in place in one step. Workers do this when they start.

        Args:
            queues: The queues' names; all in which something is declared if None.

        Returns:
            How many were new or changed.

        Raises:
            InvalidPayload: the arguments of a job cannot be written as JSON.
        """
        if queues is None:
            queues = sorted({each.queue for each in self.definitions})
        changed = 0
        for name in queues:
            declared = [
                Declared(scheduler_id, when, job)
                for scheduler_id, (when, queue, job) in self._schedules.items()
                if queue == name
            ]
            applied = await self.queue(name).schedulers.apply(self.name, self.release, declared)
            report(name, applied)
            changed += applied.changed
        return changed

    @contextlib.contextmanager
    def redirected(
        self,
        url: str | None = None,
        *,
        prefix: str | None = None,
        queue: Callable[[str], Queue] | None = None,
        flows: FlowProducer | None = None,
    ) -> Iterator[None]:
        """Use another server, prefix or kind of queue while the block runs; see `toril.testing`.

        Queues that were made before are not used meanwhile, and not closed.

        Args:
            url, prefix: As of `Toril`; None leaves them as they are.
            queue: Makes the queues that `queue` returns.
            flows: What `flows` returns.
        """
        kept = (self._url, self.prefix, self._make_queue, self._queues, self._flows)
        self._url, self.prefix = url or self._url, prefix or self.prefix
        self._make_queue, self._queues, self._flows = queue or self._make_queue, {}, flows
        try:
            yield
        finally:
            self._url, self.prefix, self._make_queue, self._queues, self._flows = kept

    async def close(self) -> None:
        """Close all queues of this application."""
        for queue in self._queues.values():
            await queue.close()
        self._queues.clear()
        if self._flows is not None:
            await self._flows.close()
            self._flows = None
