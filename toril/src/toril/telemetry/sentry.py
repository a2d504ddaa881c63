"""Sentry: an event for each job that has failed for good (extra: toril[sentry])."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar

import sentry_sdk
from sentry_sdk.scope import Scope, use_isolation_scope
from sentry_sdk.utils import event_from_exception

from ..hooks import Ending, Telemetry
from ..job import Json
from ..outcome import Cancelled
from ..record import Job
from .reading import readable

_run: ContextVar[tuple[Job, Scope]] = ContextVar("toril_sentry_run")


class SentryReports(Telemetry):
    """Reports failures with the client that `sentry_sdk.init` has made.

    A retry is no event. What a handler leaves behind (breadcrumbs, tags) belongs to its own run. Jobs that
    never reached their handler are reported too: a payload that does not fit, a worker that died too often.

    Args:
        payload: Whether events have the job's data, and the local variables of the stack, which hold it too.
        ignored: Errors that are no events; by default those of jobs that somebody cancelled.
    """

    def __init__(
        self, *, payload: bool = False, ignored: tuple[type[BaseException], ...] = (Cancelled,)
    ) -> None:
        self._payload = payload
        self._ignored = ignored

    async def running(self, job: Job, run: Callable[[], Awaitable[Json]]) -> Json:
        """Give the run a scope of its own."""
        with sentry_sdk.isolation_scope() as scope:
            scope.clear_breadcrumbs()
            _run.set((job, scope))
            return await run()

    def ended(self, job: Job, ending: Ending, error: BaseException | None) -> None:
        """Report the job if it has failed for good."""
        if ending is not Ending.FAILED or error is None or isinstance(error, self._ignored):
            return
        options = dict(sentry_sdk.get_client().options)
        if not self._payload:
            options["include_local_variables"] = False
        event, hint = event_from_exception(
            error, client_options=options, mechanism={"type": "toril", "handled": False}
        )
        about: dict[str, object] = {
            "id": job.id,
            "queue": job.queue,
            "name": job.name,
            "attempt": readable(lambda: job.attempts_made, 0) + 1,
            "worker": job.processed_by,
        }
        if self._payload:
            about["data"] = job.fields.get(b"data", b"").decode("utf-8", "replace")
        known = _run.get(None)
        scope = known[1] if known is not None and known[0] is job else Scope()
        with use_isolation_scope(scope):
            event["transaction"] = f"{job.queue}/{job.name}"
            event["tags"] = {"toril.queue": job.queue, "toril.job": job.name}
            event["contexts"] = {"job": about}
            sentry_sdk.capture_event(event, hint=hint)
