"""Passes over many clocks: the five-minute scan, and the recomputing after a change of rules.

Batches are transactions of their own: a crash loses at most the batch at hand, which the next pass finds
again. Each pass has a cursor, so a clock that somebody else holds is left to him and to the next pass.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.database import Database
from insightdesk.sla import movement, opening, repository, rules, staging, watch
from insightdesk.sla.models import SlaClock
from insightdesk.sla.watch import Looked
from insightdesk.tickets.models import Ticket

BATCH = 500


@dataclass(frozen=True)
class ScanResult:
    """What one scan did."""

    looked: Looked
    staged: int


async def scan(database: Database, now: datetime, *, batch: int = BATCH) -> ScanResult:
    """Look at every clock whose moment has come, and stage the checks of the next 24 hours."""
    looked, staged = Looked(), 0
    cursor: tuple[datetime, str] | None = None
    while True:
        async with database.transaction() as session:
            found = await repository.due(session, now, cursor, batch)
            if found:
                cursor = found[-1][0], found[-1][1]
                pairs = [(clock_id, ticket_id) for _, clock_id, ticket_id in found]
                tickets, clocks = await _lock(session, pairs, skip_locked=True)
                # Whoever held one of them a moment ago may have done what was to be done.
                still = [clock for clock in clocks if clock.next_at is not None and clock.next_at < now]
                looked += await watch.look(session, tickets, still, now)
        if len(found) < batch:
            break
    while True:
        async with database.transaction() as session:
            near = await repository.lock_unstaged(session, now + staging.HORIZON, batch)
            staged += await staging.stage_checks(session, near, now)
        if len(near) < batch:
            break
    return ScanResult(looked, staged)


async def recompute(database: Database, organization_id: str, now: datetime, *, batch: int = BATCH) -> int:
    """Let every running clock of an organization follow its rules as they are now, and start those of what
    its open tickets are promised only now.

    Returns:
        How many clocks have another moment now at which somebody must look, or their first.
    """
    moved = await _follow_all(database, organization_id, now, batch)
    return moved + await _open_all(database, organization_id, now, batch)


async def _follow_all(database: Database, organization_id: str, now: datetime, batch: int) -> int:
    moved, cursor = 0, ""
    while True:
        async with database.transaction() as session:
            pairs = await repository.open_ones(session, organization_id, cursor, batch)
            if pairs:
                cursor = pairs[-1][0]
                tickets, clocks = await _lock(session, pairs, skip_locked=False)
                moved += await _follow(session, tickets, clocks, now)
        if len(pairs) < batch:
            return moved


async def _open_all(database: Database, organization_id: str, now: datetime, batch: int) -> int:
    opened = 0
    cursor: tuple[datetime, str] | None = None
    while True:
        async with database.transaction() as session:
            found = await repository.lacking(session, organization_id, opening.FIRST_CYCLES, cursor, batch)
            if found:
                cursor = found[-1]
                ids = [ticket_id for _, ticket_id in found]
                tickets = await repository.lock_tickets(session, ids, skip_locked=False)
                holding = await rules.load(session, tickets.values())
                clocks = await opening.open_missing(session, tickets, holding, now)
                await watch.settle(session, clocks, holding, now)
                opened += len(clocks)
        if len(found) < batch:
            return opened


async def _follow(
    session: AsyncSession, tickets: dict[str, Ticket], clocks: Sequence[SlaClock], now: datetime
) -> int:
    holding = await rules.load(session, tickets.values())
    before = {clock.id: clock.version for clock in clocks}
    with session.no_autoflush:
        kept = await watch.follow_rules(session, tickets, clocks, holding)
        # What passed before the change, and nobody has seen, is a breach all the same.
        late = [clock for clock in kept if movement.is_late(clock, now)]
        await watch.record_breaches(session, tickets, late)
        await watch.settle(session, kept, holding, now)
    return sum(clock.version != before[clock.id] for clock in kept)


async def _lock(
    session: AsyncSession, pairs: Collection[tuple[str, str]], *, skip_locked: bool
) -> tuple[dict[str, Ticket], Sequence[SlaClock]]:
    """The tickets of these (clock, ticket), then their clocks, locked in this order as everywhere."""
    tickets = await repository.lock_tickets(
        session, {ticket_id for _, ticket_id in pairs}, skip_locked=skip_locked
    )
    clocks = await repository.lock_clocks(session, [clock_id for clock_id, _ in pairs], tickets)
    return tickets, clocks
