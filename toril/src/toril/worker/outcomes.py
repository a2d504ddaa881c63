"""Makes the settlement of a run, of its result or of the error that it ended with."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from ..codec import encode_json
from ..errors import InvalidPayload, TorilError
from ..failure import one_line, reason_of, trace_of
from ..job import JobOptions, Json
from ..options import Backoff, Keep, seconds
from ..outcome import Cancelled, DeadlineExceeded, Fail, RateLimited, Retry, Snooze, WaitForChildren
from ..record import Job
from ..storage.work import Settlement

BackoffStrategy = Callable[[int, BaseException, Job], float]
"""(attempts made, error, job) -> seconds to wait; a negative number fails the job for good."""

logger = logging.getLogger(__name__)

TRACE_LIMIT = 10
"""Stack traces that are kept; BullMQ's default for `stackTraceLimit` is none, its docs advise ten."""


class Outcomes:
    """Decides what becomes of a job after a run.

    Args:
        backoffs: Strategies by the name that a job's backoff has as its type.
        keep_completed, keep_failed: Retention of jobs that say nothing of it themselves.
    """

    def __init__(
        self, backoffs: Mapping[str, BackoffStrategy], keep_completed: Keep, keep_failed: Keep
    ) -> None:
        self._backoffs = dict(backoffs)
        self._keep = {"c": keep_completed, "f": keep_failed}

    def of_result(self, job: Job, token: str, result: Json) -> Settlement:
        """The job is completed; it fails if the result cannot be written as JSON."""
        try:
            text = encode_json(result, "the handler's result")
        except InvalidPayload as error:
            # The work is done; running it again would do it twice.
            return self._failed(job, job.options, token, error)
        return self._finished("c", job.id, token, text, "[]", job.options)

    def of_error(self, job: Job, token: str, error: BaseException) -> Settlement:
        """The job runs again, goes to wait, or fails."""
        try:
            options = job.options
            made = job.attempts_made + 1
        except TorilError as broken:
            return self._failed(job, JobOptions(), token, broken)
        if job.cancel_reason is not None:
            cancelled = error if isinstance(error, Cancelled) else Cancelled(job.cancel_reason)
            return self._failed(job, options, token, cancelled)
        if isinstance(error, Snooze):
            return Settlement("s", job.id, token, "", delay_ms=round(error.delay * 1000))
        if isinstance(error, RateLimited):
            return Settlement("l", job.id, token, "", delay_ms=round(error.retry_in * 1000), lifo=True)
        if isinstance(error, WaitForChildren):
            return Settlement("w", job.id, token, "", attempts=options.attempts)
        final = isinstance(error, Fail | Cancelled | DeadlineExceeded | InvalidPayload)
        if final or made >= options.attempts:
            return self._failed(job, options, token, error)
        if isinstance(error, Retry):
            wait = error.delay
        else:
            try:
                wait = self._wait(options.backoff, made, error, job)
            except BaseException as broken:  # noqa: BLE001 - a strategy of the user's
                return self._failed(job, options, token, broken)
        if wait < 0:
            return self._failed(job, options, token, error)
        text, trace = self._texts(job, error, options.keep_traces)
        logger.info("%r: attempt %d of %d failed: %s", job, made, options.attempts, one_line(text))
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
        text, trace = self._texts(job, error, options.keep_traces)
        logger.info("%r has failed for good: %s", job, one_line(text))
        return self._finished("f", job.id, token, text, trace, options)

    def _texts(self, job: Job, error: BaseException, keep: int | None) -> tuple[str, str]:
        try:
            earlier = job.stacktrace
        except InvalidPayload:
            earlier = []
        limit = TRACE_LIMIT if keep is None else keep
        traces = [*earlier, trace_of(error)][-limit:] if limit else []
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
