"""Policies over REST: one for all, one for each team that wants its own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx
import pytest
from desks import Desk

from insightdesk.accounts import service as accounts
from insightdesk.accounts.models import Role, Scope
from insightdesk.cli.tokens import create_token
from insightdesk.database import new_id, transaction
from insightdesk.sla import policies
from insightdesk.tickets.models import Priority

TARGETS = [{"priority": "normal", "firstResponseMinutes": 5, "resolutionMinutes": 25.5}]


async def call(api: httpx.AsyncClient, desk: Desk, method: str, path: str, body: object = None) -> Any:
    response = await api.request(method, path, json=body, headers=desk.headers(Role.ADMIN))
    assert response.is_success, response.text
    return response.json()["data"]


async def make_team(api: httpx.AsyncClient, desk: Desk) -> str:
    team: dict[str, str] = await call(api, desk, "POST", "/api/teams", {"name": "Billing"})
    return team["id"]


def minutes(clock: dict[str, str]) -> float:
    span = datetime.fromisoformat(clock["dueAt"]) - datetime.fromisoformat(clock["startedAt"])
    return span.total_seconds() / 60


async def promised(api: httpx.AsyncClient, desk: Desk, **more: object) -> dict[str, float]:
    """Minutes of each clock of a new ticket."""
    ticket = await call(api, desk, "POST", "/api/tickets", {"subject": "x", "body": "y", **more})
    return {clock["metric"]: minutes(clock) for clock in ticket["sla"]}


async def test_a_team_s_policy_stands_before_the_general_one(api: httpx.AsyncClient, desk: Desk) -> None:
    team = await make_team(api, desk)
    policy = {"name": "Billing", "teamId": team, "targets": TARGETS}
    await call(api, desk, "POST", "/api/sla/policies", policy)
    assert await promised(api, desk, teamId=team) == {"first_response": 5, "resolution": 25.5}
    assert await promised(api, desk) == {"first_response": 10, "resolution": 60}
    # Where the team promises nothing, the general policy does.
    assert await promised(api, desk, teamId=team, priority="urgent") == {
        "first_response": 1, "resolution": 6,
    }  # fmt: skip


async def test_moving_a_ticket_to_a_team_moves_its_deadlines(api: httpx.AsyncClient, desk: Desk) -> None:
    team = await make_team(api, desk)
    await call(api, desk, "POST", "/api/sla/policies", {"name": "B", "teamId": team, "targets": TARGETS})
    ticket = await call(api, desk, "POST", "/api/tickets", {"subject": "x", "body": "y"})
    moved = await call(api, desk, "PATCH", f"/api/tickets/{ticket['id']}", {"teamId": team})
    assert {clock["metric"]: minutes(clock) for clock in moved["sla"]} == {
        "first_response": 5, "resolution": 25.5,
    }  # fmt: skip


async def test_a_policy_is_changed_whole_and_deleted(api: httpx.AsyncClient, desk: Desk) -> None:
    [general] = await call(api, desk, "GET", "/api/sla/policies")
    assert [target["priority"] for target in general["targets"]] == ["low", "normal", "urgent"]
    body = {"name": "Gold", "targets": [{"priority": "high", "resolutionMinutes": 9}]}
    path = f"/api/sla/policies/{general['id']}"
    await call(api, desk, "PUT", path, body)
    [changed] = await call(api, desk, "GET", "/api/sla/policies")
    assert changed["name"] == "Gold"
    assert [target["priority"] for target in changed["targets"]] == ["high"]
    assert await promised(api, desk, priority="high") == {"resolution": 9}
    assert await promised(api, desk) == {}
    await call(api, desk, "DELETE", path)
    assert await call(api, desk, "GET", "/api/sla/policies") == []


async def test_an_organization_that_the_command_makes_promises_something(db: None) -> None:
    slug = f"org-{new_id()}"
    await create_token(Role.ADMIN, slug, None, Scope.ADMIN, 0)
    async with transaction() as session:
        organization = await accounts.find_organization(session, slug)
        assert organization is not None
        [policy] = await policies.list_policies(session, organization.id)
    assert [target.priority for target in policy.targets] == list(Priority)
    assert all(target.next_response_minutes for target in policy.targets)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"name": "Standard", "targets": TARGETS}, "policy"),
        ({"name": "Other", "targets": TARGETS}, "teamId: there is a policy for this already"),
        ({"name": "A", "teamId": "nobody", "targets": TARGETS}, "teamId: no such team"),
        ({"name": "A", "targets": []}, "targets: "),
        ({"name": "A", "targets": TARGETS * 2}, "name each priority once"),
        ({"name": "A", "targets": [{"priority": "low", "resolutionMinutes": -1}]}, "resolutionMinutes: "),
        ({"name": "A", "targets": [{"priority": "low", "resolutionMinutes": 1e9}]}, "resolutionMinutes: "),
    ],
)
async def test_what_a_policy_may_not_be(
    api: httpx.AsyncClient, desk: Desk, body: dict[str, object], told: str
) -> None:
    response = await api.post("/api/sla/policies", json=body, headers=desk.headers(Role.ADMIN))
    assert response.status_code == 422
    assert told in response.json()["error"]


async def test_a_team_with_a_policy_is_not_dissolved(api: httpx.AsyncClient, desk: Desk) -> None:
    team = await make_team(api, desk)
    await call(api, desk, "POST", "/api/sla/policies", {"name": "B", "teamId": team, "targets": TARGETS})
    response = await api.delete(f"/api/teams/{team}", headers=desk.headers(Role.ADMIN))
    assert response.status_code == 422
    assert "SLA policy" in response.json()["error"]


async def test_policies_are_edited_by_administrators_of_the_organization(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk
) -> None:
    [general] = await call(api, desk, "GET", "/api/sla/policies")
    path, body = f"/api/sla/policies/{general['id']}", {"name": "Stolen", "targets": TARGETS}
    for headers, status in ((desk.headers(Role.AGENT), 403), (other_desk.headers(Role.ADMIN), 404)):
        assert (await api.put(path, json=body, headers=headers)).status_code == status
        assert (await api.delete(path, headers=headers)).status_code == status
    unknown = f"/api/sla/policies/{new_id()}"
    assert (await api.delete(unknown, headers=desk.headers(Role.ADMIN))).status_code == 404
    team = await make_team(api, desk)
    foreign = {"name": "F", "teamId": team, "targets": TARGETS}
    response = await api.post("/api/sla/policies", json=foreign, headers=other_desk.headers(Role.ADMIN))
    assert response.status_code == 422
    assert (await api.get("/api/sla/policies", headers=desk.headers(Role.CUSTOMER))).status_code == 403
