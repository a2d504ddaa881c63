"""One run of one job, step by step; makes the settlement, sends nothing.

scheduler -> marks and deadline -> route -> middleware -> handler within its time -> outcome
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Sequence

from ..errors import RunTimedOut
from ..job import Json
from ..outcome import Cancelled, DeadlineExceeded, Fail
from ..record import Job
from ..sandbox import Pool
from ..storage.work import Settlement
from .marks import CancelAsked, HandBack, LeftBehind, LockLost, unless_told
from .outcomes import Outcomes
from .routes import Middleware, Route, Router
from .threads import Slot, run_in_thread

logger = logging.getLogger("toril")


class Executor:
    """Runs jobs of one worker.

    Args:
        router: Chooses what runs a job.
        prepare: Awaited before the first step of a job that a scheduler has made; False if the job is
            left out, and gone.
        outcomes: Decides what becomes of a job after a run.
        pool: Runs the handlers that have an address.
        middleware: Called around each run, the first one outermost.
        max_started: How many runs of a job may begin; None for no limit.
    """

    def __init__(
        self,
        router: Router,
        prepare: Callable[[Job, str, str], Awaitable[bool]],
        outcomes: Outcomes,
        pool: Pool,
        middleware: Sequence[Middleware] = (),
        max_started: int | None = None,
    ) -> None:
        self._route = router.route
        self._pool = pool
        self._prepare = prepare
        self._outcomes = outcomes
        self._middleware = tuple(reversed(middleware))
        self._max_started = max_started

    async def run(self, job: Job, token: str, released: Callable[[], None]) -> Settlement | None:
        """Run the job and return how it is to be settled; None if it is not this worker's any more.

        `released` is called once when the run holds its slot no longer: at its end, or, for a
        thread that hangs after its time is up, when the thread has ended.
        """
        slot = Slot(released)
        loop = asyncio.get_running_loop()
        try:
            scheduler = job.scheduler_id
            if scheduler is not None and not await self._prepared(job, scheduler, token):
                return None
            left = self._time_left(job)
            _ = job.data
            step: Callable[[], Awaitable[Json]] = functools.partial(
                self._call, self._route(job), job, left, slot
            )
            for around in self._middleware:
                step = functools.partial(around, job, step)
            return self._outcomes.of_result(job, token, await step())
        except BaseException as error:
            # A handler may raise anything, and the worker lives.
            if isinstance(error, GeneratorExit) and not loop.is_running():
                raise  # no handler's: this run is thrown away with its event loop
            if isinstance(error, asyncio.CancelledError) and error.args:
                if error.args[0] is HandBack:
                    return Settlement("s", job.id, token, "")
                if error.args[0] is LeftBehind:
                    return None
                if error.args[0] is LockLost:
                    logger.warning("job %s: its lock was lost, so its run is not settled", job.id)
                    return None
            if job.stopping and job.cancel_reason is None and isinstance(error, Cancelled):
                return Settlement("s", job.id, token, "")
            return self._outcomes.of_error(job, token, error)
        finally:
            if not slot.held:
                slot()

    async def _prepared(self, job: Job, scheduler: str, token: str) -> bool:
        # A cancel of this job must not break it off: the whole schedule hangs on it.
        step = asyncio.ensure_future(self._prepare(job, scheduler, token))
        try:
            return await unless_told(step, CancelAsked)
        finally:
            step.cancel()

    def _time_left(self, job: Job) -> float | None:
        """Seconds until the job's deadline; None without one.

        Raises:
            Fail, Cancelled, DeadlineExceeded: the job is not to run at all.
        """
        if job.deferred_failure:
            raise Fail(job.deferred_failure)
        if job.cancel_reason is not None:
            raise Cancelled(job.cancel_reason)
        if self._max_started is not None and job.attempts_started > self._max_started:
            raise Fail("job started more than allowable limit")
        if (deadline := job.deadline) is None or job.processed_on is None:
            return None
        left = (deadline - job.processed_on).total_seconds()
        if left <= 0:
            raise DeadlineExceeded(f"its deadline was {deadline.isoformat(timespec='seconds')}")
        return left

    async def _call(self, route: Route, job: Job, left: float | None, slot: Slot) -> Json:
        """Call the handler within its timeout, and within what is left until the deadline."""
        timeout = job.options.timeout
        cut = left is not None and (timeout is None or left < timeout)
        limit = left if cut else timeout
        try:
            if route.address is not None:
                return await self._pool.run(route.address, job, limit)
            if route.in_thread:
                return await run_in_thread(route.call, job, limit, slot)
            return await _within(route, job, limit)
        except RunTimedOut as error:
            if not cut:
                raise
            raise DeadlineExceeded(f"its deadline came while it ran: {error}") from None


async def _within(route: Route, job: Job, timeout: float | None) -> Json:
    if timeout is None:
        return await route.call(job)
    scope = asyncio.timeout(timeout)
    try:
        async with scope:
            return await route.call(job)
    except TimeoutError:
        if not scope.expired():
            raise
        raise RunTimedOut(f"timed out after {timeout:g} s") from None
