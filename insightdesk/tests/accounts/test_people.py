"""Administrators and their people: roles, and the door that closes at once."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import pytest
from browsers import browser, csrf, log_in
from desks import Desk
from sqlalchemy import select, text

from insightdesk.accounts import service
from insightdesk.accounts.models import AuditEntry, Role, User
from insightdesk.database import transaction
from insightdesk.tables import metadata


async def patch(
    api: httpx.AsyncClient, desk: Desk, user_id: str, by: Role = Role.ADMIN, **changes: object
) -> httpx.Response:
    return await api.patch(f"/api/users/{user_id}", json=changes, headers=desk.headers(by))


async def test_whoever_is_locked_out_is_out_at_once(api: httpx.AsyncClient, desk: Desk) -> None:
    async with browser() as client:
        await log_in(client, desk.agent.email)
        assert (await client.get("/api/me")).status_code == 200
        response = await patch(api, desk, desk.agent.user_id, active=False)
        assert response.json()["data"]["active"] is False
        assert (await client.get("/api/me")).status_code == 401
        assert (await api.get("/api/me", headers=desk.headers(Role.AGENT))).status_code == 401
        assert (await log_in(client, desk.agent.email)).status_code == 401
    # Let in again, he has to log in: what he had before stays ended.
    await patch(api, desk, desk.agent.user_id, active=True)
    assert (await api.get("/api/me", headers=desk.headers(Role.AGENT))).status_code == 401


async def test_who_is_locked_out_is_listed_when_asked_for(api: httpx.AsyncClient, desk: Desk) -> None:
    await patch(api, desk, desk.customer.user_id, active=False)
    for query, seen in (("", False), ("?includeInactive=true", True)):
        listed = await api.get(f"/api/users{query}", headers=desk.headers(Role.ADMIN))
        assert (desk.customer.user_id in {one["id"] for one in listed.json()["data"]}) is seen


async def test_a_role_counts_from_the_next_request_on(api: httpx.AsyncClient, desk: Desk) -> None:
    agent = desk.headers(Role.AGENT)
    assert (await api.get("/admin/emails", headers=agent)).status_code == 403
    await patch(api, desk, desk.agent.user_id, role="admin", name="Gus the Great")
    assert (await api.get("/admin/emails", headers=agent)).status_code == 200
    await patch(api, desk, desk.agent.user_id, role="customer")
    assert (await api.get("/api/users", headers=agent)).status_code == 403
    async with transaction() as session:
        entries = await session.scalars(
            select(AuditEntry).where(
                AuditEntry.subject_id == desk.agent.user_id, AuditEntry.action == "user.updated"
            )
        )
        told = [entry.details for entry in entries]
    assert sorted(told, key=str) == [{"name": "Gus the Great", "role": "admin"}, {"role": "customer"}]


@pytest.mark.parametrize("changes", [{"active": False}, {"role": "agent"}])
async def test_the_last_administrator_stays(
    api: httpx.AsyncClient, desk: Desk, changes: dict[str, object]
) -> None:
    assert (await patch(api, desk, desk.admin.user_id, **changes)).status_code == 422
    await patch(api, desk, desk.agent.user_id, role="admin")
    assert (await patch(api, desk, desk.admin.user_id, **changes)).status_code == 200


async def test_two_administrators_cannot_remove_each_other_at_once(
    api: httpx.AsyncClient, desk: Desk
) -> None:
    await patch(api, desk, desk.agent.user_id, role="admin")
    answers = await asyncio.gather(
        patch(api, desk, desk.admin.user_id, Role.AGENT, role="agent"),
        patch(api, desk, desk.agent.user_id, Role.ADMIN, role="agent"),
    )
    assert 422 in {answer.status_code for answer in answers}
    async with transaction() as session:
        left = await session.scalars(
            select(User.role).where(User.organization_id == desk.organization_id, User.active)
        )
        assert Counter(left)[Role.ADMIN] == 1


@pytest.mark.parametrize("role", [Role.AGENT, Role.CUSTOMER])
async def test_nobody_else_changes_people(api: httpx.AsyncClient, desk: Desk, role: Role) -> None:
    own = {Role.AGENT: desk.agent, Role.CUSTOMER: desk.customer}[role]
    assert (await patch(api, desk, own.user_id, role, role="admin")).status_code == 403


@pytest.mark.parametrize("changes", [{}, {"role": None}, {"role": "king"}, {"email": "a@b.c"}, {"name": ""}])
async def test_wrong_changes(api: httpx.AsyncClient, desk: Desk, changes: dict[str, object]) -> None:
    assert (await patch(api, desk, desk.agent.user_id, **changes)).status_code == 422


async def test_nothing_personal_of_an_erased_user_is_left(db: None, desk: Desk) -> None:
    async with browser("192.0.2.77") as client:
        await log_in(client, desk.agent.email)
        await client.post("/api/tokens", json={"name": "of Gus"}, headers=csrf(client))
    async with transaction() as session:
        changed = await service.erase_person(
            session, desk.organization_id, desk.agent.user_id, desk.agent.email
        )
    assert changed >= 4
    async with transaction() as session:
        for name in (
            "users",
            "api_tokens",
            "login_sessions",
            "password_resets",
            "audit_log",
            "login_attempts",
        ):
            assert name in metadata.tables
            rows = " ".join(await session.scalars(text(f"SELECT t::text FROM {name} t")))
            for trace in (desk.agent.email, "192.0.2.77", "of Gus"):
                assert trace not in rows, name
        again = await service.erase_person(
            session, desk.organization_id, desk.agent.user_id, desk.agent.email
        )
    assert again == 1
