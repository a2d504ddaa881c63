"""Toril: declared jobs and schedules, and the workers that run them. A facade, no logic."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Mapping, Sequence

from .dispatch import Dispatch
from .errors import UnknownJob
from .hooks import Telemetry, exposition
from .registry import Registry
from .worker import Worker
from .worker.outcomes import BackoffStrategy
from .worker.routes import Middleware


class Toril(Registry):
    """An application: its jobs, its schedules, its queues.

    Args:
        url: The server; by default the environment's TORIL_URL at the first use, else
            `valkey://127.0.0.1:6379/0`.
        prefix: What all keys begin with.
        backoffs: Strategies for `Backoff.custom(name)`.
        middleware: Called around each run of its workers, the first one outermost.
        name: Whose the declared schedules are. Two apps that declare schedules on one queue must have
            different names: each removes what it declared before and declares no more.
        metrics_minutes: For how many minutes its workers count the ends of jobs; see `Worker`.
        telemetry: Follows its jobs, from those who add them to their ends; see `toril.telemetry`.
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
        metrics_minutes: int = 0,
        telemetry: Sequence[Telemetry] = (),
    ) -> None:
        super().__init__(url, prefix, name, release, telemetry)
        self._backoffs = dict(backoffs or {})
        self._middleware = tuple(middleware)
        self._metrics_minutes = metrics_minutes
        self._workers: list[Worker] = []
        self._stop_asked = False
        self._force_asked = False

    @property
    def workers(self) -> list[Worker]:
        """The workers that run now."""
        return list(self._workers)

    async def metrics(self) -> str | None:
        """What its telemetry tells Prometheus, in the text format; None if nothing."""
        return await exposition(self.telemetry)

    async def run_worker(
        self,
        queues: Sequence[str] | Mapping[str, int] | None = None,
        concurrency: int = 10,
        *,
        drain_timeout: float = 30.0,
        lock_duration: float = 30.0,
        death_after: float | None = 3.0,
        stalled_interval: float = 30.0,
        second_signal_forces: bool = True,
    ) -> int:
        """Run workers until `stop`, or SIGTERM or SIGINT; a second signal hands running jobs back at once.

        Args:
            queues: Names, or names with their own concurrency; all declared ones if None.
            concurrency: Jobs at a time of each queue that has none of its own.
            drain_timeout: Seconds that a stop waits for running jobs.
            lock_duration, death_after, stalled_interval: See `Worker`.
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
                death_after=death_after,
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
        death_after: float | None = 3.0,
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
                death_after=death_after,
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
        death_after: float | None = 3.0,
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
            death_after=death_after,
            stalled_interval=stalled_interval,
            metrics_minutes=self._metrics_minutes,
            telemetry=self.telemetry,
        )

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
