"""Adding jobs from views and models, and handlers that use Django's database."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from django.db import close_old_connections, connections, transaction

from ...definition import JobDefinition
from .application import portal

P = ParamSpec("P")
R = TypeVar("R")

_INSERT = (
    "INSERT INTO toril_outbox (id, queue, name, data, options)"
    " VALUES (%(id)s, %(queue)s, %(name)s, %(data_text)s::json, %(options_text)s::json)"
)


def enqueue(definition: JobDefinition[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> str:
    """Add a job now, from plain code, whatever becomes of a transaction; returns its id.

    An `async def` view awaits `definition.enqueue(...)` instead.

    Raises:
        InvalidPayload: an argument does not fit the handler's signature.
        ConnectionFailed: the server cannot be reached.
    """
    (job,) = portal().add(definition.queue, [definition.new_job(*args, **kwargs)])
    return job.id


def enqueue_on_commit(definition: JobDefinition[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> None:
    """Add a job when the present transaction has committed; at once if there is none.

    If the process dies, or the server is gone, just after the commit, the job is lost: where that matters,
    use `enqueue_in_transaction`.

    Raises:
        InvalidPayload: an argument does not fit the handler's signature.
    """
    job = definition.new_job(*args, **kwargs)  # what is wrong with it is told here
    queue = definition.queue
    transaction.on_commit(lambda: portal().add(queue, [job]))


def enqueue_in_transaction(definition: JobDefinition[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> str:
    """Write a job into the outbox, in the present transaction of the default database; returns its id.

    It leaves by a relay (`manage.py toril_worker --relay`) once that has committed, and exactly then. Needs
    PostgreSQL and the application's migration.

    Raises:
        InvalidPayload: an argument does not fit the handler's signature.
    """
    # These need SQLAlchemy, which other users of this module need not have.
    from ...outbox.table import CHANNEL
    from ...outbox.writing import rows_of

    (row,) = rows_of(definition.queue, [definition.new_job(*args, **kwargs)])
    with connections["default"].cursor() as cursor:
        cursor.execute(_INSERT, row)
        cursor.execute(f"NOTIFY {CHANNEL}")
    return definition.default_options.get("job_id") or row["id"]


def with_database(handler: Callable[P, R]) -> Callable[P, R]:
    """Let a plain `def` handler use the ORM: its thread's connections are closed when it ends."""

    @functools.wraps(handler)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        close_old_connections()
        try:
            return handler(*args, **kwargs)
        finally:
            connections.close_all()

    return cast("Callable[P, R]", run)
