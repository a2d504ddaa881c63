"""Toril: declared jobs and schedules, and the workers that run them. A facade, no logic."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, Unpack, cast

from .definition import JobDecorator, JobDefinition, Payload
from .dispatch import Dispatch
from .errors import InvalidOption, UnknownJob
from .flow import FlowProducer
from .job import JobKeywords, JobOptions, NewJob
from .options import whole
from .queue import Queue
from .sandbox import RunIn, address_of
from .schedule import When
from .storage.address import server_url
from .storage.schedulers import Declared, report
from .worker import Worker
from .worker.outcomes import BackoffStrategy
from .worker.routes import Middleware


class Toril:
    """An application: its jobs, its schedules, its queues.

    Args:
        url: The server; by default the environment's TORIL_URL at the first use, else
            `valkey://127.0.0.1:6379/0`.
        prefix: What all keys begin with.
        backoffs: Strategies for `Backoff.custom(name)`.
        middleware: Called around each run of its workers, the first one outermost.
        name: Whose the declared schedules are. Two apps that declare schedules on one queue must have
            different names: each removes what it declared before and declares no more.
        release: A number that grows with each deploy. Once one has declared its schedules, an older
            one does so no more. When all are 0, the last to start is right.

    Raises:
        InvalidOption: the name is empty, or the release is no number of 0 or more.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        prefix: str = "bull",
        backoffs: Mapping[str, BackoffStrategy] | None = None,
        middleware: Sequence[Middleware] = (),
        name: str = "app",
        release: int = 0,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise InvalidOption("an app's name must be a non-empty text")
        self.name = name
        self.release = whole(release, "an app's release", 0, 2**53)
        self._url = url
        self.prefix = prefix
        self._backoffs = dict(backoffs or {})
        self._middleware = tuple(middleware)
        self._definitions: dict[tuple[str, str], JobDefinition[..., Any]] = {}
        self._schedules: dict[str, tuple[When, str, NewJob]] = {}
        self._queues: dict[str, Queue] = {}
        self._make_queue: Callable[[str], Queue] = self._new_queue
        self._flows: FlowProducer | None = None
        self._workers: list[Worker] = []
        self._stop_asked = False
        self._force_asked = False

    @property
    def url(self) -> str:
        """The server's URL."""
        return server_url(self._url)

    @property
    def workers(self) -> list[Worker]:
        """The workers that run now."""
        return list(self._workers)

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
        return Queue(name, self.url, prefix=self.prefix)

    @property
    def flows(self) -> FlowProducer:
        """Adds flows: `await app.flows.add(FlowJob.of(ship.queue, ship.new_job(order=7), [...]))`."""
        if self._flows is None:
            self._flows = FlowProducer(self.url, prefix=self.prefix)
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

    async def run_worker(
        self,
        queues: Sequence[str] | Mapping[str, int] | None = None,
        concurrency: int = 10,
        *,
        drain_timeout: float = 30.0,
        lock_duration: float = 30.0,
        stalled_interval: float = 30.0,
        second_signal_forces: bool = True,
    ) -> int:
        """Run workers until `stop`, or SIGTERM or SIGINT; a second signal hands running jobs back at once.

        Args:
            queues: Names, or names with their own concurrency; all declared ones if None.
            concurrency: Jobs at a time of each queue that has none of its own.
            drain_timeout: Seconds that a stop waits for running jobs.
            lock_duration: Seconds after which a job of a dead worker is taken for stalled.
            stalled_interval: Seconds between two looks for such jobs.
            second_signal_forces: Whether a second signal hands running jobs back; False under a
                supervisor, beside which systemd may signal this process too.

        Returns:
            How many running jobs were handed back unspent.

        Raises:
            UnknownJob: a queue has no declared job.
            ConnectionFailed: the server cannot be reached at the start.
        """
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGTERM, signal.SIGINT)
        self._stop_asked = self._force_asked = False
        for number in numbers:
            loop.add_signal_handler(number, self._signalled, second_signal_forces)
        try:
            async with self.worker_running(
                queues,
                concurrency,
                drain_timeout=drain_timeout,
                lock_duration=lock_duration,
                stalled_interval=stalled_interval,
            ) as tasks:
                workers = self.workers
                if self._stop_asked:
                    self.stop(force=self._force_asked)  # asked for before the workers were there
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)
        return sum(worker.handed_back for worker in workers)

    @contextlib.asynccontextmanager
    async def worker_running(
        self,
        queues: Sequence[str] | Mapping[str, int] | None = None,
        concurrency: int = 10,
        *,
        drain_timeout: float = 30.0,
        lock_duration: float = 30.0,
        stalled_interval: float = 30.0,
    ) -> AsyncIterator[set[asyncio.Task[None]]]:
        """Run workers in this event loop while the block runs; see `run_worker`."""
        limits = self._limits(queues, concurrency)
        await self.apply_schedules(list(limits))
        workers = [
            self.make_worker(
                name,
                limit,
                drain_timeout=drain_timeout,
                lock_duration=lock_duration,
                stalled_interval=stalled_interval,
            )
            for name, limit in limits.items()
        ]
        self._workers += workers
        tasks = {asyncio.create_task(worker.run(handle_signals=False)) for worker in workers}
        try:
            yield tasks
        finally:
            for worker in workers:
                worker.stop()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            self._workers = [worker for worker in self._workers if worker not in workers]
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def make_worker(
        self,
        queue: str,
        concurrency: int = 10,
        *,
        drain_timeout: float = 30.0,
        lock_duration: float = 30.0,
        stalled_interval: float = 30.0,
    ) -> Worker:
        """Return a worker of one queue, for whoever runs it himself; see `run_worker`."""
        return Worker(
            queue,
            Dispatch(queue, self.definitions),
            url=self.url,
            prefix=self.prefix,
            concurrency=concurrency,
            backoffs=self._backoffs,
            middleware=self._middleware,
            drain_timeout=drain_timeout,
            lock_duration=lock_duration,
            stalled_interval=stalled_interval,
        )

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

    def _limits(self, queues: Sequence[str] | Mapping[str, int] | None, concurrency: int) -> dict[str, int]:
        known = {definition.queue for definition in self.definitions}
        wanted = sorted(known) if queues is None else queues
        limits = dict(wanted) if isinstance(wanted, Mapping) else dict.fromkeys(wanted, concurrency)
        if not limits:
            raise UnknownJob("no jobs are declared, so there is nothing to run")
        for name in limits:
            if name not in known:
                raise UnknownJob(f"no job is declared for queue {name!r}; known: {', '.join(sorted(known))}")
        return limits

    def _signalled(self, forces: bool) -> None:
        self.stop(force=forces and self._stop_asked)

    def stop(self, *, force: bool = False) -> None:
        """Ask running workers to stop; `force` waits for no running job."""
        self._stop_asked = True
        self._force_asked = self._force_asked or force
        for worker in self._workers:
            worker.stop(force=force)

    async def close(self) -> None:
        """Close all queues of this application."""
        for queue in self._queues.values():
            await queue.close()
        self._queues.clear()
        if self._flows is not None:
            await self._flows.close()
            self._flows = None
