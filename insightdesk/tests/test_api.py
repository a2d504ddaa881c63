"""The API as clients meet it: envelopes, roles, and organizations that stay apart."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from desks import Desk

from insightdesk.accounts.models import Role
from insightdesk.database import close_database, new_id
from insightdesk.settings import get_settings

TICKET = {"subject": "Printer on fire", "body": "It burns."}


async def make_ticket(api: httpx.AsyncClient, desk: Desk, role: Role = Role.CUSTOMER, **more: object) -> Any:
    response = await api.post("/api/tickets", json={**TICKET, **more}, headers=desk.headers(role))
    assert response.status_code == 201, response.text
    return response.json()["data"]


async def test_a_ticket_has_a_number_and_running_clocks(api: httpx.AsyncClient, desk: Desk) -> None:
    first, second = await make_ticket(api, desk), await make_ticket(api, desk)
    assert (first["number"], second["number"]) == (1, 2)
    assert first["status"] == "open"
    assert first["customerId"] == desk.customer.user_id
    assert {clock["metric"] for clock in first["sla"]} == {"first_response", "resolution"}
    listed = await api.get("/api/tickets?pageSize=1", headers=desk.headers(Role.AGENT))
    assert listed.json()["data"]["total"] == 2
    assert [item["id"] for item in listed.json()["data"]["items"]] == [second["id"]]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"subject": "x"}, "body: Field required"),
        ({**TICKET, "priority": "extreme"}, "priority: "),
        ({**TICKET, "prioritty": "low"}, "prioritty: "),
        ({**TICKET, "subject": "   "}, "subject: "),
        ({**TICKET, "customerId": "nobody"}, "customerId: no such user"),
        ({**TICKET, "assigneeId": "nobody"}, "assigneeId: no such user"),
    ],
)
async def test_wrong_input_is_told_by_field(
    api: httpx.AsyncClient, desk: Desk, body: dict[str, object], told: str
) -> None:
    response = await api.post("/api/tickets", json=body, headers=desk.headers(Role.AGENT))
    assert response.status_code == 422
    assert response.json()["success"] is False
    assert told in response.json()["error"]


async def test_a_body_that_is_not_json(api: httpx.AsyncClient, desk: Desk) -> None:
    headers = {**desk.headers(Role.AGENT), "Content-Type": "application/json"}
    response = await api.post("/api/tickets", content="{oops", headers=headers)
    assert response.status_code == 422
    assert response.json()["success"] is False


@pytest.mark.parametrize("patch", [{}, {"status": None}, {"status": "melted"}, {"number": 7}])
async def test_wrong_patches(api: httpx.AsyncClient, desk: Desk, patch: dict[str, object]) -> None:
    ticket = await make_ticket(api, desk)
    response = await api.patch(f"/api/tickets/{ticket['id']}", json=patch, headers=desk.headers(Role.AGENT))
    assert response.status_code == 422


ROUTES = [
    ("GET", "/api/tickets/{ticket}", None),
    ("POST", "/api/tickets/{ticket}/messages", {"body": "hello"}),
    ("PATCH", "/api/tickets/{ticket}", {"status": "closed"}),
    ("GET", "/ui/tickets/{ticket}", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
async def test_another_organization_finds_nothing(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk, method: str, path: str, body: object
) -> None:
    ticket = await make_ticket(api, desk)
    path = path.format(ticket=ticket["id"])
    response = await api.request(method, path, json=body, headers=other_desk.headers(Role.ADMIN))
    assert response.status_code == 404


async def test_lists_and_references_stay_within_the_organization(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk
) -> None:
    ticket = await make_ticket(api, desk)
    foreign = other_desk.headers(Role.ADMIN)
    for path in ("/api/tickets", "/admin/emails"):
        assert (await api.get(path, headers=foreign)).json()["data"]["items"] == []
    assert (await api.get("/api/sla/breaches", headers=foreign)).json()["data"] == []
    users = (await api.get("/api/users", headers=foreign)).json()["data"]
    assert desk.admin.user_id not in {user["id"] for user in users}
    for patch in ({"assigneeId": other_desk.agent.user_id}, {"assigneeId": desk.customer.user_id}):
        response = await api.patch(
            f"/api/tickets/{ticket['id']}", json=patch, headers=desk.headers(Role.AGENT)
        )
        assert response.status_code == 422
    response = await api.post(
        "/api/tickets",
        json={**TICKET, "customerId": other_desk.customer.user_id},
        headers=desk.headers(Role.AGENT),
    )
    assert response.status_code == 422


async def test_a_customer_sees_his_own_tickets_and_no_internal_notes(
    api: httpx.AsyncClient, desk: Desk
) -> None:
    own = await make_ticket(api, desk)
    hidden = await make_ticket(api, desk, Role.AGENT)
    customer, agent = desk.headers(Role.CUSTOMER), desk.headers(Role.AGENT)
    await api.post(
        f"/api/tickets/{own['id']}/messages", json={"body": "psst", "visibility": "internal"}, headers=agent
    )
    assert (await api.get(f"/api/tickets/{hidden['id']}", headers=customer)).status_code == 404
    seen = (await api.get(f"/api/tickets/{own['id']}", headers=customer)).json()["data"]
    assert [message["body"] for message in seen["messages"]] == ["It burns."]
    assert (await api.get("/api/tickets", headers=customer)).json()["data"]["total"] == 1


@pytest.mark.parametrize("role", [Role.AGENT, Role.CUSTOMER])
async def test_only_an_administrator_administers(api: httpx.AsyncClient, desk: Desk, role: Role) -> None:
    headers = desk.headers(role)
    for path in ("/admin/jobs/stats", "/admin/emails", "/admin/emails/some-id"):
        assert (await api.get(path, headers=headers)).status_code == 403
    body = {"email": "new@person.example", "name": "New"}
    assert (await api.post("/api/users", json=body, headers=headers)).status_code == 403
    policy = {"firstResponseMinutes": 1, "resolutionMinutes": 2}
    assert (await api.put("/api/sla/policies/low", json=policy, headers=headers)).status_code == 403


async def test_a_customer_neither_changes_tickets_nor_writes_notes(
    api: httpx.AsyncClient, desk: Desk
) -> None:
    ticket = await make_ticket(api, desk)
    headers = desk.headers(Role.CUSTOMER)
    path = f"/api/tickets/{ticket['id']}"
    assert (await api.patch(path, json={"status": "closed"}, headers=headers)).status_code == 403
    note = {"body": "psst", "visibility": "internal"}
    assert (await api.post(f"{path}/messages", json=note, headers=headers)).status_code == 403


@pytest.mark.parametrize("header", [None, "Bearer idk_wrong", "Basic abc", "Bearer"])
async def test_nobody_gets_in_without_proof(api: httpx.AsyncClient, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    for path in ("/api/tickets", "/api/me", "/admin/jobs/stats", "/admin/emails"):
        response = await api.get(path, headers=headers)
        assert response.status_code == 401
        assert response.json()["success"] is False


async def test_an_unknown_address_of_ours_is_an_envelope(api: httpx.AsyncClient) -> None:
    response = await api.get("/api/nothing/here")
    assert response.status_code == 404
    assert response.json()["success"] is False


async def test_health_is_bare_and_public(api: httpx.AsyncClient) -> None:
    assert (await api.get("/health")).json() == {"status": "healthy"}


async def test_a_database_that_is_gone_is_told_at_once(
    api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await close_database()
    monkeypatch.setenv("INSIGHTDESK_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    get_settings.cache_clear()
    try:
        started = time.monotonic()
        response = await api.get("/api/me", headers={"Authorization": f"Bearer {new_id()}"})
        assert response.status_code == 503
        assert response.json()["success"] is False
        ready = await api.get("/ready")
        assert ready.status_code == 503
        assert ready.json()["error"] == "not ready"
        assert time.monotonic() - started < 8
    finally:
        await close_database()
        monkeypatch.undo()
        get_settings.cache_clear()
