"""Keeping things no longer than they may be kept, in bounded batches until nothing is left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts import service as accounts
from insightdesk.accounts.service import Principal
from insightdesk.database import Database
from insightdesk.dead_letters import service as dead_letters
from insightdesk.retention import repository
from insightdesk.retention.limits import KEPT, LIMIT_NAMES, OUTBOX_LIMIT, Limits

log = structlog.get_logger(__name__)

BATCH = 500

Step = Callable[[AsyncSession], Awaitable[int]]
"""Archives or purges one batch; returns how many."""

_LOST = "outbox jobs purged"


async def limits(session: AsyncSession, organization_id: str) -> Limits:
    """The organization's limits, the defaults where it has set none."""
    own = await repository.settings_of(session, organization_id)
    return Limits() if own is None else Limits(**{name: getattr(own, name) for name in LIMIT_NAMES})


async def set_limits(session: AsyncSession, actor: Principal, wanted: Limits) -> None:
    """Set the limits of the actor's organization; the next archive run follows them."""
    await repository.put_settings(session, actor.organization_id, wanted)
    accounts.audit(session, actor, "retention.set", "organization", actor.organization_id, **asdict(wanted))


async def run(database: Database, now: datetime, *, batch: int = BATCH) -> dict[str, int]:
    """Archive old closed tickets, then purge everything that is older than its limit.

    Each batch is a transaction of its own: a crash loses at most the batch at hand, which the next run
    finds again.

    Returns:
        How many were archived and purged, by kind; kinds of which there were none are left out.
    """
    steps: dict[str, Step] = {
        "tickets archived": partial(_archive, now=now, limit=batch),
        **{
            f"{kept.kind} purged": partial(repository.purge, kept=kept, now=now, limit=batch) for kept in KEPT
        },
        "dead letters purged": partial(dead_letters.purge, now=now, limit=batch),
        _LOST: partial(repository.purge_outbox, before=now - OUTBOX_LIMIT, limit=batch),
    }
    done = {name: await _until_none_is_left(database, step, batch) for name, step in steps.items()}
    if lost := done[_LOST]:
        log.error("jobs were never enqueued: no relay ran, or none could", jobs=lost, days=OUTBOX_LIMIT.days)
    return {name: count for name, count in done.items() if count}


async def _archive(session: AsyncSession, now: datetime, limit: int) -> int:
    ids = await repository.lock_archivable(session, now, limit)
    if ids:
        await repository.archive(session, ids, now)
    return len(ids)


async def _until_none_is_left(database: Database, step: Step, batch: int) -> int:
    total = 0
    while True:
        async with database.transaction() as session:
            done = await step(session)
        total += done
        if done < batch:
            return total
