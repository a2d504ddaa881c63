"""Takes rows from the outbox, and reads them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from ..codec import AddArguments, add_arguments, addressed, decode_options
from ..job import JobOptions, NewJob, check_id
from ..storage.keys import Keys

AT_LEAST = 0.001
"""Seconds that a deadline still has when the relay comes too late for it: the job fails by its deadline."""


class Row(NamedTuple):
    """One row; `data` and `options` are JSON, `age` is in seconds."""

    id: str
    queue: str
    name: str
    data: str
    options: str
    age: float


class _Kind(NamedTuple):
    """What rows of one queue and name and the same options have in common."""

    options: JobOptions
    arguments: AddArguments
    timed: bool


async def take(connection: AsyncConnection, table: sa.Table, count: int, but: Collection[str]) -> list[Row]:
    """Delete the oldest rows that no other transaction has taken, and return them, the oldest first."""
    place: sa.ColumnElement[object] = sa.literal_column("ctid")
    oldest = sa.select(place).select_from(table).order_by(table.c.id).limit(count)
    if but:
        oldest = oldest.where(table.c.id != sa.all_(sa.literal(list(but), ARRAY(sa.Text))))
    picked = sa.func.array(oldest.with_for_update(skip_locked=True).scalar_subquery())
    age = sa.func.extract("epoch", sa.func.clock_timestamp() - table.c.created_at)
    gone = (
        sa.delete(table)
        # By their places, since the planner may know nothing of a table that was filled just now.
        .where(place == sa.func.any(picked))
        .returning(
            table.c.id,
            table.c.queue,
            table.c.name,
            sa.cast(table.c.data, sa.Text).label("data"),
            sa.cast(table.c.options, sa.Text).label("options"),
            sa.cast(age, sa.Double).label("age"),
        )
        .cte("gone")
    )
    found = await connection.execute(sa.select(gone).order_by(gone.c.id))
    return [Row(*row) for row in found]


def arguments(row: Row) -> AddArguments:
    """Write a row as add_jobs.lua reads it.

    Raises:
        InvalidOption, InvalidPayload: it is no job; `enqueue` writes none of this kind.
    """
    kind = _kind(row.queue, row.name, row.options)
    if kind.options.job_id is None:
        check_id(row.id)
    made = kind.arguments
    if kind.timed:
        made = add_arguments(NewJob.with_options(row.name, None, _left(kind.options, row.age)))
    return addressed(made, kind.options.job_id or row.id, row.data)


@lru_cache(maxsize=1024)
def _kind(queue: str, name: str, raw: str) -> _Kind:
    Keys(queue)  # refuses what is no queue's name
    read = decode_options(raw.encode())
    # What was read is only known to be of the right types.
    options = JobOptions.of(**{field: getattr(read, field) for field in read.__slots__})
    timed = bool(options.delay) or isinstance(options.deadline, float)
    return _Kind(options, add_arguments(NewJob.with_options(name, None, options)), timed)


def _left(options: JobOptions, age: float) -> JobOptions:
    deadline = options.deadline
    if isinstance(deadline, float):
        deadline = max(deadline - age, AT_LEAST)
    return replace(options, delay=max(options.delay - age, 0.0), deadline=deadline)
