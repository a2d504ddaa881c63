"""Bearer tokens: kept as hashes, bounded by scope and time, taken back at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
import time_machine
from browsers import browser, csrf, log_in
from desks import Desk
from sqlalchemy import select
from typer.testing import CliRunner

from insightdesk.accounts import tokens
from insightdesk.accounts.models import ApiToken, AuditEntry, Role, Scope, User
from insightdesk.accounts.passwords import token_hash
from insightdesk.cli.main import app as command
from insightdesk.database import transaction
from insightdesk.kit import clock

TICKET = {"subject": "By a machine", "body": "!"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def issue(desk: Desk, scope: Scope, lifetime: timedelta | None = None, user_id: str = "") -> str:
    async with transaction() as session:
        user = await session.get_one(User, user_id or desk.admin.user_id)
        issued = await tokens.issue(
            session, user, now=clock.now(), name="ours", lifetime=lifetime, scope=scope
        )
        return issued.token


@pytest.mark.parametrize(
    ("scope", "may_read", "may_write", "may_administer"),
    [
        (Scope.READ, True, False, False),
        (Scope.WRITE, True, True, False),
        (Scope.ADMIN, True, True, True),
    ],
)
async def test_a_token_does_what_its_scope_covers(
    api: httpx.AsyncClient, desk: Desk, scope: Scope, may_read: bool, may_write: bool, may_administer: bool
) -> None:
    headers = bearer(await issue(desk, scope))
    read = await api.get("/api/tickets", headers=headers)
    write = await api.post("/api/tickets", json=TICKET, headers=headers)
    administer = await api.get("/admin/emails", headers=headers)
    assert [answer.is_success for answer in (read, write, administer)] == [
        may_read,
        may_write,
        may_administer,
    ]
    assert {answer.status_code for answer in (read, write, administer)} <= {200, 201, 403}


async def test_a_wide_scope_gives_no_other_role(api: httpx.AsyncClient, desk: Desk) -> None:
    headers = bearer(await issue(desk, Scope.ADMIN, user_id=desk.customer.user_id))
    assert (await api.get("/admin/emails", headers=headers)).status_code == 403


async def test_a_token_is_random_and_kept_as_a_hash(desk: Desk) -> None:
    made = {await issue(desk, Scope.READ) for _ in range(20)}
    assert len(made) == 20
    assert all(len(token) >= 43 for token in made)  # 256 bits
    async with transaction() as session:
        kept = set(
            await session.scalars(
                select(ApiToken.token_hash).where(ApiToken.organization_id == desk.organization_id)
            )
        )
    assert {token_hash(token) for token in made} <= kept
    assert not made & kept


async def test_a_token_expires(api: httpx.AsyncClient, desk: Desk) -> None:
    headers = bearer(await issue(desk, Scope.READ, timedelta(days=1)))
    assert (await api.get("/api/me", headers=headers)).status_code == 200
    with time_machine.travel(clock.now() + timedelta(days=1, seconds=1)):
        assert (await api.get("/api/me", headers=headers)).status_code == 401


async def test_a_token_is_made_listed_used_and_revoked(api: httpx.AsyncClient, desk: Desk) -> None:
    own = desk.headers(Role.AGENT)
    body = {"name": "nightly", "scope": "write", "expiresInDays": 7}
    made = (await api.post("/api/tokens", json=body, headers=own)).json()["data"]
    headers = bearer(made["token"])
    assert (await api.post("/api/tickets", json=TICKET, headers=headers)).status_code == 201
    listed = {one["id"]: one for one in (await api.get("/api/tokens", headers=own)).json()["data"]}
    kept = listed[made["id"]]
    assert "token" not in kept
    assert kept["scope"] == "write"
    assert kept["lastUsedAt"] is not None
    assert kept["expiresAt"] > kept["createdAt"]
    for _ in range(2):
        assert (await api.delete(f"/api/tokens/{made['id']}", headers=own)).status_code == 200
    assert (await api.get("/api/me", headers=headers)).status_code == 401
    listed = {one["id"] for one in (await api.get("/api/tokens", headers=own)).json()["data"]}
    assert made["id"] not in listed
    async with transaction() as session:
        audited = await session.scalars(select(AuditEntry.action).where(AuditEntry.subject_id == made["id"]))
        assert sorted(audited) == ["token.created", "token.revoked"]


async def test_a_token_makes_no_broader_one(api: httpx.AsyncClient, desk: Desk) -> None:
    headers = bearer(await issue(desk, Scope.WRITE))
    for scope, status in (("admin", 403), ("write", 201), ("read", 201)):
        answer = await api.post("/api/tokens", json={"name": "more", "scope": scope}, headers=headers)
        assert answer.status_code == status


async def test_whose_tokens_are_seen_and_revoked(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk
) -> None:
    made = await api.post("/api/tokens", json={"name": "mine"}, headers=desk.headers(Role.AGENT))
    token_id = made.json()["data"]["id"]
    path = f"/api/tokens/{token_id}"
    for foreign in (desk.headers(Role.CUSTOMER), other_desk.headers(Role.ADMIN)):
        assert token_id not in (await api.get("/api/tokens", headers=foreign)).text
        assert (await api.delete(path, headers=foreign)).status_code == 404
    admin = desk.headers(Role.ADMIN)
    assert token_id in (await api.get("/api/tokens", headers=admin)).text
    assert (await api.delete(path, headers=admin)).status_code == 200


async def test_a_browser_makes_tokens_too(db: None, desk: Desk) -> None:
    async with browser() as client:
        await log_in(client, desk.agent.email)
        assert (await client.post("/api/tokens", json={"name": "x"})).status_code == 403
        assert (await client.post("/api/tokens", json={"name": "x"}, headers=csrf(client))).status_code == 201


@pytest.fixture
def run(database_url: str) -> Callable[..., str]:
    """The command, in this process; its output."""

    def run(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(command, ["token", *arguments])
        assert result.exit_code == code, result.output
        return result.output.strip()

    return run


def test_the_command_makes_lists_and_revokes(run: Callable[..., str]) -> None:
    org = f"cli-{clock.now().timestamp():.0f}"
    token = run("create", "--role", "agent", "--org", org, "--scope", "read", "--days", "3")
    assert token.startswith("idk_")
    listing = run("list", "--org", org)
    assert f"agent@{org}.example" in listing
    assert token not in listing
    token_id = next(word for word in listing.split() if word.count("-") == 4)
    (as_json,) = json.loads(run("list", "--org", org, "--json"))
    assert (as_json["id"], as_json["scope"], as_json["lastUsedAt"]) == (token_id, "read", None)
    assert run("revoke", token_id, "--org", org) == "revoked"
    assert token_id not in run("list", "--org", org)
    run("revoke", token_id, "--org", "no-such-organization", code=1)
    run("create", "--role", "king", "--org", org, code=1)
