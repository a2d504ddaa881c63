"""Writes jobs as rows, in the caller's transaction."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.sql import Executable

from ..codec import add_arguments
from ..errors import InvalidOption
from ..hooks import Telemetry, overriding, sending
from ..job import NewJob
from ..storage.keys import Keys
from .table import CHANNEL, TABLE


class Executor(Protocol):
    """An `AsyncConnection` or `AsyncSession`, inside a transaction."""

    async def execute(self, statement: Executable, params: Any = None, /) -> Any: ...


class SyncExecutor(Protocol):
    """A `Connection` or `Session`, inside a transaction."""

    def execute(self, statement: Executable, params: Any = None, /) -> Any: ...


async def enqueue(
    connection: Executor,
    queue: str,
    *jobs: NewJob,
    table: sa.Table = TABLE,
    telemetry: Sequence[Telemetry] = (),
) -> list[str]:
    """Write jobs in the caller's transaction; they leave when it commits. Returns their ids.

    A delay and a deadline count from now on, not from when the relay gets to the row.

    Args:
        connection: Where the transaction is.
        queue: The queue's name.
        jobs: What is to be added.
        table: The outbox's table.
        telemetry: Follows the jobs from here on; it is told of none as added, which only the relay does.

    Raises:
        InvalidOption: the queue's name is wrong, a job has a parent, which may be gone by then, or a name
            contains NUL, which PostgreSQL cannot store.
        InvalidPayload: a job's data cannot be written as JSON, or is larger than its size_limit.
    """
    with sending(overriding(telemetry, "sending"), queue, jobs) as sent:
        rows = rows_of(queue, sent.jobs)
        for statement in _statements(rows, table):
            await connection.execute(*statement)
        return _ids(rows, sent.jobs)


def enqueue_sync(
    connection: SyncExecutor,
    queue: str,
    *jobs: NewJob,
    table: sa.Table = TABLE,
    telemetry: Sequence[Telemetry] = (),
) -> list[str]:
    """The same for a `Connection` or `Session` of SQLAlchemy's that is not asynchronous; see `enqueue`."""
    with sending(overriding(telemetry, "sending"), queue, jobs) as sent:
        rows = rows_of(queue, sent.jobs)
        for statement in _statements(rows, table):
            connection.execute(*statement)
        return _ids(rows, sent.jobs)


def rows_of(queue: str, jobs: Sequence[NewJob]) -> list[dict[str, str]]:
    """The rows of jobs: `id`, `queue`, `name`, and as JSON `data_text` and `options_text`; see `enqueue`."""
    Keys(queue)  # a name that no queue can have is refused here, where its writer hears of it
    # Time first, so that inserts stay at the index's end and rows leave in the order of their making.
    call = f"ob-{time.time_ns():016x}-{os.urandom(6).hex()}"
    return [_row(f"{call}-{number:06x}", queue, job) for number, job in enumerate(jobs)]


def _statements(
    rows: Sequence[dict[str, str]], table: sa.Table
) -> list[tuple[Executable, Sequence[dict[str, str]]] | tuple[Executable]]:
    return [(_insert(table), rows), (sa.text(f"NOTIFY {CHANNEL}"),)] if rows else []


def _ids(rows: Sequence[dict[str, str]], jobs: Sequence[NewJob]) -> list[str]:
    return [job.options.job_id or row["id"] for job, row in zip(jobs, rows, strict=True)]


def _row(row_id: str, queue: str, job: NewJob) -> dict[str, str]:
    if job.options.parent is not None:
        raise InvalidOption(f"job {job.name!r} has a parent: such a job cannot go through the outbox")
    if "\0" in queue + job.name:
        raise InvalidOption(f"{queue!r} and {job.name!r}: names in the outbox must not contain NUL")
    _, data, shape = add_arguments(job)
    return {
        "id": row_id,
        "queue": queue,
        "name": job.name,
        "data_text": data,
        "options_text": shape.options,
    }


def _insert(table: sa.Table) -> sa.Insert:
    # Both are JSON already, which a JSON parameter would write as a string.
    texts = {
        column: sa.cast(sa.bindparam(f"{column}_text", type_=sa.Text), table.c[column].type)
        for column in ("data", "options")
    }
    return sa.insert(table).values(**texts)
