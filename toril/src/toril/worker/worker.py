"""Worker: runs the jobs of one queue. Composes the cycle, the executor, the keeper and the services."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import cast

from ..errors import InvalidOption
from ..hooks import Telemetry, overriding
from ..options import Keep, RateLimit, seconds, whole
from ..queue import Queue
from ..record import Job
from ..sandbox import Pool, RunIn
from ..services.base import Service
from ..services.cancels import CancelService
from ..services.pulse import PulseService
from ..services.retention import RetentionService
from ..services.schedulers import SchedulerService
from ..services.stalled import StalledService
from ..storage.cancels import CancelReader
from ..storage.cards import WorkerCard
from ..storage.connection import Connection
from ..storage.doctor import warn_of_eviction
from ..storage.keys import Keys
from ..storage.lifeline import Lifeline
from ..storage.work import Settlement, WorkStore
from .advance import Advancer
from .cycle import Cycle
from .executor import Executor
from .idle import Idler
from .keeper import Keeper, Terms
from .observed import Observed
from .outcomes import BackoffStrategy, Outcomes
from .routes import Handler, Middleware, Router, SingleRoute
from .runs import Runs
from .told import ToldOutcomes

logger = logging.getLogger("toril")

PULSE = 5.0
"""Seconds that a worker which is well goes without an answer of the server, at the most."""

FLUSH_TIMEOUT = 5.0
"""Seconds that the last settlements may take at the end of a stop."""


class Worker(Observed):
    """Runs the jobs of one queue.

    Args:
        queue: The queue's name.
        handler: Gets a `Job` and returns its result; `async def`, or a plain `def` run in a thread.
            Or a router, which chooses the handler for each job.
        url: The server; by default TORIL_URL, else `valkey://127.0.0.1:6379/0`.
        prefix: What all keys begin with.
        concurrency: How many jobs run at once.
        lock_duration: Seconds that a running job stays its worker's own unless that renews it; as
            BullMQ's, and the only sign of life that Node workers know.
        death_after: Seconds without a sign of life after which this worker is taken for dead by other
            toril workers, and its jobs run there; None leaves that to the locks. A handler that blocks
            the event loop does no harm; a call into C that keeps the GIL for so long does.
        stalled_interval: Seconds between two looks for jobs without a lock, and for schedulers that lost
            their job.
        max_stalled: How often a job may stall before it fails.
        backoffs: Strategies for `Backoff.custom(name)`.
        drain_timeout: Seconds that a stop waits for running jobs; the rest are handed back unspent.
        keep_completed, keep_failed: Retention of jobs that say nothing of it themselves.
        name: What the worker is called in `processedBy` and `Queue.workers`; printable ASCII, no spaces.
        metrics_minutes: For how many minutes the numbers of ended jobs are kept for
            `Queue.get_metrics`; 0 keeps none. BullMQ's docs advise two weeks, 20,160.
        retention_interval: Seconds between two looks for finished jobs that have become too old.
        middleware: Called around each run, the first one outermost: the hook for third parties.
        telemetry: Follows the runs of its jobs; around the middleware.
        limiter: How many jobs may begin in a time, over all workers of the queue that have the same
            limiter; the queue's own (`Queue.set_global_rate_limit`) goes before it.
        max_started_attempts: How many runs of a job may begin, however they end; None for no limit.
        drain_delay: Seconds that an idle worker sleeps at the most before it looks for jobs itself.
        stalled_check: Whether this worker looks for jobs of dead workers. One of the queue's must.
        run_in: `"process"` runs the handler in processes of their own, up to `concurrency` of them:
            for CPU-bound work, and for what may crash. It must be a function of a module.

    Raises:
        InvalidOption: one of them is wrong.
    """

    def __init__(
        self,
        queue: str,
        handler: Handler | Router,
        *,
        url: str | None = None,
        prefix: str = "bull",
        concurrency: int = 1,
        lock_duration: float | timedelta = 30.0,
        death_after: float | timedelta | None = 3.0,
        stalled_interval: float | timedelta = 30.0,
        max_stalled: int = 1,
        backoffs: Mapping[str, BackoffStrategy] | None = None,
        drain_timeout: float | timedelta = 30.0,
        keep_completed: Keep | None = None,
        keep_failed: Keep | None = None,
        name: str | None = None,
        metrics_minutes: int = 0,
        retention_interval: float | timedelta = 60.0,
        limiter: RateLimit | None = None,
        middleware: Sequence[Middleware] = (),
        max_started_attempts: int | None = None,
        drain_delay: float | timedelta = 5.0,
        stalled_check: bool = True,
        run_in: RunIn | None = None,
        telemetry: Sequence[Telemetry] = (),
    ) -> None:
        if hasattr(handler, "route"):
            if run_in is not None:
                raise InvalidOption("run_in is for a worker with one handler; a router chooses it by job")
            router = cast("Router", handler)
        elif callable(handler):
            router = SingleRoute(handler, run_in)
        else:
            raise InvalidOption("a worker's handler must be a function")
        self.id = uuid.uuid4().hex
        self.name = name or f"toril-{self.id[:8]}"
        if not all("!" <= letter <= "~" for letter in self.name):
            raise InvalidOption(f"a worker's name must be printable ASCII without spaces, not {self.name!r}")
        self.queue = Queue(queue, url, prefix=prefix, telemetry=telemetry)
        self._address = self.queue.store.connection.address
        self._keys = Keys(queue, prefix)
        self._names = router.names
        self._concurrency = whole(concurrency, "concurrency", 1, 10_000)
        self._lock_duration = _at_least(lock_duration, "lock_duration", 0.1)
        self._death_after = None if death_after is None else _at_least(death_after, "death_after", 0.2)
        self._stalled_interval = _at_least(stalled_interval, "stalled_interval", 0.05)
        self._max_stalled = whole(max_stalled, "max_stalled", 0, 2**31)
        self._metrics_minutes = whole(metrics_minutes, "metrics_minutes", 0, 1_000_000)
        self._retention_interval = _at_least(retention_interval, "retention_interval", 0.05)
        self._limiter = limiter
        if max_started_attempts is not None:
            whole(max_started_attempts, "max_started_attempts", 1, 2**31)
        self._drain_delay = _at_least(drain_delay, "drain_delay", 0.01)
        self._stalled_check = stalled_check
        self._drain_timeout = seconds(drain_timeout, "drain_timeout")
        self._pool = Pool(queue, self.queue.url, prefix)
        self._watching = overriding(telemetry, "working")
        keeps = (keep_completed or Keep(), keep_failed or Keep())
        told = overriding(telemetry, "ended")
        outcomes = ToldOutcomes(told, backoffs or {}, *keeps) if told else Outcomes(backoffs or {}, *keeps)
        self._executor = Executor(
            router,
            Advancer(self.queue.schedulers).advance,
            outcomes,
            self._pool,
            [*(each.running for each in overriding(telemetry, "running")), *middleware],
            max_started_attempts,
        )
        super().__init__(Runs(self.queue, self._executor, self.id))
        self._paused = False
        self._stopping = asyncio.Event()
        self._forced = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idler: Idler | None = None
        self.ready = asyncio.Event()
        """Set once the server has answered this worker."""

    async def look(self) -> None:
        """Look for jobs now, and return when none is left that may run, and none runs."""
        cycle = self._cycle
        assert cycle is not None, "the worker does not run"
        cycle.feed()
        while self._runs or not cycle.idle:
            if not self._runs:
                await cycle.dry.wait()
            await asyncio.sleep(0.001 if self._runs else 0)

    async def execute(self, job: Job) -> Settlement | None:
        """Run a job's handler in this task and return how it would be settled; sends nothing."""
        return await self._executor.run(job, "", lambda: None)

    @property
    def concurrency(self) -> int:
        """How many jobs run at once; may be set while it runs. Raises InvalidOption."""
        return self._concurrency

    @concurrency.setter
    def concurrency(self, value: int) -> None:
        self._concurrency = whole(value, "concurrency", 1, 10_000)
        if self._cycle is not None:
            self._cycle.resize(self._concurrency)

    @property
    def paused(self) -> bool:
        """Whether this worker starts no jobs at present, by `pause`."""
        return self._paused

    def pause(self) -> None:
        """Let this worker start no further jobs; other workers of the queue go on. See `quiet`."""
        self._paused = True
        if self._cycle is not None and self._idler is not None:
            self._idler.pause()
            self._cycle.stop_fetching()

    def resume(self) -> None:
        """Let this worker start jobs again."""
        self._paused = False
        if self._cycle is not None and self._idler is not None and not self.stopping:
            self._idler.resume()
            self._cycle.resume_fetching()

    async def quiet(self) -> None:
        """Wait until this worker, being paused, runs no job any more; or until it stops."""
        if self._cycle is not None:
            await self._cycle.called()
            await self._runs.drained(None, self._stopping)

    def cancel(self, job_id: str, reason: str = "") -> bool:
        """Cancel a job that this worker is running; False if it is not. See `Queue.cancel`."""
        return self._runs.cancel(job_id, reason)

    def cancel_all(self, reason: str = "") -> int:
        """Cancel all jobs that this worker is running; returns how many."""
        return self._runs.cancel_all(reason)

    @property
    def stopping(self) -> bool:
        """Whether a stop was asked for."""
        return self._stopping.is_set()

    def stop(self, *, force: bool = False) -> None:
        """Ask the worker to stop; from any thread. `force` waits for no running job."""
        for event in (self._stopping, *((self._forced,) if force else ())):
            if self._loop is None:
                event.set()
            else:
                self._loop.call_soon_threadsafe(event.set)

    async def close(self, *, force: bool = False) -> None:
        """Stop, and wait until `run` has ended. May be called more than once, and before `run`."""
        self.stop(force=force)
        if self._loop is not None:
            await self._ended.wait()

    async def run(self, *, handle_signals: bool = True) -> None:
        """Run until `stop()`, or SIGTERM or SIGINT (a second one hands running jobs back at once).

        Stops fetching, finishes running jobs, hands the rest back unspent, closes. Never returns
        while it should work: it goes on when the server was gone, or raises.

        Raises:
            ConnectionFailed: the server cannot be reached at the start.
            ServerRefused: the server refuses at the start (e.g. NOAUTH).
        """
        loop = self._loop = asyncio.get_running_loop()
        installed = _on_signals(loop, self._signalled) if handle_signals else ()
        calls = Connection(self._address, name=f"{self._keys.client}:calls")
        listening = Connection(self._address, name=f"{self._keys.client}:cancels")
        lock_ms = round(self._lock_duration * 1000)
        store = WorkStore(calls, self._keys, self.name, lock_ms, self._metrics_minutes, self._limiter)
        patience = min(5.0, self._lock_duration / 4, (self._death_after or 10.0) / 2)
        lifeline = Lifeline(self._address, self._keys, self.id, patience)
        terms = Terms(
            self._lock_duration, self._death_after, self._max_stalled if self._stalled_check else None
        )
        runs = self._runs
        cycle = Cycle(store, self._concurrency, self.id, runs.begin, runs.refused)
        idler = Idler(cycle, self._address, self._keys, self.name, self._drain_delay)
        try:
            await calls.call("PING")
            await warn_of_eviction(calls)
            await idler.connect()
            reader = CancelReader(listening, self._keys)
            await reader.start()
            self._cycle, self._idler, runs.cycle = cycle, idler, cycle
            self.ready.set()
            keeper = Keeper(lifeline, terms, runs.tokens, runs.lost, runs.marked, self._card)
            services: list[Service] = [
                PulseService(cycle, min(PULSE, self._lock_duration / 3)),
                RetentionService(store, self._retention_interval),
                SchedulerService(self.queue.schedulers, self._stalled_interval),
                CancelService(reader, runs.ordered),
            ]
            self._recovering = (keeper,)
            if self._stalled_check:
                stalled = StalledService(store, self._stalled_interval, self._max_stalled)
                services.append(stalled)
                self._recovering = (keeper, stalled)
            self._connections = (calls, listening, idler, lifeline, self.queue.store.connection)
            for each in self._watching:
                each.working(self)
            try:
                await keeper.start()
                if self._paused:
                    self.pause()
                if self._stopping.is_set():
                    cycle.stop_fetching()
                cycle.feed()
                idling = asyncio.create_task(idler.run())
                parts = (cycle.crash, keeper.crash, *(service.start() for service in services))
                await self._until_stopped(idling, *parts)
                cycle.stop_fetching()
                await idler.leave(calls)
                await self._drain(cycle)
            finally:
                for service in services:
                    await service.stop()
                await keeper.stop()
        finally:
            for number in installed:
                loop.remove_signal_handler(number)
            await self._pool.close()
            await idler.close()
            await listening.close()
            await calls.close()
            await self.queue.close()
            self._ended.set()

    async def _until_stopped(self, idling: asyncio.Task[None], *others: asyncio.Future[None]) -> None:
        """Wait for a stop; raises what any of the worker's parts ended with."""
        stop = asyncio.create_task(self._wait_for_stop())
        try:
            parts: set[asyncio.Future[None]] = {stop, idling, *others}
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part in done:
                part.result()
        finally:
            stop.cancel()
            idling.cancel()
            await asyncio.wait([stop, idling])

    async def _wait_for_stop(self) -> None:
        await self._stopping.wait()

    def _card(self) -> str:
        limiter = self._limiter
        return WorkerCard(
            name=self.name,
            host=socket.gethostname(),
            process=os.getpid(),
            concurrency=self._concurrency,
            paused=self._paused,
            jobs=self._names,
            limiter=None if limiter is None else (limiter.max, limiter.duration),
        ).encode()

    def _signalled(self) -> None:
        if self._stopping.is_set():
            self._forced.set()
        self._stopping.set()

    async def _drain(self, cycle: Cycle) -> None:
        limit = asyncio.get_running_loop().time() + self._drain_timeout
        await self._settle_calls(cycle, limit)
        await self._runs.drained(limit, self._forced)
        await self._runs.hand_back()
        await self._settle_calls(cycle, max(limit, asyncio.get_running_loop().time() + FLUSH_TIMEOUT))

    async def _settle_calls(self, cycle: Cycle, limit: float) -> None:
        try:
            async with asyncio.timeout_at(limit):
                await cycle.flush()
        except TimeoutError:
            logger.error("worker %s could not settle its last jobs in time; they will run again", self.name)


def _at_least(value: float | timedelta, name: str, low: float) -> float:
    checked = seconds(value, name)
    if checked < low:
        raise InvalidOption(f"{name} must be at least {low:g} s, not {checked:g}")
    return checked


def _on_signals(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> tuple[int, ...]:
    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, callback)
    return numbers
