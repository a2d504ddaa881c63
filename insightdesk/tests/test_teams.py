"""Teams over REST: who may edit them, and what they may hold."""

from __future__ import annotations

from typing import Any

import httpx
from desks import Desk

from insightdesk.accounts.models import Role
from insightdesk.database import new_id


async def make_team(api: httpx.AsyncClient, desk: Desk, name: str = "Billing", *members: str) -> Any:
    body = {"name": name, "memberIds": list(members)}
    response = await api.post("/api/teams", json=body, headers=desk.headers(Role.ADMIN))
    assert response.status_code == 201, response.text
    return response.json()["data"]


async def test_a_team_is_made_changed_and_dissolved(api: httpx.AsyncClient, desk: Desk) -> None:
    admin, agent = desk.headers(Role.ADMIN), desk.headers(Role.AGENT)
    team = await make_team(api, desk, "Billing", desk.agent.user_id)
    body = {"name": "Money", "memberIds": [desk.admin.user_id]}
    await api.put(f"/api/teams/{team['id']}", json=body, headers=admin)
    listed = (await api.get("/api/teams", headers=agent)).json()["data"]
    assert listed == [{"id": team["id"], "name": "Money", "memberIds": [desk.admin.user_id]}]
    ticket = {"subject": "Bill", "body": "Why?", "teamId": team["id"]}
    made = (await api.post("/api/tickets", json=ticket, headers=agent)).json()["data"]
    assert made["teamId"] == team["id"]
    assert (await api.delete(f"/api/teams/{team['id']}", headers=admin)).status_code == 200
    again = (await api.get(f"/api/tickets/{made['id']}", headers=agent)).json()["data"]
    assert again["teamId"] is None


async def test_what_a_team_may_not_be(api: httpx.AsyncClient, desk: Desk, other_desk: Desk) -> None:
    admin = desk.headers(Role.ADMIN)
    await make_team(api, desk)
    for body, told in (
        ({"name": "Billing"}, "name: a team of this name"),
        ({"name": "A", "memberIds": [desk.customer.user_id]}, "memberIds: only active staff"),
        ({"name": "A", "memberIds": [other_desk.agent.user_id]}, "memberIds: only active staff"),
        ({"name": "  "}, "name: "),
    ):
        response = await api.post("/api/teams", json=body, headers=admin)
        assert response.status_code == 422
        assert told in response.json()["error"]
    assert [team["name"] for team in (await api.get("/api/teams", headers=admin)).json()["data"]] == [
        "Billing"
    ]


async def test_teams_are_edited_by_administrators_of_the_organization(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk
) -> None:
    team = await make_team(api, desk)
    path, body = f"/api/teams/{team['id']}", {"name": "Stolen"}
    for headers, status in ((desk.headers(Role.AGENT), 403), (other_desk.headers(Role.ADMIN), 404)):
        assert (await api.put(path, json=body, headers=headers)).status_code == status
        assert (await api.delete(path, headers=headers)).status_code == status
    assert (await api.get("/api/teams", headers=desk.headers(Role.CUSTOMER))).status_code == 403
    assert (await api.get("/api/teams", headers=other_desk.headers(Role.ADMIN))).json()["data"] == []
    ticket = {"subject": "x", "body": "y", "teamId": team["id"]}
    foreign = await api.post("/api/tickets", json=ticket, headers=other_desk.headers(Role.AGENT))
    assert foreign.status_code == 422
    own = await api.post("/api/tickets", json=ticket, headers=desk.headers(Role.CUSTOMER))
    assert own.status_code == 403
    unknown = {**ticket, "teamId": new_id()}
    assert (await api.post("/api/tickets", json=unknown, headers=desk.headers(Role.AGENT))).status_code == 422
