"""What the helpdesk's own jobs cost on the desk. Each handler is called as a worker calls it."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from sqlalchemy import Engine, event, text

from insightdesk.accounts.models import Role
from insightdesk.accounts.service import ids_with_role
from insightdesk.database import database, transaction
from insightdesk.kit import clock
from insightdesk.reports.digest.jobs import daily_digest, daily_digest_agent
from insightdesk.sla.scan import scan
from insightdesk.tenancy import within
from insightdesk.tickets.auto_close.jobs import auto_close_scan

from .generate import make_due, make_resolved

DIGESTS_AT_A_TIME = 2  # as the queue `reports` has it


@dataclass
class Counted:
    """Statements that went to the database."""

    queries: int = 0


@asynccontextmanager
async def counted() -> AsyncIterator[Counted]:
    """Count the statements of the block."""
    found = Counted()

    def note(*_: object) -> None:
        found.queries += 1

    engine: Engine = database().engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def _handled(job: object) -> object:
    """Await a handler that was called by itself; its definition is typed by what it returns in the end."""
    return await cast("Awaitable[object]", job)


async def _empty_outbox() -> None:
    async with transaction() as session:
        await session.execute(text("TRUNCATE toril_outbox"))


async def sla_scan(due: int, repeats: int = 5) -> tuple[float, int]:
    """Median seconds of a scan that finds ``due`` clocks, and its statements."""
    times, queries = [], 0
    await scan(database(), clock.now())  # whatever is due by itself
    for _ in range(repeats):
        async with database().engine.begin() as connection:
            await connection.run_sync(make_due, due)
        async with counted() as found:
            started = time.perf_counter()
            result = await scan(database(), clock.now())
            times.append(time.perf_counter() - started)
        if result.looked.breached != due:
            raise RuntimeError(f"the scan found {result.looked.breached} of {due}")
        queries = found.queries
        await _empty_outbox()
    return statistics.median(times), queries


async def digests(organizations: int) -> tuple[float, float, int]:
    """Seconds of the digest of all organizations, statements a job, and jobs."""
    day = (clock.now() - timedelta(days=1)).date()
    slots, jobs = asyncio.Semaphore(DIGESTS_AT_A_TIME), 0

    async def run(organization_id: str, job: object) -> None:
        nonlocal jobs
        with within(organization_id):
            await _handled(job)
        jobs += 1

    async def one(organization_id: str) -> None:
        async with slots:
            await run(organization_id, daily_digest(organization_id, day))
            async with transaction() as session:
                agents = sorted(await ids_with_role(session, organization_id, Role.AGENT))
            for agent in agents:
                await run(organization_id, daily_digest_agent(organization_id, agent, day))

    async with counted() as found:
        started = time.perf_counter()
        await asyncio.gather(*(one(f"desk-{number}") for number in range(1, organizations + 1)))
        seconds = time.perf_counter() - started
    await _empty_outbox()
    # Each organization's list of agents was read here once more, in a transaction.
    return seconds, (found.queries - organizations) / jobs, jobs


async def auto_close(count: int) -> tuple[float, int]:
    """Seconds to close ``count`` tickets, and statements in all."""
    async with database().engine.begin() as connection:
        await connection.run_sync(make_resolved, count)
        # So many do not come about at once; autovacuum would have looked at them long before.
        await connection.execute(text("ANALYZE tickets"))
    async with counted() as found:
        started = time.perf_counter()
        result = cast("dict[str, int]", await _handled(auto_close_scan()))
        seconds = time.perf_counter() - started
    if result["closed"] != count:
        raise RuntimeError(f"{result['closed']} of {count} tickets were closed")
    await _empty_outbox()
    return seconds, found.queries
