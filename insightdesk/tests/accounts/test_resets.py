"""Another password: by the present one, or once by a link that came by mail."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

import httpx
import pytest
import time_machine
from browsers import PASSWORD, browser, csrf, log_in
from desks import Desk
from sqlalchemy import select

from insightdesk.accounts import resets, throttle
from insightdesk.accounts.models import AuditEntry, PasswordReset, Role
from insightdesk.accounts.passwords import token_hash
from insightdesk.database import new_id, transaction
from insightdesk.email.models import Delivery
from insightdesk.kit import clock
from insightdesk.settings import get_settings

NEW = "a better battery staple"


async def ask(api: httpx.AsyncClient, email: str) -> None:
    answer = await api.post("/api/password/forgot", json={"email": email})
    assert answer.status_code == 202
    assert answer.json() == {"success": True, "data": None}


async def links(email: str) -> Sequence[str]:
    """The tokens that were mailed to an address, oldest first."""
    async with transaction() as session:
        texts = await session.scalars(
            select(Delivery.text)
            .where(Delivery.recipient == email)
            .order_by(Delivery.created_at, Delivery.id)
        )
        return [match[1] for text in texts if (match := re.search(r"/reset#(\S+)", text))]


async def use(api: httpx.AsyncClient, token: str) -> int:
    return (await api.post("/api/password/reset", json={"token": token, "password": NEW})).status_code


async def test_a_link_sets_a_password_once_and_ends_every_session(db: None, desk: Desk) -> None:
    async with browser("192.0.2.10") as thief, browser("192.0.2.11") as owner:
        await log_in(thief, desk.agent.email)
        await ask(owner, desk.agent.email.upper())
        [token] = await links(desk.agent.email)
        assert await use(owner, token) == 200
        assert (await thief.get("/api/me")).status_code == 401
        assert (await log_in(thief, desk.agent.email)).status_code == 401
        assert (await log_in(owner, desk.agent.email, NEW)).status_code == 200
        assert await use(owner, token) == 401
    async with transaction() as session:
        audited = await session.scalars(
            select(AuditEntry.action).where(AuditEntry.subject_id == desk.agent.user_id)
        )
        assert {"password.reset.asked", "password.reset"} <= set(audited)


async def test_a_link_is_kept_as_a_hash_and_expires(api: httpx.AsyncClient, desk: Desk) -> None:
    await ask(api, desk.agent.email)
    [token] = await links(desk.agent.email)
    async with transaction() as session:
        kept = await session.scalar(
            select(PasswordReset.token_hash).where(PasswordReset.user_id == desk.agent.user_id)
        )
    assert kept == token_hash(token)
    with time_machine.travel(clock.now() + resets.LIFETIME + timedelta(seconds=1)):
        assert await use(api, token) == 401
    assert (await log_in(api, desk.agent.email)).status_code == 200


async def test_the_latest_link_alone_works(api: httpx.AsyncClient, desk: Desk) -> None:
    await ask(api, desk.agent.email)
    await ask(api, desk.agent.email)
    first, second = await links(desk.agent.email)
    assert await use(api, first) == 401
    assert await use(api, second) == 200


async def test_nobody_learns_who_has_an_account(api: httpx.AsyncClient, desk: Desk) -> None:
    await ask(api, f"{new_id()}@nowhere.example")
    await ask(api, desk.customer.email)


async def test_mails_cannot_be_asked_for_without_end(db: None, desk: Desk) -> None:
    async with browser("192.0.2.12") as client:
        statuses = [
            (await client.post("/api/password/forgot", json={"email": desk.admin.email})).status_code
            for _ in range(throttle.LIMIT + 1)
        ]
    assert statuses == [202] * throttle.LIMIT + [429]


async def test_a_change_of_password_ends_the_other_sessions(db: None, desk: Desk) -> None:
    async with browser("192.0.2.13") as elsewhere, browser("192.0.2.14") as here:
        await log_in(elsewhere, desk.agent.email)
        await log_in(here, desk.agent.email)
        wrong = {"current": "wrong horse", "password": NEW}
        assert (await here.post("/api/password", json=wrong, headers=csrf(here))).status_code == 422
        right = {"current": PASSWORD, "password": NEW}
        assert (await here.post("/api/password", json=right, headers=csrf(here))).status_code == 200
        assert (await elsewhere.get("/api/me")).status_code == 401
        assert (await here.get("/api/me")).status_code == 200
        assert (await log_in(elsewhere, desk.agent.email, NEW)).status_code == 200


@pytest.mark.parametrize("password", ["short", "x" * 1001])
async def test_passwords_have_bounds(api: httpx.AsyncClient, desk: Desk, password: str) -> None:
    await ask(api, desk.agent.email)
    [token] = await links(desk.agent.email)
    body = {"token": token, "password": password}
    assert (await api.post("/api/password/reset", json=body)).status_code == 422


async def test_an_administrator_cannot_use_the_link_of_another(
    api: httpx.AsyncClient, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask(api, desk.agent.email)
    [token] = await links(desk.agent.email)
    async with transaction() as session:
        mail_id = await session.scalar(select(Delivery.id).where(Delivery.recipient == desk.agent.email))
    paths = (f"/admin/emails/{mail_id}", f"/ui/mails/{mail_id}", f"/ui/mails/{mail_id}/html")
    for provider, seen in (("local:", True), ("smtp://mail.example:25", False)):
        monkeypatch.setenv("INSIGHTDESK_EMAIL_URL", provider)
        get_settings.cache_clear()
        try:
            told = [await api.get(path, headers=desk.headers(Role.ADMIN)) for path in paths]
        finally:
            monkeypatch.undo()
            get_settings.cache_clear()
        assert {answer.status_code for answer in told} == {200}
        assert any(token in answer.text for answer in told) is seen
    own = await api.get(f"/ui/mails/{mail_id}/html", headers=desk.headers(Role.AGENT))
    assert token in own.text
    assert await use(api, token) == 200
