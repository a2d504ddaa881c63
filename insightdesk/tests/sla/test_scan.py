"""The scan: nothing is missed, nothing is doubled, and what it costs follows what is due."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from desks import Desk
from promises import MINUTE, breaches, clocks, open_ticket, patch, say, told_of_breach
from sqlalchemy import event, text, update

from insightdesk.accounts import teams
from insightdesk.database import Database, database, transaction
from insightdesk.kit import clock
from insightdesk.sla import escalation, repository
from insightdesk.sla.escalation import Step
from insightdesk.sla.models import EscalationAction, Metric, SlaClock
from insightdesk.sla.scan import recompute, scan
from insightdesk.tickets.models import Priority, Ticket, TicketStatus


@pytest.fixture
def now() -> datetime:
    return clock.now().replace(microsecond=0)


@contextmanager
def statements(on: Database) -> Iterator[list[tuple[str, Any]]]:
    """What is sent to the database, with its values."""
    sent: list[tuple[str, Any]] = []

    def note(*arguments: Any) -> None:
        sent.append((arguments[2], arguments[3]))

    event.listen(on.engine.sync_engine, "before_cursor_execute", note)
    yield sent
    event.remove(on.engine.sync_engine, "before_cursor_execute", note)


async def copy_ticket(ticket: Ticket, times: int) -> None:
    """So many tickets more with clocks like this one's."""
    async with transaction() as session:
        columns = (
            "organization_id, subject, status, priority, customer_id, assignee_id, created_at, updated_at"
        )
        await session.execute(
            text(
                f"INSERT INTO tickets (id, number, {columns}) "
                f"SELECT id || '-' || n, number * 100000 + n, {columns} "
                "FROM tickets, generate_series(1, :times) AS n WHERE id = :ticket"
            ),
            {"ticket": ticket.id, "times": times},
        )
        columns = (
            "organization_id, policy_id, metric, cycle, target_seconds, started_at, pauses, warn_at, due_at, "
            "next_at, version, staged_version"
        )
        await session.execute(
            text(
                f"INSERT INTO sla_clocks (id, ticket_id, {columns}) "
                f"SELECT id || '-' || n, ticket_id || '-' || n, {columns} "
                "FROM sla_clocks, generate_series(1, :times) AS n WHERE ticket_id = :ticket"
            ),
            {"ticket": ticket.id, "times": times},
        )


async def breached(desk: Desk) -> int:
    async with transaction() as session:
        found = await session.scalar(
            text("SELECT count(*) FROM sla_breaches WHERE organization_id = :id"),
            {"id": desk.organization_id},
        )
        return int(found)


async def test_the_hundred_and_first_ticket_is_seen_in_every_status_and_metric(
    desk: Desk, now: datetime
) -> None:
    ticket = await open_ticket(desk, now)
    await copy_ticket(ticket, 120)
    result = await scan(database(), now + 61 * MINUTE, batch=50)
    assert await breached(desk) == 2 * 121
    assert result.looked.breached >= 2 * 121
    assert (await scan(database(), now + 61 * MINUTE)).looked.breached == 0


async def test_a_scan_of_many_makes_no_more_statements_than_a_scan_of_few(desk: Desk, now: datetime) -> None:
    async with transaction() as session:
        team = await teams.create_team(session, desk.organization_id, "T", [desk.admin.user_id])
        steps = [
            Step(0, EscalationAction.TELL_TEAM, team_id=team.id),
            Step(0, EscalationAction.RAISE_PRIORITY),
            Step(0, EscalationAction.REASSIGN, user_id=desk.admin.user_id),
        ]
        await escalation.set_steps(session, desk.organization_id, steps)
    await scan(database(), now + timedelta(days=1))  # what other tests have left
    counts = []
    for copies in (1, 40):
        late = await open_ticket(desk, now)
        await copy_ticket(late, copies)
        # Some clocks are to be warned of and some are broken: their rows change in different columns.
        warned = await open_ticket(desk, now + 53 * MINUTE)
        await copy_ticket(warned, copies)
        async with transaction() as session:
            await session.execute(
                update(SlaClock)
                .where(SlaClock.organization_id == desk.organization_id, SlaClock.breached_at.is_(None))
                .values(staged_version=0)
            )
        with statements(database()) as sent:
            result = await scan(database(), now + 61 * MINUTE)
        assert result.looked.breached >= copies
        assert result.looked.escalated >= copies
        assert result.looked.warned >= copies
        counts.append(len(sent))
    assert counts[0] == counts[1]
    with statements(database()) as sent:
        await recompute(database(), desk.organization_id, now + 61 * MINUTE)
    assert len(sent) < 15


async def test_the_scan_reads_what_is_due_by_its_index(desk: Desk, now: datetime) -> None:
    ticket = await open_ticket(desk, now + timedelta(days=40))
    await copy_ticket(ticket, 3000)
    with statements(database()) as sent:
        async with transaction() as session:
            await repository.due(session, now - timedelta(days=4000), None, 500)
            await repository.due(session, now - timedelta(days=4000), (now, "x"), 500)
            await repository.lock_unstaged(session, now - timedelta(days=4000), 500)
    async with transaction() as session:
        await session.execute(text("ANALYZE sla_clocks"))
    queries = [(query, values) for query, values in sent if query.startswith("SELECT sla_clocks")]
    for (query, values), index in zip(queries, ("next", "next", "unstaged"), strict=True):
        async with transaction() as session:
            raw = (await (await session.connection()).get_raw_connection()).driver_connection
            assert raw is not None
            async with raw.cursor() as cursor:
                await cursor.execute(f"EXPLAIN {query}", values)
                plan = "\n".join(row[0] for row in await cursor.fetchall())
        assert f"ix_sla_clocks_{index}" in plan
        assert "Seq Scan" not in plan


async def test_a_ticket_reopened_while_scans_run_stays_open_with_one_breach(
    desk: Desk, now: datetime
) -> None:
    tickets = [await open_ticket(desk, now) for _ in range(6)]
    for ticket in tickets:
        await say(desk, ticket, now + MINUTE, staff=True)
        await patch(desk, ticket, now + 5 * MINUTE, status="resolved")
    late = now + 61 * MINUTE
    await asyncio.gather(
        scan(database(), late),
        *(say(desk, ticket, late, staff=False) for ticket in tickets),
        scan(database(), late),
    )
    for ticket in tickets:
        async with transaction() as session:
            assert (await session.get_one(Ticket, ticket.id)).status is TicketStatus.OPEN
        assert (await clocks(ticket))[Metric.RESOLUTION].due_at == late + 60 * MINUTE
        assert await breaches(ticket) == []
    await asyncio.gather(*(scan(database(), late + 61 * MINUTE) for _ in range(3)))
    for ticket in tickets:
        assert await breaches(ticket) == [(Metric.RESOLUTION, 2, late + 60 * MINUTE)]
        assert await told_of_breach(ticket) == sorted([desk.admin.user_id, desk.agent.user_id])


async def test_a_ticket_that_somebody_holds_is_left_to_him_and_to_the_next_scan(
    desk: Desk, now: datetime
) -> None:
    held, free = [await open_ticket(desk, now, Priority.URGENT) for _ in range(2)]
    async with transaction() as session:
        await repository.lock_tickets(session, [held.id], skip_locked=False)
        async with asyncio.timeout(10):
            await scan(database(), now + 2 * MINUTE, batch=1)
    assert await breaches(held) == []
    assert len(await breaches(free)) == 1
    await scan(database(), now + 2 * MINUTE)
    assert len(await breaches(held)) == 1
