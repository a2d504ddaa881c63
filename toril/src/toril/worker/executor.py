"""One run of one job: decode -> timeout -> handler -> outcome. Makes the settlement, sends nothing."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol

from ..bridge import attach
from ..codec import encode_json
from ..errors import InvalidPayload, TorilError
from ..failure import reason_of, trace_of
from ..job import JobOptions, Json
from ..options import Backoff, Keep, seconds
from ..outcome import Fail, RateLimited, Retry, Snooze, WaitForChildren
from ..record import Job
from ..sandbox import Pool, RunIn, address_of
from ..storage.work import Settlement

logger = logging.getLogger("toril")

Handler = Callable[[Job], Awaitable[Json]] | Callable[[Job], Json]
"""A job's handler: `async def`, or a plain `def` that is run in a thread."""
BackoffStrategy = Callable[[int, BaseException, Job], float]
"""(attempts made, error, job) -> seconds to wait; a negative number fails the job for good."""


class Route(NamedTuple):
    """What runs one job: in the event loop, in a thread, or by its address in a process of its own."""

    call: Callable[[Job], Any]
    in_thread: bool
    address: str | None = None


class Router(Protocol):
    """Chooses what runs a job; an error that it raises is that job's outcome."""

    def route(self, job: Job) -> Route: ...


class SingleRoute:
    """One handler for all jobs of a queue."""

    def __init__(self, handler: Handler, run_in: RunIn | None = None) -> None:
        is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)
        self._route = Route(handler, in_thread=not is_async, address=address_of(handler, run_in))

    def route(self, job: Job) -> Route:
        """Return the one route."""
        return self._route


TRACE_LIMIT = 10
"""Stack traces that are kept; BullMQ's default for `stackTraceLimit` is none, its docs advise ten."""


class HandBack(Exception):
    """The worker stops: the job goes back unspent. Used as the message of a cancellation."""


