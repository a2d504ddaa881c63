"""Inline mode: an enqueue runs the job at once, in the caller's task, with no server."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Unpack

from ..app import Toril
from ..codec import add_arguments, decode_json, encode_json
from ..errors import InvalidOption, JobFailed, JobNotFound, UnknownJob, WrongPlace
from ..flow import FlowJob, FlowNode, FlowProducer
from ..job import JobKeywords, JobState, Json, NewJob
from ..queue import Queue
from ..record import Job
from ..storage.channel import Argument, Reply
from ..storage.connection import CALL_TIMEOUT
from ..storage.endpoint import Replicas
from ..storage.jobs import Fields
from .enqueued import Enqueued

MAX_RUNS = 100
"""How often one job is run at the most, by retries and snoozes together."""
MAX_DEPTH = 20
"""How deep jobs may enqueue jobs that enqueue jobs."""

_depth: contextvars.ContextVar[int] = contextvars.ContextVar("toril_inline_depth", default=0)
_failed: contextvars.ContextVar[list[Job]] = contextvars.ContextVar("toril_inline_failed")


@dataclass(frozen=True, slots=True)
class Ran:
    """One job that was run.

    Attributes:
        job: As it stands after its last run.
        state: `completed` or `failed`.
        runs: How often its handler was called.
        logs: The lines that it logged.
    """

    job: Job
    state: JobState
    runs: int
    logs: list[str]


class Inline(Enqueued):
    """The jobs that were run inline. Made by `inline`.

    Attributes:
        ran: All of them, in the order of their ends.
    """

    def __init__(self, app: Toril, raise_failures: bool) -> None:
        self.app = app
        self.raise_failures = raise_failures
        self.ran: list[Ran] = []
        self.added: list[Job] = []

    async def _jobs(self) -> list[Job]:
        return list(self.added)

    @property
    def completed(self) -> list[Ran]:
        """Those that have completed."""
        return [each for each in self.ran if each.state is JobState.COMPLETED]

    @property
    def failed(self) -> list[Ran]:
        """Those that have failed for good."""
        return [each for each in self.ran if each.state is JobState.FAILED]

    def make_queue(self, name: str) -> Queue:
        """Make a queue of this mode."""
        return InlineQueue(name, self)


class InlineQueue(Queue):
    """A queue without a server, whose jobs run when they are added. Other verbs raise WrongPlace."""

    def __init__(self, name: str, mode: Inline) -> None:
        super().__init__(name, mode.app.url, prefix=mode.app.prefix)
        self._mode = mode
        self._worker = mode.app.make_worker(name)
        self._known = {each.name for each in mode.app.definitions if each.queue == name}
        self._ran: dict[str, tuple[Job, Fields, list[str]]] = {}
        self._ended: dict[str, JobState] = {}
        self._held: dict[str, str] = {}
        self._store.connection.call = _no_server  # type: ignore[method-assign]

    async def add(self, name: str, data: Json = None, **options: Unpack[JobKeywords]) -> Job:
        """Run a job, and return it as it stands then; see `Queue.add` and `inline`."""
        return (await self.add_many([NewJob(name, data, **options)]))[0]

    async def add_many(self, jobs: Sequence[NewJob]) -> list[Job]:
        """Run jobs one after another; see `Queue.add_many` and `inline`."""
        return [await self._run(each) for each in jobs]

    async def _run(self, new: NewJob) -> Job:
        if new.options.parent is not None:
            raise WrongPlace("a job with a parent cannot run inline; use toril.testing.manual")
        if new.name not in self._known:
            raise UnknownJob(f"no job is declared as {new.name!r} for queue {self.name!r}")
        dedup = new.options.deduplication
        for earlier in (new.options.job_id, self._held.get(dedup.key) if dedup else None):
            if earlier in self._ran:
                return Job(self, earlier, self._ran[earlier][1], created=False)
        job_id = new.options.job_id or str(len(self._ran) + 1)
        wire = add_arguments(new)
        fields: Fields = {
            b"name": wire.shape.name.encode(),
            b"data": wire.data.encode(),
            b"opts": wire.shape.options.encode(),
            b"timestamp": _now(),
            b"delay": b"%d" % wire.shape.delay_ms,
            b"priority": b"%d" % wire.shape.priority,
        }
        job = Job(self, job_id, fields)
        logs: list[str] = []
        self._ran[job_id] = (job, fields, logs)
        self._mode.added.append(job)
        if dedup and dedup.ttl is not None:
            self._held[dedup.key] = job_id
        depth = _depth.get()
        if depth >= MAX_DEPTH:
            raise WrongPlace(f"jobs enqueue jobs more than {MAX_DEPTH} deep: {self.name}:{new.name}")
        before = _depth.set(depth + 1)
        failed = [] if depth == 0 else _failed.get()
        _failed.set(failed)
        try:
            state = await self._to_its_end(job, fields)
        finally:
            _depth.reset(before)
        self._ended[job_id] = state
        self._mode.ran.append(Ran(job, state, job.attempts_started, logs))
        if state is JobState.FAILED:
            failed.append(job)
        if failed and depth == 0 and self._mode.raise_failures:
            # As on a server, a job does not hear how one ends that it has enqueued.
            raise _failure(failed[-1])
        return job

    async def _to_its_end(self, job: Job, fields: Fields) -> JobState:
        task = asyncio.current_task()
        for run in range(1, MAX_RUNS + 1):
            cancels = task.cancelling() if task else 0
            fields[b"ats"], fields[b"processedOn"] = b"%d" % run, _now()
            settlement = await self._worker.execute(job)
            if task and task.cancelling() > cancels:
                raise asyncio.CancelledError  # meant for the caller, not for the job
            if settlement is None or settlement.kind not in "cfrsl":
                raise WrongPlace(f"job {job.name!r} ended as it cannot inline; use toril.testing.manual")
            if settlement.kind in "sl":  # a snooze, or a rate limit: unspent
                continue
            fields[b"atm"] = b"%d" % (job.attempts_made + 1)
            if settlement.kind == "c":
                fields[b"returnvalue"], fields[b"finishedOn"] = settlement.text.encode(), _now()
                return JobState.COMPLETED
            fields[b"failedReason"] = settlement.text.encode("utf-8", "replace")
            fields[b"stacktrace"] = settlement.trace.encode()
            if settlement.kind == "f":
                fields[b"finishedOn"] = _now()
                return JobState.FAILED
        raise WrongPlace(f"job {job.name!r} was to run more than {MAX_RUNS} times; use toril.testing.manual")

    def _known_job(self, job_id: str) -> tuple[Job, Fields, list[str]]:
        found = self._ran.get(job_id)
        if found is None:
            raise JobNotFound(f"no job {job_id} in queue {self.name}", job_id)
        return found

    async def get_job(self, job_id: str) -> Job | None:
        """Return a job that was run."""
        return self._ran[job_id][0] if job_id in self._ran else None

    async def get_state(self, job_id: str) -> JobState:
        """Where a job is: at its end, or active. Raises JobNotFound."""
        self._known_job(job_id)
        return self._ended.get(job_id, JobState.ACTIVE)

    async def wait(self, job_id: str, timeout: float | timedelta | None = None) -> Json:
        """Return a job's result, or raise its failure; see `Job.wait`."""
        job, fields, _ = self._known_job(job_id)
        if (state := await self.get_state(job_id)) is JobState.ACTIVE:
            raise WrongPlace(f"job {job_id} waits for itself")
        if state is JobState.FAILED:
            raise _failure(job)
        return decode_json(fields[b"returnvalue"], f"result of job {job_id}")

    async def update_progress(self, job_id: str, progress: Json) -> None:
        """Tell how far a job has come. Raises JobNotFound, InvalidPayload."""
        self._known_job(job_id)[1][b"progress"] = encode_json(progress, "progress").encode()

    async def log(self, job_id: str, line: str, *, keep: int | None = None) -> int:
        """Add a line to a job's log and return how many there are. Raises JobNotFound."""
        logs = self._known_job(job_id)[2]
        logs.append(line)
        if keep is not None:
            del logs[:-keep]
        return len(logs)

    async def close(self) -> None:
        """There is nothing to close."""


