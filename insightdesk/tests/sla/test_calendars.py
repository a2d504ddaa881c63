"""Calendars over REST, and clocks that follow a change of calendar or policy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from desks import Desk
from promises import MINUTE, breaches, clocks, open_ticket, patch, say
from sqlalchemy import text, update

from insightdesk.accounts.models import Role
from insightdesk.database import database, new_id, transaction
from insightdesk.kit import clock
from insightdesk.sla import service
from insightdesk.sla.models import Metric, SlaPolicy
from insightdesk.sla.scan import recompute, scan
from insightdesk.tickets.models import Priority, Ticket

# Thursday before Easter 2026 in Berlin, 16:00 on the wall.
BEFORE_EASTER = datetime(2026, 4, 2, 14, 0, tzinfo=UTC)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
OFFICE: dict[str, Any] = {
    "name": "Office",
    "timeZone": "Europe/Berlin",
    "openings": [{"weekday": day, "opens": "09:00", "closes": "17:00"} for day in WEEKDAYS],
    "country": "DE",
}
TARGETS = [{"priority": "normal", "firstResponseMinutes": 90, "resolutionMinutes": 600}]


async def call(api: httpx.AsyncClient, desk: Desk, method: str, path: str, body: object = None) -> Any:
    response = await api.request(method, path, json=body, headers=desk.headers(Role.ADMIN))
    assert response.is_success, response.text
    return response.json()["data"]


async def use_calendar(api: httpx.AsyncClient, desk: Desk, body: object = OFFICE) -> tuple[str, str]:
    """Let the general policy count by a new calendar; returns the ids of both."""
    calendar = await call(api, desk, "POST", "/api/sla/calendars", body)
    [general] = await call(api, desk, "GET", "/api/sla/policies")
    policy = {"name": "Office", "targets": TARGETS, "calendarId": calendar["id"]}
    await call(api, desk, "PUT", f"/api/sla/policies/{general['id']}", policy)
    return calendar["id"], general["id"]


async def changed_at(policy_id: str, moment: datetime) -> None:
    """Let a policy and its calendar have been changed at this moment."""
    async with transaction() as session:
        await session.execute(update(SlaPolicy).where(SlaPolicy.id == policy_id).values(changed_at=moment))
        await session.execute(
            text(
                "UPDATE sla_calendars SET changed_at = :moment "
                "WHERE id = (SELECT calendar_id FROM sla_policies WHERE id = :id)"
            ),
            {"moment": moment, "id": policy_id},
        )


async def due(ticket: Ticket, metric: Metric = Metric.FIRST_RESPONSE) -> datetime:
    return (await clocks(ticket))[metric].due_at


async def recomputing(desk: Desk) -> int:
    """Jobs that are to recompute the organization's clocks."""
    async with transaction() as session:
        found = await session.scalar(
            text(
                "SELECT count(*) FROM toril_outbox WHERE name = 'recompute' AND data->>'organizationId' = :id"
            ),
            {"id": desk.organization_id},
        )
        return int(found)


async def test_deadlines_count_office_hours_without_holidays(api: httpx.AsyncClient, desk: Desk) -> None:
    await use_calendar(api, desk)
    ticket = await open_ticket(desk, BEFORE_EASTER)
    # An hour on Thursday; Good Friday and Easter Monday are off; half an hour on Tuesday.
    assert await due(ticket) == datetime(2026, 4, 7, 7, 30, tzinfo=UTC)
    # Pending from 16:30 on Thursday to noon on Tuesday: half an hour used, an hour left.
    await patch(desk, ticket, BEFORE_EASTER + 30 * MINUTE, status="pending")
    assert (await clocks(ticket))[Metric.FIRST_RESPONSE].remaining_seconds == 3600
    await say(desk, ticket, datetime(2026, 4, 7, 10, 0, tzinfo=UTC), staff=False)
    assert await due(ticket) == datetime(2026, 4, 7, 11, 0, tzinfo=UTC)


async def test_a_changed_calendar_moves_running_clocks_as_if_from_the_start(
    api: httpx.AsyncClient, desk: Desk
) -> None:
    calendar_id, policy_id = await use_calendar(api, desk)
    ticket, paused = await open_ticket(desk, BEFORE_EASTER), await open_ticket(desk, BEFORE_EASTER)
    await patch(desk, paused, BEFORE_EASTER + 30 * MINUTE, status="pending")
    before = await recomputing(desk)
    # No holidays, but the Friday is a day of their own; and they close an hour later.
    body = {
        **OFFICE,
        "openings": [{**opening, "closes": "17:15"} for opening in OFFICE["openings"]],
        "country": None,
        "ownDays": ["2026-04-03"],
    }
    await call(api, desk, "PUT", f"/api/sla/calendars/{calendar_id}", body)
    assert await recomputing(desk) == before + 1
    await changed_at(policy_id, BEFORE_EASTER + 40 * MINUTE)
    assert await recompute(database(), desk.organization_id, BEFORE_EASTER + 41 * MINUTE, batch=1) == 2
    # 75 minutes on Thursday, 15 on Monday.
    assert await due(ticket) == datetime(2026, 4, 6, 7, 15, tzinfo=UTC)
    assert (await clocks(paused))[Metric.FIRST_RESPONSE].remaining_seconds == 3600
    assert await recompute(database(), desk.organization_id, BEFORE_EASTER + 42 * MINUTE) == 0


async def test_a_changed_policy_holds_before_the_job_has_come_to_a_clock(desk: Desk) -> None:
    now = clock.now()
    ticket = await open_ticket(desk, now - 9 * MINUTE)
    async with transaction() as session:
        await service.set_target(
            session, desk.organization_id, Priority.NORMAL, first_response_minutes=30, resolution_minutes=90
        )
    await scan(database(), now + 2 * MINUTE)
    assert await breaches(ticket) == []
    assert await due(ticket) == now + 21 * MINUTE


