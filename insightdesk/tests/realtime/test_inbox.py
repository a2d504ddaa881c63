"""The inbox: one entry a job and recipient, readable by its owner alone, with read marks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
from desks import Desk
from sqlalchemy import func, select

from insightdesk.accounts.models import Role
from insightdesk.database import transaction
from insightdesk.kit import clock
from insightdesk.realtime import service
from insightdesk.realtime.models import Notification


async def make_ticket(api: httpx.AsyncClient, desk: Desk) -> str:
    answer = await api.post(
        "/api/tickets", json={"subject": "Ours", "body": "!"}, headers=desk.headers(Role.CUSTOMER)
    )
    return str(answer.json()["data"]["id"])


async def inbox(api: httpx.AsyncClient, desk: Desk, role: Role = Role.AGENT, query: str = "") -> Any:
    answer = await api.get(f"/api/notifications{query}", headers=desk.headers(role))
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_a_job_that_runs_again_adds_nothing(
    api: httpx.AsyncClient, desk: Desk, valkey_url: str
) -> None:
    ticket_id = await make_ticket(api, desk)
    everybody = [desk.admin.user_id, desk.agent.user_id, desk.agent.user_id, desk.customer.user_id]
    for _ in range(3):
        await service.notify("job-1", ticket_id, "created", desk.customer.user_id, everybody)
    await service.notify("job-2", ticket_id, "updated", None, everybody)
    found = await inbox(api, desk)
    assert [(one["action"], one["ticketId"]) for one in found["items"]] == [
        ("updated", ticket_id),
        ("created", ticket_id),
    ]
    assert (found["unread"], found["total"]) == (2, 2)
    assert found["items"][0]["subject"] == "Ours"
    assert [one["action"] for one in (await inbox(api, desk, Role.CUSTOMER))["items"]] == ["updated"]


async def test_strangers_are_not_told(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk, valkey_url: str
) -> None:
    ticket_id = await make_ticket(api, desk)
    strangers = [other_desk.admin.user_id, other_desk.agent.user_id, "nobody"]
    await service.notify("job-3", ticket_id, "created", None, [*strangers, desk.agent.user_id])
    async with transaction() as session:
        told = await session.scalars(select(Notification.user_id).where(Notification.ticket_id == ticket_id))
        assert list(told) == [desk.agent.user_id]
    assert (await inbox(api, other_desk, Role.ADMIN))["items"] == []


async def test_pages_and_unread_entries(api: httpx.AsyncClient, desk: Desk, valkey_url: str) -> None:
    ticket_id = await make_ticket(api, desk)
    for number in range(5):
        await service.notify(f"job-{number}", ticket_id, f"step-{number}", None, [desk.agent.user_id])
    first = await inbox(api, desk, query="?pageSize=2")
    assert [one["action"] for one in first["items"]] == ["step-4", "step-3"]
    last = await inbox(api, desk, query="?pageSize=2&page=3")
    assert [one["action"] for one in last["items"]] == ["step-0"]
    read = first["items"][0]["id"]
    headers = desk.headers(Role.AGENT)
    for _ in range(2):
        assert (await api.post(f"/api/notifications/{read}/read", headers=headers)).status_code == 200
    unread = await inbox(api, desk, query="?unreadOnly=true")
    assert (unread["unread"], unread["total"]) == (4, 4)
    assert read not in {one["id"] for one in unread["items"]}
    assert (await inbox(api, desk))["total"] == 5


async def test_all_that_was_on_the_screen_is_marked_and_nothing_that_came_since(
    api: httpx.AsyncClient, desk: Desk, valkey_url: str
) -> None:
    ticket_id = await make_ticket(api, desk)
    for key in ("a", "b"):
        await service.notify(key, ticket_id, "updated", None, [desk.agent.user_id])
    shown = await inbox(api, desk)
    await service.notify("c", ticket_id, "resolved", None, [desk.agent.user_id])
    headers = desk.headers(Role.AGENT)
    body = {"until": shown["items"][0]["createdAt"]}
    for marked in (2, 0):
        answer = await api.post("/api/notifications/read", json=body, headers=headers)
        assert answer.json()["data"] == {"marked": marked}
    left = await inbox(api, desk, query="?unreadOnly=true")
    assert [one["action"] for one in left["items"]] == ["resolved"]


async def test_another_persons_entries_cannot_be_marked(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk, valkey_url: str
) -> None:
    ticket_id = await make_ticket(api, desk)
    await service.notify("d", ticket_id, "updated", None, [desk.agent.user_id])
    [entry] = (await inbox(api, desk))["items"]
    body = {"until": (clock.now() + timedelta(days=1)).isoformat()}
    for headers in (desk.headers(Role.ADMIN), other_desk.headers(Role.AGENT)):
        answer = await api.post(f"/api/notifications/{entry['id']}/read", headers=headers)
        assert answer.status_code == 404
        await api.post("/api/notifications/read", json=body, headers=headers)
    assert (await inbox(api, desk))["unread"] == 1


async def test_an_erased_persons_inbox_is_empty(api: httpx.AsyncClient, desk: Desk, valkey_url: str) -> None:
    ticket_id = await make_ticket(api, desk)
    await service.notify("e", ticket_id, "updated", None, [desk.agent.user_id, desk.admin.user_id])
    async with transaction() as session:
        erased = await service.erase_person(
            session, desk.organization_id, desk.agent.user_id, desk.agent.email
        )
        left = await session.scalar(
            select(func.count()).select_from(Notification).where(Notification.ticket_id == ticket_id)
        )
    assert (erased, left) == (1, 1)
