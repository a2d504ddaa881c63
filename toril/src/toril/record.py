"""Job: one job of a queue, as it was when it was read, with the verbs on it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol

from .codec import decode_json, decode_options
from .errors import InvalidPayload
from .job import Cancellation, JobOptions, JobState, Json
from .kin import Kin, KinActions
from .outcome import Cancelled

_UNREAD = object()


class JobActions(KinActions, Protocol):
    """What a job needs of its queue."""

    async def get_state(self, job_id: str) -> JobState: ...
    async def retry(self, job_id: str, *, reset_attempts: bool = True) -> None: ...
    async def change_delay(self, job_id: str, delay: float | timedelta) -> None: ...
    async def change_priority(self, job_id: str, priority: int, *, lifo: bool = False) -> None: ...
    async def update_data(self, job_id: str, data: Json) -> None: ...
    async def get_logs(self, job_id: str, start: int = 0, end: int = -1) -> list[str]: ...
    async def clear_logs(self, job_id: str, *, keep: int = 0) -> None: ...
    async def release_deduplication(self, job_id: str, key: str) -> bool: ...
    async def promote(self, job_id: str) -> None: ...
    async def cancel(self, job_id: str, reason: str = "") -> Cancellation: ...
    async def remove(self, job_id: str, *, children: bool = True) -> None: ...
    async def update_progress(self, job_id: str, progress: Json) -> None: ...
    async def log(self, job_id: str, line: str, *, keep: int | None = None) -> int: ...
    async def wait(self, job_id: str, timeout: float | timedelta | None = None) -> Json: ...


class Job(Kin):
    """One job, as it was when it was read from the server.

    Fields are read from the hash when they are asked for. One that cannot be read raises
    `InvalidPayload`, so that a job which another client has written wrongly can still be listed.

    Attributes:
        id: The job's id, unique in its queue.
        created: Whether this `add` made it; False if it is the earlier job of the same id or key.
        stopping: While it runs: whether its worker stops and hands it back unspent.
    """

    __slots__ = ("_cancel_reason", "_data", "created", "stopping")

    _actions: JobActions

    def __init__(
        self, actions: JobActions, job_id: str, fields: Mapping[bytes, bytes], *, created: bool = True
    ) -> None:
        self._actions = actions
        self._fields = fields
        self._data: Json = _UNREAD
        self._cancel_reason: str | None = None
        self.stopping = False
        self.id = job_id
        self.created = created

    def __repr__(self) -> str:
        return f"<Job {self.queue}:{self.id} {self._text(b'name')!r}>"

    def _text(self, field: bytes) -> str | None:
        raw = self._fields.get(field)
        return None if raw is None else raw.decode("utf-8", "replace")

    def _number(self, field: bytes) -> int:
        raw = self._fields.get(field, b"0")
        try:
            return int(float(raw))
        except (ValueError, OverflowError):
            raise InvalidPayload(
                f"field {field.decode()} of job {self.id} is no number: {raw[:50]!r}"
            ) from None

    def _time(self, field: bytes) -> datetime | None:
        ms = self._number(field)
        return datetime.fromtimestamp(ms / 1000, UTC) if ms else None

    @property
    def fields(self) -> Mapping[bytes, bytes]:
        """The hash as it was read: what clients wrote, also where it cannot be decoded."""
        return self._fields

    @property
    def queue(self) -> str:
        """The queue's name."""
        return self._actions.name

    @property
    def name(self) -> str:
        """The job's name; handlers are chosen by it."""
        return self._text(b"name") or ""

    @property
    def data(self) -> Json:
        """The payload, decoded once.

        Raises:
            InvalidPayload: it is no JSON.
        """
        if self._data is _UNREAD:
            self._data = decode_json(self._fields.get(b"data", b"{}"), f"data of job {self.id}")
        return self._data

    @property
    def options(self) -> JobOptions:
        """The options that it was added with."""
        return decode_options(self._fields.get(b"opts", b"{}"))

    @property
    def timestamp(self) -> datetime | None:
        """When it was added, UTC."""
        return self._time(b"timestamp")

    @property
    def processed_on(self) -> datetime | None:
        """When its last run began, UTC."""
        return self._time(b"processedOn")

    @property
    def finished_on(self) -> datetime | None:
        """When it was completed or failed for good, UTC."""
        return self._time(b"finishedOn")

    @property
    def delay(self) -> float:
        """Seconds that it is or was last delayed."""
        return self._number(b"delay") / 1000

    @property
    def priority(self) -> int:
        """0 (none) or 1 (first) to 2,097,151 (last)."""
        return self._number(b"priority")

    @property
    def attempts_made(self) -> int:
        """How many runs have ended, by completion or failure."""
        return self._number(b"atm")

    @property
    def attempts_started(self) -> int:
        """How many runs have begun."""
        return self._number(b"ats")

    @property
    def stalled_count(self) -> int:
        """How often its worker has died."""
        return self._number(b"stc")

    @property
    def progress(self) -> Json:
        """What `update_progress` was given last, or 0."""
        return decode_json(self._fields.get(b"progress", b"0"), f"progress of job {self.id}")

    @property
    def return_value(self) -> Json:
        """What the handler returned; None before that."""
        return decode_json(self._fields.get(b"returnvalue", b"null"), f"result of job {self.id}")

    @property
    def failed_reason(self) -> str | None:
        """The last failure's message."""
        return self._text(b"failedReason")

    @property
    def deferred_failure(self) -> str | None:
        """Why the job is to fail instead of being run: it stalled too often."""
        return self._text(b"defa")

    @property
    def deadline(self) -> datetime | None:
        """When it fails if it is not done, UTC; None without a deadline."""
        limit = self.options.deadline
        if limit is None or isinstance(limit, datetime):
            return limit
        return None if self.timestamp is None else self.timestamp + timedelta(seconds=limit)

    @property
    def cancel_reason(self) -> str | None:
        """Why it was cancelled, perhaps an empty text; None if it was not. While it runs, up to date."""
        return self._text(b"toril:cancel") if self._cancel_reason is None else self._cancel_reason

    @property
    def cancelled(self) -> bool:
        """Whether it is to end: it was cancelled, or its worker stops (`stopping`).

        A handler in a thread looks at this now and then; others are cancelled by themselves.
        """
        return self.stopping or self.cancel_reason is not None

    def raise_if_cancelled(self) -> None:
        """Leave the handler if the job was cancelled, or goes back because its worker stops.

        Raises:
            Cancelled: it is so; the handler lets it pass.
        """
        if self.cancelled:
            raise Cancelled("its worker stops" if self.cancel_reason is None else self.cancel_reason)

    def mark_cancelled(self, reason: str) -> None:
        """Note in this object that the job was cancelled; for the worker that runs it."""
        self._cancel_reason = reason

    def mark_stopping(self) -> None:
        """Note in this object that its worker stops; for the worker that runs it."""
        self.stopping = True

    @property
    def stacktrace(self) -> list[str]:
        """The failures' stack traces, oldest first; ten at the most."""
        found = decode_json(self._fields.get(b"stacktrace", b"[]"), f"stack traces of job {self.id}")
        return [str(trace) for trace in found] if isinstance(found, list) else []

    @property
    def processed_by(self) -> str | None:
        """The name of the worker that ran it last."""
        return self._text(b"pb")

    @property
    def scheduler_id(self) -> str | None:
        """The job scheduler that made it."""
        return self._text(b"rjk")

    @property
    def deduplication_id(self) -> str | None:
        """The deduplication key that it was added with."""
        return self._text(b"deid")

    async def get_state(self) -> JobState:
        """Where the job is now. Raises JobNotFound."""
        return await self._actions.get_state(self.id)

    async def retry(self, *, reset_attempts: bool = True) -> None:
        """Let the finished job run again. Raises JobNotFound, JobNotInState."""
        await self._actions.retry(self.id, reset_attempts=reset_attempts)

    async def change_delay(self, delay: float | timedelta) -> None:
        """Let the delayed job be due in `delay` seconds. Raises JobNotFound, JobNotInState."""
        await self._actions.change_delay(self.id, delay)

    async def change_priority(self, priority: int, *, lifo: bool = False) -> None:
        """Change the job's priority, and its place if it waits. Raises JobNotFound."""
        await self._actions.change_priority(self.id, priority, lifo=lifo)

    async def update_data(self, data: Json) -> None:
        """Put other data into the job, here and on the server. Raises JobNotFound, InvalidPayload."""
        await self._actions.update_data(self.id, data)
        self._data = data

    async def remove_deduplication_key(self) -> bool:
        """Let the next add be no duplicate of this job; returns whether it was the one that held the key."""
        key = self.deduplication_id
        return key is not None and await self._actions.release_deduplication(self.id, key)

    async def promote(self) -> None:
        """Let the delayed job run now. Raises JobNotFound, JobNotInState."""
        await self._actions.promote(self.id)

    async def cancel(self, reason: str = "") -> Cancellation:
        """Let the job fail as cancelled: now if it waits, by its worker if it runs.

        Raises:
            JobNotFound: there is no such job.
            JobNotInState: it has ended, or it is the next job of a scheduler.
        """
        return await self._actions.cancel(self.id, reason)

    async def remove(self, *, children: bool = True) -> None:
        """Remove the job, and its children. Raises JobNotFound, JobLocked, JobNotInState."""
        await self._actions.remove(self.id, children=children)

    async def update_progress(self, progress: Json) -> None:
        """Tell how far the job has come: a number or an object. Raises JobNotFound, InvalidPayload."""
        await self._actions.update_progress(self.id, progress)

    async def log(self, line: str) -> int:
        """Add a line to the job's log, of which `keep_logs` stay; returns how many there are.

        Raises:
            JobNotFound: the job was removed.
        """
        return await self._actions.log(self.id, line, keep=self.options.keep_logs)

    async def get_logs(self, start: int = 0, end: int = -1) -> list[str]:
        """Read the job's log lines, the oldest first; -1 is the newest."""
        return await self._actions.get_logs(self.id, start, end)

    async def clear_logs(self, *, keep: int = 0) -> None:
        """Remove the log lines but the newest `keep`."""
        await self._actions.clear_logs(self.id, keep=keep)

    async def wait(self, timeout: float | timedelta | None = None) -> Json:
        """Wait for the job's end and return its result.

        Args:
            timeout: Seconds, or None to wait without limit.

        Raises:
            JobFailed: it failed for good.
            JobNotFound: it was removed.
            WaitTimeout: it did not finish in time.
        """
        return await self._actions.wait(self.id, timeout)