async def test_a_deadline_that_passed_before_the_change_stands(desk: Desk) -> None:
    now = clock.now()
    ticket = await open_ticket(desk, now - 11 * MINUTE)
    async with transaction() as session:
        await service.set_target(
            session, desk.organization_id, Priority.NORMAL, first_response_minutes=30, resolution_minutes=90
        )
    await recompute(database(), desk.organization_id, clock.now())
    assert await breaches(ticket) == [(Metric.FIRST_RESPONSE, 1, now - MINUTE)]
    assert await due(ticket, Metric.RESOLUTION) == now + 79 * MINUTE


async def test_what_is_promised_no_more_has_no_clock(api: httpx.AsyncClient, desk: Desk) -> None:
    ticket = await open_ticket(desk, clock.now())
    [general] = await call(api, desk, "GET", "/api/sla/policies")
    body = {"name": "Less", "targets": [{"priority": "normal", "resolutionMinutes": 45}]}
    await call(api, desk, "PUT", f"/api/sla/policies/{general['id']}", body)
    await recompute(database(), desk.organization_id, clock.now())
    assert set(await clocks(ticket)) == {Metric.RESOLUTION}
    await call(api, desk, "DELETE", f"/api/sla/policies/{general['id']}")
    await scan(database(), clock.now() + timedelta(hours=2))
    assert await clocks(ticket) == {}
    assert await breaches(ticket) == []


async def test_a_calendar_comes_back_as_it_was_sent(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk
) -> None:
    spans = [
        {"weekday": "saturday", "opens": "22:00", "closes": "24:00"},
        {"weekday": "monday", "opens": "13:00", "closes": "17:00"},
        {"weekday": "monday", "opens": "09:00", "closes": "12:30"},
    ]
    body = {**OFFICE, "openings": spans, "subdivision": "BY", "ownDays": ["2026-12-24", "2026-12-24"]}
    made = await call(api, desk, "POST", "/api/sla/calendars", body)
    assert made == {
        **body, "id": made["id"], "openings": [spans[2], spans[1], spans[0]], "ownDays": ["2026-12-24"],
    }  # fmt: skip
    assert await call(api, desk, "GET", "/api/sla/calendars") == [made]
    assert await call(api, other_desk, "GET", "/api/sla/calendars") == []
    path = f"/api/sla/calendars/{made['id']}"
    for headers, status in ((desk.headers(Role.AGENT), 403), (other_desk.headers(Role.ADMIN), 404)):
        assert (await api.put(path, json=OFFICE, headers=headers)).status_code == status
        assert (await api.delete(path, headers=headers)).status_code == status
    foreign = {"name": "x", "targets": TARGETS, "calendarId": made["id"]}
    [general] = await call(api, other_desk, "GET", "/api/sla/policies")
    answer = await api.put(
        f"/api/sla/policies/{general['id']}", json=foreign, headers=other_desk.headers(Role.ADMIN)
    )
    assert answer.status_code == 422
    await call(api, desk, "DELETE", path)
    assert await call(api, desk, "GET", "/api/sla/calendars") == []
    missing = await api.delete(f"/api/sla/calendars/{new_id()}", headers=desk.headers(Role.ADMIN))
    assert missing.status_code == 404


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"timeZone": "Mars/Olympus"}, "timeZone: no such time zone"),
        ({"openings": []}, "openings: "),
        ({"openings": [{"weekday": "monday", "opens": "17:00", "closes": "09:00"}]}, "closes must be after"),
        ({"openings": [{"weekday": "monday", "opens": "9:00", "closes": "17:00"}]}, "opens: "),
        ({"openings": [OFFICE["openings"][0]] * 2}, "two spans of a day overlap"),
        ({"country": "Atlantis"}, "public holidays are not known"),
        ({"country": "utils"}, "public holidays are not known"),
        ({"subdivision": ""}, "subdivision: "),
        ({"country": "DE", "subdivision": "XX"}, "public holidays are not known"),
        ({"country": None, "subdivision": "BY"}, "name its country too"),
        ({"ownDays": ["2026-13-01"]}, "ownDays"),
    ],
)
async def test_what_a_calendar_may_not_be(
    api: httpx.AsyncClient, desk: Desk, change: dict[str, object], told: str
) -> None:
    body = {**OFFICE, **change}
    response = await api.post("/api/sla/calendars", json=body, headers=desk.headers(Role.ADMIN))
    assert response.status_code == 422
    assert told in response.json()["error"]


async def test_a_promise_that_a_calendar_cannot_reach_is_refused(api: httpx.AsyncClient, desk: Desk) -> None:
    seldom = {
        **OFFICE, "name": "Seldom", "openings": [{"weekday": "monday", "opens": "09:00", "closes": "09:01"}],
    }  # fmt: skip
    admin = desk.headers(Role.ADMIN)
    calendar = await call(api, desk, "POST", "/api/sla/calendars", seldom)
    [general] = await call(api, desk, "GET", "/api/sla/policies")
    path = f"/api/sla/policies/{general['id']}"
    body = {"name": "Never", "targets": TARGETS, "calendarId": calendar["id"]}
    refused = await api.put(path, json=body, headers=admin)
    assert refused.status_code == 422
    assert "working time within five years" in refused.json()["error"]
    office, _ = await use_calendar(api, desk)
    refused = await api.put(f"/api/sla/calendars/{office}", json={**seldom, "name": "S"}, headers=admin)
    assert refused.status_code == 422
    used = await api.delete(f"/api/sla/calendars/{office}", headers=admin)
    assert used.status_code == 422
    assert "counts by this calendar" in used.json()["error"]
