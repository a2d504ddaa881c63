"""The jobs of the `ticket-actions` queue."""

from __future__ import annotations

from typing import Annotated

import msgspec
import structlog

import toril
from insightdesk.database import database, transaction
from insightdesk.jobs import MEDIUM, app
from insightdesk.kit import clock
from insightdesk.tickets.auto_close import service, warning

log = structlog.get_logger(__name__)

_KEEP_COMPLETED = toril.Keep(count=10_000, age=3600.0)
_KEEP_FAILED = toril.Keep(count=10_000, age=86_400.0)

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


@app.job(
    "ticket-actions",
    name="auto-close-scan",
    **MEDIUM.options,
    timeout=1800.0,
    keep_completed=toril.Keep(count=100, age=86_400.0),
    keep_failed=toril.Keep(count=500, age=86_400.0),
)
async def auto_close_scan() -> dict[str, int]:
    """Closes every ticket that has been resolved for long enough, and warns of those that soon will be."""
    result = await service.scan(database(), clock.now())
    if result.closed or result.warned:
        log.info("auto-close scan", closed=result.closed, warned=result.warned)
    return {"closed": result.closed, "warned": result.warned}


@app.job(
    "ticket-actions",
    name="auto-close",
    **MEDIUM.options,
    timeout=30.0,
    keep_completed=_KEEP_COMPLETED,
    keep_failed=_KEEP_FAILED,
)
async def auto_close(ticket_id: str, reason: Reason) -> bool:
    """Closes one ticket for a producer's own reason; tells whether it did."""
    async with transaction() as session:
        return await service.close(session, ticket_id, reason, clock.now())


@app.job(
    "ticket-actions",
    name="auto-close-warning",
    **MEDIUM.options,
    timeout=30.0,
    keep_completed=_KEEP_COMPLETED,
    keep_failed=_KEEP_FAILED,
)
async def warn_of_auto_close(ticket_id: str) -> None:
    """Tells the customer that the ticket will soon be closed, unless it is no longer resolved."""
    async with transaction() as session:
        await warning.send(session, ticket_id)