class _InlineFlows(FlowProducer):
    async def add_many(self, flows: Sequence[FlowJob]) -> list[FlowNode]:
        raise WrongPlace("flows cannot run inline; use toril.testing.manual")


async def _no_server(
    *args: Argument, timeout: float = CALL_TIMEOUT, replicas: Replicas | None = None
) -> Reply:
    raise WrongPlace(
        f"inline mode has no server, so this cannot be done ({args[0]!r}); use toril.testing.manual"
    )


@contextlib.contextmanager
def inline(app: Toril, *, raise_failures: bool = True) -> Iterator[Inline]:
    """Run each job of the application when it is enqueued, while the block runs. Needs no server.

    The job runs to its end in the task that enqueues it, through the worker's own steps: payload,
    time limit, handler, outcome. Retries follow at once, without their backoff, and a delay is not
    waited for. A job id runs once, a deduplication key with a time to live once in the block. Verbs
    that need a server raise `WrongPlace`, as flows do.

    `with toril.testing.inline(app) as jobs: ...`

    Args:
        app: The application. All tasks that use it are inline meanwhile.
        raise_failures: Whether a job that has failed for good raises `JobFailed` where it was
            enqueued, or that which led to it; not within handlers, which do not hear of it on a
            server either. `jobs.failed`, `job.wait()` and `job.failed_reason` tell of it anyway.

    Raises:
        InvalidOption: what is given is no application.
    """
    if not isinstance(app, Toril):
        raise InvalidOption(f"inline needs a Toril application, not {type(app).__name__}")
    mode = Inline(app, raise_failures)
    with app.redirected(queue=mode.make_queue, flows=_InlineFlows(app.url, prefix=app.prefix)):
        yield mode


def _failure(job: Job) -> JobFailed:
    error = JobFailed(job.failed_reason or "", job.id)
    for trace in job.stacktrace[-1:]:
        error.add_note(trace)
    return error


def _now() -> bytes:
    return b"%d" % round(time.time() * 1000)
