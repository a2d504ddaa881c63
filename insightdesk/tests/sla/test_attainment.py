"""Attainment: what was decided, by policy, team, week and metric."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import count

import httpx
from desks import Desk
from promises import MINUTE, open_ticket, patch, say
from sqlalchemy import event, update

from insightdesk.accounts import teams
from insightdesk.accounts.models import Organization, Role
from insightdesk.database import database, new_id, transaction
from insightdesk.sla import policies, service
from insightdesk.sla.models import Metric
from insightdesk.sla.policies import Policy, Target
from insightdesk.sla.scan import scan
from insightdesk.tickets.models import Priority

# Ten minutes before a week begins in Auckland (UTC+13), which is a Sunday's noon in UTC.
SUNDAY = datetime(2026, 11, 8, 10, 50, tzinfo=UTC)


async def test_outcomes_count_by_policy_team_and_the_organization_s_week(desk: Desk) -> None:
    async with transaction() as session:
        await session.execute(
            update(Organization)
            .where(Organization.id == desk.organization_id)
            .values(time_zone="Pacific/Auckland")
        )
        team = await teams.create_team(session, desk.organization_id, "Billing", [desk.agent.user_id])
        target = Target(Priority.NORMAL, first_response_minutes=15)
        await policies.create_policy(
            session, desk.organization_id, Policy(new_id(), "Gold", team.id, [target])
        )
    kept, late, open_still = [await open_ticket(desk, SUNDAY) for _ in range(3)]
    billing = await open_ticket(desk, SUNDAY)
    await patch(desk, billing, SUNDAY, team_id=team.id)
    await say(desk, kept, SUNDAY + 9 * MINUTE, staff=True)
    await say(desk, late, SUNDAY + 11 * MINUTE, staff=True)
    await say(desk, billing, SUNDAY + 12 * MINUTE, staff=True)
    async with transaction() as session:
        found = await service.attainment(
            session, desk.organization_id, SUNDAY, SUNDAY + timedelta(minutes=59)
        )
        at_once = await service.attainment(session, desk.organization_id, SUNDAY, SUNDAY + 10 * MINUTE)
    assert [(row.policy, row.team, row.week, row.metric, row.met, row.breached) for row in found] == [
        ("Standard", None, date(2026, 11, 2), Metric.FIRST_RESPONSE, 1, 0),
        ("Gold", "Billing", date(2026, 11, 9), Metric.FIRST_RESPONSE, 1, 0),
        ("Standard", None, date(2026, 11, 9), Metric.FIRST_RESPONSE, 0, 1),
    ]
    assert [row.met for row in at_once] == [1]
    assert open_still.status.value == "open"


async def test_one_statement_however_much_there_is(desk: Desk) -> None:
    opened = [await open_ticket(desk, SUNDAY) for _ in range(5)]
    await scan(database(), SUNDAY + 90 * MINUTE)
    statements = count()
    async with transaction() as session:
        connection = (await session.connection()).sync_connection
        assert connection is not None
        event.listen(connection, "before_cursor_execute", lambda *_: next(statements))
        found = await service.attainment(session, desk.organization_id, SUNDAY, SUNDAY + 90 * MINUTE)
    assert {(row.metric, row.met, row.breached) for row in found} == {
        (Metric.FIRST_RESPONSE, 0, len(opened)), (Metric.RESOLUTION, 0, len(opened)),
    }  # fmt: skip
    assert next(statements) == 1


async def test_attainment_over_rest(api: httpx.AsyncClient, desk: Desk, other_desk: Desk) -> None:
    ticket = await open_ticket(desk, SUNDAY)
    await say(desk, ticket, SUNDAY + MINUTE, staff=True)
    path, agent = "/api/sla/attainment", desk.headers(Role.AGENT)
    window = {"start": SUNDAY.isoformat(), "end": (SUNDAY + timedelta(days=7)).isoformat()}
    answer = await api.get(path, params=window, headers=agent)
    assert answer.json()["data"] == [
        {
            "policy": "Standard", "team": None, "week": "2026-11-02", "metric": "first_response",
            "met": 1, "breached": 0, "rate": 1.0,
        }
    ]  # fmt: skip
    foreign = await api.get(path, params=window, headers=other_desk.headers(Role.ADMIN))
    assert foreign.json()["data"] == []
    assert (await api.get(path, headers=desk.headers(Role.CUSTOMER))).status_code == 403
    for wrong in (
        {"start": "2026-01-01T00:00:00"},
        {"start": window["end"], "end": window["start"]},
        {"start": "1999-01-01T00:00:00Z"},
    ):
        assert (await api.get(path, params=wrong, headers=agent)).status_code == 422
