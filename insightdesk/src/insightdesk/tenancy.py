"""The one place that keeps organizations apart: whose rows a transaction may touch.

PostgreSQL itself holds the line (row level security): a transaction on behalf of an organization runs as
the role `insightdesk_member`, for which each table with an `organization_id` shows and takes the rows of
that organization alone, whatever the query forgets to ask. Who a transaction works for is a property of
the running request or job:

- `everyone()`: no restriction. That of workers, commands and scans; a request must say so.
- `within(id)`: one organization. Set by the login of a request, and for jobs by `confine_job`.
- nobody, yet: that of a request until it has proved who it is. A transaction is refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from sqlalchemy import Connection, MetaData, Table, text
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import ASGIApp, Receive, Scope, Send

import toril

ROLE = "insightdesk_member"
"""The role that may see one organization. It cannot log in; the program's own user takes it on."""

_SETTING = "insightdesk.organization"
_POLICY = "one_organization"
# Any number that nothing else on the server takes: roles belong to all databases of a server.
_ROLE_LOCK = 7_246_353_119


class NobodyYet(RuntimeError):
    """A request touches the database before it has proved who it is.

    A route for people takes `CurrentPrincipal`; one that anybody may call looks up what the caller's secret
    stands for `with everyone():`, and goes on `with within(organization_id):`.
    """


@dataclass(frozen=True)
class _Reach:
    """Whose rows are in reach; None for everybody's."""

    organization_id: str | None


_EVERYONE = _Reach(None)
_reach: ContextVar[_Reach | None] = ContextVar("insightdesk_reach", default=_EVERYONE)


@contextmanager
def everyone() -> Iterator[None]:
    """Transactions of this block see all organizations."""
    before = _reach.set(_EVERYONE)
    try:
        yield
    finally:
        _reach.reset(before)


@contextmanager
def within(organization_id: str) -> Iterator[None]:
    """Transactions of this block see one organization."""
    before = _reach.set(_Reach(organization_id))
    try:
        yield
    finally:
        _reach.reset(before)


def stay_within(organization_id: str) -> None:
    """What is left of this request sees one organization; `RequestBoundary` ends it."""
    _reach.set(_Reach(organization_id))


async def restrict(session: AsyncSession) -> None:
    """Put a transaction that has just begun under what the running request or job may reach.

    Raises:
        NobodyYet: It is a request that has not proved who it is.
    """
    reach = _reach.get()
    if reach is None:
        raise NobodyYet(NobodyYet.__doc__)
    if reach.organization_id is not None:
        # Both settings end with the transaction, so a connection goes back to the pool as it came.
        await session.execute(
            text(f"SELECT set_config('role', '{ROLE}', true), set_config('{_SETTING}', :id, true)"),
            {"id": reach.organization_id},
        )


class RequestBoundary:
    """Each request begins as nobody's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        before = _reach.set(None)
        try:
            await self._app(scope, receive, send)
        finally:
            _reach.reset(before)


async def confine_job(job: toril.Job, call: Callable[[], Awaitable[toril.Json]]) -> toril.Json:
    """Middleware of the workers: a job that names its organization sees that one alone."""
    named = job.data.get("organizationId") if isinstance(job.data, dict) else None
    if not isinstance(named, str):
        return await call()
    with within(named):
        return await call()


def install(connection: Connection, metadata: MetaData) -> None:
    """Make the role and the tables' policies, where they are missing. Each migration ends with it, so that a
    new table is guarded without anybody's remembering it."""
    connection.execute(text(f"SELECT pg_advisory_xact_lock({_ROLE_LOCK})"))
    connection.execute(
        text(
            f"DO $$ BEGIN CREATE ROLE {ROLE} NOLOGIN; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )
    )
    schema = connection.scalar(text("SELECT quote_ident(current_schema())"))
    for statement in (
        f"GRANT {ROLE} TO CURRENT_USER",
        f"GRANT USAGE ON SCHEMA {schema} TO {ROLE}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {ROLE}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {ROLE}",
    ):
        connection.execute(text(statement))
    guarded = set(
        connection.scalars(
            text(
                "SELECT tablename FROM pg_policies WHERE schemaname = current_schema() AND policyname = :name"
            ),
            {"name": _POLICY},
        )
    )
    for table, column in tenant_tables(metadata):
        if table.name not in guarded:
            own = f"{column} = current_setting('{_SETTING}')"
            connection.execute(text(f"ALTER TABLE {table.name} ENABLE ROW LEVEL SECURITY"))
            connection.execute(text(f"CREATE POLICY {_POLICY} ON {table.name} TO {ROLE} USING ({own})"))


def tenant_tables(metadata: MetaData) -> list[tuple[Table, str]]:
    """Each table whose rows belong to organizations, with the column that says to which."""
    found = [(table, "organization_id") for table in metadata.sorted_tables if "organization_id" in table.c]
    return [(metadata.tables["organizations"], "id"), *found]