class Executor:
    """Runs jobs of one worker.

    Args:
        router: Chooses what runs a job.
        prepare: Awaited before the first step of a job that a scheduler has made; False if the job is
            left out, and gone.
        backoffs: Strategies by the name that a job's backoff has as its type.
        keep_completed, keep_failed: Retention of jobs that say nothing of it themselves.
        pool: Runs the handlers that have an address.
    """

    def __init__(
        self,
        router: Router,
        prepare: Callable[[Job, str, str], Awaitable[bool]],
        backoffs: Mapping[str, BackoffStrategy],
        keep_completed: Keep,
        keep_failed: Keep,
        pool: Pool,
    ) -> None:
        self._route = router.route
        self._pool = pool
        self._prepare = prepare
        self._backoffs = backoffs
        self._keep = {"c": keep_completed, "f": keep_failed}

    async def run(self, job: Job, token: str, released: Callable[[], None]) -> Settlement | None:
        """Run the job and return how it is to be settled; None if it is not this worker's any more.

        `released` is called once when the run holds its slot no longer: at its end, or, for a
        thread that hangs after its time is up, when the thread has ended.
        """
        free = _Once(released)
        try:
            scheduler = job.scheduler_id
            if scheduler is not None and not await self._prepare(job, scheduler, token):
                return None
            options = job.options
            if job.deferred_failure:
                raise Fail(job.deferred_failure)
            _ = job.data
            route = self._route(job)
            if route.address is not None:
                result = await self._pool.run(route.address, job, options.timeout)
            elif route.in_thread:
                result = await self._call_in_thread(route, job, options.timeout, free)
            else:
                result = await _call(route, job, options.timeout)
            try:
                text = encode_json(result, "the handler's result")
            except InvalidPayload as error:
                # The work is done; running it again would do it twice.
                return self._failed(job, options, token, error)
            return self._finished("c", job.id, token, text, "[]", options)
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - a handler may raise anything; the worker lives
            if isinstance(error, asyncio.CancelledError) and error.args:
                if error.args[0] is HandBack:
                    return Settlement("s", job.id, token, "", lifo=True)
                if error.args[0] is LockLost:
                    logger.warning("job %s: its lock was lost, so its run is not settled", job.id)
                    return None
            return self._outcome(job, token, error)
        finally:
            if not free.held:
                free()

    async def _call_in_thread(self, route: Route, job: Job, timeout: float | None, free: _Once) -> Json:
        # A daemon thread a run: one that hangs must neither use up a pool nor keep the process alive.
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Json] = loop.create_future()
        context = contextvars.copy_context()
        attach(context, loop)

        def report(result: Json, error: BaseException | None) -> None:
            if free.held:
                free()
            if not done.done():
                if error is None:
                    done.set_result(result)
                else:
                    done.set_exception(error)
            elif error is not None:
                logger.warning(
                    "job %s ended with an error after its time was up: %s", job.id, reason_of(error)
                )

        def work() -> None:
            result: Json = None
            error: BaseException | None = None
            try:
                result = context.run(route.call, job)
            except StopIteration as stop:  # a future refuses to carry one
                error = RuntimeError(f"the handler raised StopIteration: {stop.value!r}")
            except BaseException as raised:  # noqa: BLE001 - handed to the event loop
                error = raised
            try:
                loop.call_soon_threadsafe(report, result, error)
            except RuntimeError:
                logger.warning("job %s ended after its worker's event loop had closed", job.id)

        threading.Thread(target=work, name=f"toril-job-{job.id}", daemon=True).start()
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.shield(done)
        except TimeoutError:
            if done.done():
                raise
            free.held = True
            raise TimeoutError(f"timed out after {timeout:g} s; its thread goes on") from None
        except asyncio.CancelledError:
            free.held = not done.done()
            raise

    def _outcome(self, job: Job, token: str, error: BaseException) -> Settlement:
        try:
            options = job.options
            made = job.attempts_made + 1
        except TorilError as broken:
            return self._failed(job, JobOptions(), token, broken)
        if isinstance(error, Snooze):
            return Settlement("s", job.id, token, "", delay_ms=round(error.delay * 1000))
        if isinstance(error, RateLimited):
            return Settlement("l", job.id, token, "", delay_ms=round(error.retry_in * 1000))
        if isinstance(error, WaitForChildren):
            return Settlement("w", job.id, token, "", attempts=options.attempts)
        if isinstance(error, Fail | InvalidPayload) or made >= options.attempts:
            return self._failed(job, options, token, error)
        if isinstance(error, Retry):
            wait = error.delay
        else:
            try:
                wait = self._wait(options.backoff, made, error, job)
            except Exception as broken:  # noqa: BLE001 - a strategy of the user's
                return self._failed(job, options, token, broken)
        if wait < 0:
            return self._failed(job, options, token, error)
        text, trace = self._texts(job, error)
        return Settlement("r", job.id, token, text, trace, delay_ms=round(wait * 1000), lifo=options.lifo)

    def _wait(self, backoff: Backoff | None, made: int, error: BaseException, job: Job) -> float:
        if backoff is None:
            return 0.0
        strategy = self._backoffs.get(backoff.type)
        if strategy is None:
            return backoff.wait(made)
        wait = strategy(made, error, job)
        return wait if wait < 0 else seconds(wait, f"delay of backoff {backoff.type!r}")

    def _failed(self, job: Job, options: JobOptions, token: str, error: BaseException) -> Settlement:
        text, trace = self._texts(job, error)
        return self._finished("f", job.id, token, text, trace, options)

    def _texts(self, job: Job, error: BaseException) -> tuple[str, str]:
        try:
            earlier = job.stacktrace
        except InvalidPayload:
            earlier = []
        traces = [*earlier, trace_of(error)][-TRACE_LIMIT:]
        return reason_of(error), encode_json(traces, "stack traces")

    def _finished(
        self, kind: str, job_id: str, token: str, text: str, trace: str, options: JobOptions
    ) -> Settlement:
        keep = (options.keep_completed if kind == "c" else options.keep_failed) or self._keep[kind]
        return Settlement(
            kind,
            job_id,
            token,
            text,
            trace,
            -1 if keep.count is None else keep.count,
            -1 if keep.age is None else round(keep.age * 1000),
            0,
            options.attempts,
        )


class LockLost(Exception):
    """Another worker may have the job. Used as the message of a cancellation."""


class _Once:
    """Calls a function at the first call only. `held` says that a thread will make that call."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function: Callable[[], None] | None = function
        self.held = False

    def __call__(self) -> None:
        function, self._function = self._function, None
        if function is not None:
            function()


async def _call(route: Route, job: Job, timeout: float | None) -> Json:
    if timeout is None:
        return await route.call(job)
    scope = asyncio.timeout(timeout)
    try:
        async with scope:
            return await route.call(job)
    except TimeoutError:
        if not scope.expired():
            raise
        raise TimeoutError(f"timed out after {timeout:g} s") from None
