"""Worker: runs the jobs of one queue. Composes the cycle, the executor, the keeper and the services."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple, cast

from ..errors import ConnectionFailed, InvalidOption, ServerRefused
from ..health import MAX_AGE
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
from ..storage.connection import Connection
from ..storage.jobs import Fields
from ..storage.keys import Keys
from ..storage.locks import LockRenewer
from ..storage.work import HAS_CHILDREN, Settlement, WorkStore, put_marker, wait_marker
from .advance import Advancer
from .cycle import Cycle
from .executor import Executor
from .keeper import Keeper
from .marks import CancelAsked, HandBack, LockLost
from .outcomes import BackoffStrategy, Outcomes
from .routes import Handler, Middleware, Router, SingleRoute

logger = logging.getLogger("toril")

PULSE = 5.0
"""Seconds that a worker which is well goes without an answer of the server, at the most."""

MAX_BLOCK = 5.0
"""Seconds that an idle worker sleeps at the most before it looks itself, as BullMQ's drainDelay."""


class _Run(NamedTuple):
    job: Job
    token: str
    task: asyncio.Task[None]


class Worker:
    """Runs the jobs of one queue.

    Args:
        queue: The queue's name.
        handler: Gets a `Job` and returns its result; `async def`, or a plain `def` run in a thread.
            Or a router, which chooses the handler for each job.
        url: The server; by default TORIL_URL, else `valkey://127.0.0.1:6379/0`.
        prefix: What all keys begin with.
        concurrency: How many jobs run at once.
        lock_duration: Seconds after which a job of a dead worker is taken for stalled.
        stalled_interval: Seconds between two looks for such jobs, and for schedulers that lost their job.
        max_stalled: How often a job may stall before it fails.
        backoffs: Strategies for `Backoff.custom(name)`.
        drain_timeout: Seconds that a stop waits for running jobs; the rest are handed back unspent.
        keep_completed, keep_failed: Retention of jobs that say nothing of it themselves.
        name: What the worker is called in `processedBy` and `Queue.workers`; printable ASCII, no spaces.
        metrics_minutes: For how many minutes the numbers of ended jobs are kept for
            `Queue.get_metrics`; 0 keeps none. BullMQ's docs advise two weeks, 20,160.
        retention_interval: Seconds between two looks for finished jobs that have become too old.
        max_starts: How often a job may begin, whatever the reasons; None for no limit. Snoozing, waiting
            for children and hand-backs count, as in BullMQ's `maxStartedAttempts`.
        middleware: Called around each run, the first one outermost: the hook for third parties.
        limiter: How many jobs may begin in a time, over all workers of the queue that have the same
            limiter; the queue's own (`Queue.set_global_rate_limit`) goes before it.
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
        max_starts: int | None = None,
        run_in: RunIn | None = None,
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
        self.queue = Queue(queue, url, prefix=prefix)
        self._address = self.queue.store.connection.address
        self._keys = Keys(queue, prefix)
        self._concurrency = whole(concurrency, "concurrency", 1, 10_000)
        self._lock_duration = _at_least(lock_duration, "lock_duration", 0.1)
        self._stalled_interval = _at_least(stalled_interval, "stalled_interval", 0.05)
        self._max_stalled = whole(max_stalled, "max_stalled", 0, 2**31)
        self._metrics_minutes = whole(metrics_minutes, "metrics_minutes", 0, 1_000_000)
        self._retention_interval = _at_least(retention_interval, "retention_interval", 0.05)
        self._limiter = limiter
        self._drain_timeout = seconds(drain_timeout, "drain_timeout")
        self._pool = Pool(queue, self.queue.url, prefix)
        self._executor = Executor(
            router,
            Advancer(self.queue.schedulers).advance,
            Outcomes(dict(backoffs or {}), keep_completed or Keep(), keep_failed or Keep()),
            self._pool,
            middleware,
            None if max_starts is None else whole(max_starts, "max_starts", 1, 2**31),
        )
        self._paused = False
        self._running: dict[str, _Run] = {}
        self._stopping = asyncio.Event()
        self._forced = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._cycle: Cycle | None = None
        self._ended = False
        self.ready = asyncio.Event()
        """Set once the server has answered this worker."""
        self.begun = 0
        self.completed = 0
        self.failed = 0
        self.retried = 0
        self.handed_back = 0

    @property
    def running(self) -> int:
        """How many jobs run now."""
        return len(self._running)

    @property
    def finished(self) -> int:
        """How many runs have ended."""
        return self.completed + self.failed + self.retried

    async def look(self) -> None:
        """Look for jobs now, and return when none is left that may run, and none runs."""
        cycle = self._cycle
        assert cycle is not None, "the worker does not run"
        cycle.feed()
        while self._running or not cycle.idle:
            if not self._running:
                await cycle.dry.wait()
            await asyncio.sleep(0.001 if self._running else 0)

    async def execute(self, job: Job) -> Settlement | None:
        """Run a job's handler in this task and return how it would be settled; sends nothing."""
        return await self._executor.run(job, "", lambda: None)

    @property
    def last_success(self) -> float | None:
        """When a call to the server last succeeded, by `time.monotonic`; None before and after the run.

        It goes on while the worker is idle, paused, or busy with long jobs, and is noted in the event
        loop: one that stands still is a worker that makes no progress, whatever the reason.
        """
        return None if self._cycle is None or self._ended else self._cycle.last_success

    def healthy(self, max_age: float | timedelta = MAX_AGE) -> bool:
        """Whether a call to the server succeeded within `max_age` seconds; from any thread."""
        last = self.last_success
        return last is not None and time.monotonic() - last <= seconds(max_age, "max_age")

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
        """Let this worker start no further jobs; other workers of the queue go on."""
        self._paused = True
        if self._cycle is not None:
            self._cycle.stop_fetching()

    def resume(self) -> None:
        """Let this worker start jobs again."""
        self._paused = False
        if self._cycle is not None and not self.stopping:
            self._cycle.resume_fetching()

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
        blocking = Connection(self._address, name=f"{self._keys.client}:w:{self.name}")
        listening = Connection(self._address, name=f"{self._keys.client}:cancels")
        lock_ms = round(self._lock_duration * 1000)
        store = WorkStore(calls, self._keys, self.name, lock_ms, self._metrics_minutes, self._limiter)
        renewer = LockRenewer(self._address, self._keys, lock_ms, min(5.0, self._lock_duration / 4))
        try:
            await calls.call("PING")
            await blocking.call("PING")  # its name is how `Queue.workers` finds this worker
            reader = CancelReader(listening, self._keys)
            await reader.start()
            self.ready.set()
            cycle = self._cycle = Cycle(store, self._concurrency, self.id, self._begin, self._refused)
            keeper = Keeper(renewer, self._lock_duration, self._tokens, self._lost, self._cancel)
            services: list[Service] = [
                StalledService(store, self._stalled_interval, self._max_stalled),
                PulseService(cycle, min(PULSE, self._lock_duration / 3)),
                RetentionService(store, self._retention_interval),
                SchedulerService(self.queue.schedulers, self._stalled_interval),
                CancelService(reader, self._cancel),
            ]
            keeper.start()
            if self._paused or self._stopping.is_set():
                cycle.stop_fetching()
            cycle.feed()
            try:
                idler = asyncio.create_task(self._idle(cycle, calls, blocking))
                await self._until_stopped(idler, cycle.crash, *(service.start() for service in services))
                await self._drain(cycle)
            finally:
                for service in services:
                    await service.stop()
                await keeper.stop()
        finally:
            for number in installed:
                loop.remove_signal_handler(number)
            self._ended = True
            await self._pool.close()
            await calls.close()
            await blocking.close()
            await listening.close()
            await self.queue.close()

    async def _until_stopped(self, idler: asyncio.Task[None], *others: asyncio.Future[None]) -> None:
        """Wait for a stop; raises what any of the worker's parts ended with."""
        stop = asyncio.create_task(self._wait_for_stop())
        try:
            parts: set[asyncio.Future[None]] = {stop, idler, *others}
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part in done:
                part.result()
        finally:
            stop.cancel()
            idler.cancel()
            await asyncio.wait([stop, idler])

    async def _wait_for_stop(self) -> None:
        await self._stopping.wait()

    async def _idle(self, cycle: Cycle, calls: Connection, blocking: Connection) -> None:
        """Sleep on the marker whenever the queue is empty and slots are free."""
        while True:
            await cycle.dry.wait()
            due = MAX_BLOCK if cycle.next_in is None else cycle.next_in
            try:
                woken = await wait_marker(blocking, self._keys, min(MAX_BLOCK, max(0.001, due)))
                if woken and cycle.free == 0:
                    await put_marker(calls, self._keys)  # not for us: all slots are busy by now
            except (ConnectionFailed, ServerRefused) as error:
                logger.warning("worker %s cannot wait for jobs: %s", self.name, error)
                await asyncio.sleep(0.25)
            cycle.feed()

    def _begin(self, job_id: str, fields: Fields, token: str) -> None:
        assert self._loop is not None
        self.begun += 1
        job = Job(self.queue, job_id, fields)
        self._running[job_id] = _Run(job, token, self._loop.create_task(self._run_job(job, token)))

    async def _run_job(self, job: Job, token: str) -> None:
        cycle = self._cycle
        assert cycle is not None
        settlement = await self._executor.run(job, token, cycle.release)
        run = self._running.get(job.id)
        if run is not None and run.token == token:
            del self._running[job.id]
        if settlement is None:
            return
        kind = settlement.kind
        if kind == "c":
            self.completed += 1
        elif kind == "f":
            self.failed += 1
        else:
            self.retried += 1
        cycle.settle(settlement)

    def _tokens(self) -> Mapping[str, str]:
        return {job_id: run.token for job_id, run in self._running.copy().items()}

    def _lost(self, job_ids: Sequence[str]) -> None:
        for job_id in job_ids:
            run = self._running.get(job_id)
            if run is not None:
                self._interrupt(run, LockLost)

    def _interrupt(self, run: _Run, mark: type[Exception]) -> None:
        # A task that is cancelled before its first step never takes it, and would settle nothing.
        assert self._loop is not None
        self._loop.call_soon(run.task.cancel, mark)

    def _cancel(self, reasons: Mapping[str, str]) -> None:
        for job_id, reason in reasons.items():
            run = self._running.get(job_id)
            if run is not None and not run.job.cancelled:
                run.job.mark_cancelled(reason)
                self._interrupt(run, CancelAsked)

    def _refused(self, settlement: Settlement, code: int) -> None:
        if code in HAS_CHILDREN:
            self.completed -= settlement.kind == "c"
            self.retried -= settlement.kind == "w"
            self.failed += 1
            logger.warning("job %s has failed: %s", settlement.job_id, HAS_CHILDREN[code])
            return
        logger.warning(
            "job %s could not be settled (code %d): it is not this worker's now", settlement.job_id, code
        )

    def _signalled(self) -> None:
        if self._stopping.is_set():
            self._forced.set()
        self._stopping.set()

    async def _drain(self, cycle: Cycle) -> None:
        cycle.stop_fetching()
        limit = asyncio.get_running_loop().time() + self._drain_timeout
        await self._settle_calls(cycle, limit)
        forced = asyncio.ensure_future(self._forced.wait())
        while self._running:
            left = limit - asyncio.get_running_loop().time()
            if left <= 0 or self._forced.is_set():
                break
            tasks = {run.task for run in self._running.values()}
            await asyncio.wait({forced, *tasks}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        forced.cancel()
        tasks = {run.task for run in self._running.values()}
        if tasks:
            logger.warning("worker %s hands %d running jobs back", self.name, len(tasks))
            for run in self._running.values():
                self._interrupt(run, HandBack)
            await asyncio.wait(tasks, timeout=5.0)
        await self._settle_calls(cycle, max(limit, asyncio.get_running_loop().time() + 5.0))
        self.handed_back += len(tasks)

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
