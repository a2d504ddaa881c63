"""Logging in and out with a browser: cookies, cross-site requests, fixation, and many wrong passwords."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import httpx
import pytest
import time_machine
from browsers import PASSWORD, browser, csrf, log_in
from desks import Desk
from sqlalchemy import select

from insightdesk.accounts import passwords, throttle
from insightdesk.accounts.access import CSRF_HEADER, SESSION_COOKIE
from insightdesk.accounts.models import AuditEntry, LoginAttempt, LoginSession, Role
from insightdesk.database import new_id, transaction
from insightdesk.kit import clock
from insightdesk.settings import get_settings


async def actions(desk: Desk) -> Counter[str]:
    async with transaction() as session:
        rows = await session.scalars(
            select(AuditEntry.action).where(AuditEntry.organization_id == desk.organization_id)
        )
        return Counter(rows)


async def test_a_session_cookie_is_hidden_from_scripts_and_kept_as_a_hash(
    api: httpx.AsyncClient, desk: Desk
) -> None:
    response = await log_in(api, desk.agent.email.upper())
    session_cookie, csrf_cookie = response.headers.get_list("set-cookie")
    assert session_cookie.startswith(SESSION_COOKIE)
    assert "HttpOnly" in session_cookie
    assert "HttpOnly" not in csrf_cookie
    for cookie in (session_cookie, csrf_cookie):
        assert "SameSite=lax" in cookie
        assert "Path=/" in cookie
    assert (await api.get("/api/me")).json()["data"]["userId"] == desk.agent.user_id
    async with transaction() as session:
        kept = await session.scalars(
            select(LoginSession.token_hash).where(LoginSession.user_id == desk.agent.user_id)
        )
    assert list(kept) == [passwords.token_hash(api.cookies[SESSION_COOKIE])]


async def test_cookies_are_for_tls_alone_where_the_address_is_https(
    api: httpx.AsyncClient, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTDESK_PUBLIC_URL", "https://desk.test")
    get_settings.cache_clear()
    try:
        response = await log_in(api, desk.agent.email)
        for cookie in response.headers.get_list("set-cookie"):
            assert cookie.startswith("__Host-")
            assert "Secure" in cookie
        api.cookies.set(f"__Host-{SESSION_COOKIE}", _value(response, f"__Host-{SESSION_COOKIE}"))
        assert (await api.get("/api/me")).status_code == 200
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()


def _value(response: httpx.Response, name: str) -> str:
    cookies = dict(cookie.split(";")[0].split("=", 1) for cookie in response.headers.get_list("set-cookie"))
    return cookies[name]


@pytest.mark.parametrize("header", [None, "", "0" * 64, "é"])
async def test_a_cookie_alone_changes_nothing(api: httpx.AsyncClient, desk: Desk, header: str | None) -> None:
    await log_in(api, desk.agent.email)
    headers = {} if header is None else {CSRF_HEADER: header.encode("latin-1")}
    body = {"subject": "From elsewhere", "body": "!"}
    response = await api.post("/api/tickets", json=body, headers=headers)
    assert response.status_code == 403
    assert (await api.get("/api/tickets")).json()["data"]["total"] == 0
    assert (await api.post("/api/tickets", json=body, headers=csrf(api))).status_code == 201


async def test_the_csrf_token_of_another_session_is_refused(db: None, desk: Desk) -> None:
    async with browser("one") as one, browser("two") as two:
        await log_in(one, desk.agent.email)
        await log_in(two, desk.customer.email)
        response = await one.post("/api/tickets", json={"subject": "x", "body": "y"}, headers=csrf(two))
    assert response.status_code == 403


@pytest.mark.parametrize("origin", ["cross-site", "same-site"])
async def test_another_site_cannot_log_its_visitor_in(
    api: httpx.AsyncClient, desk: Desk, origin: str
) -> None:
    body = {"email": desk.agent.email, "password": PASSWORD}
    response = await api.post("/api/login", json=body, headers={"Sec-Fetch-Site": origin})
    assert response.status_code == 403
    assert "set-cookie" not in response.headers


async def test_login_takes_nothing_that_a_form_of_another_site_can_send(
    api: httpx.AsyncClient, desk: Desk
) -> None:
    """A browser sends these types across sites unasked; JSON it would first have to ask for."""
    body = f'{{"email": "{desk.agent.email}", "password": "{PASSWORD}"}}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        response = await api.post("/api/login", content=body, headers={"Content-Type": kind})
        assert response.status_code == 422
        assert "set-cookie" not in response.headers


async def test_a_login_leaves_the_planted_session_behind(db: None, desk: Desk) -> None:
    """Session fixation: the attacker plants his own session's cookie, and waits for the victim's login."""
    async with browser("attacker") as attacker, browser("victim") as victim:
        await log_in(attacker, desk.customer.email)
        planted = attacker.cookies[SESSION_COOKIE]
        victim.cookies.set(SESSION_COOKIE, planted, domain="desk.test")
        await log_in(victim, desk.admin.email)
        assert victim.cookies[SESSION_COOKIE] != planted
        assert (await attacker.get("/api/me")).status_code == 401
        victim.cookies.clear()
        victim.cookies.set(SESSION_COOKIE, "ids_made-up-by-the-attacker", domain="desk.test")
        await log_in(victim, desk.admin.email)
        assert victim.cookies[SESSION_COOKIE] != "ids_made-up-by-the-attacker"


async def test_logging_out_ends_the_session_on_the_server(api: httpx.AsyncClient, desk: Desk) -> None:
    await log_in(api, desk.agent.email)
    stolen = api.cookies[SESSION_COOKIE]
    response = await api.post("/api/logout", headers=csrf(api))
    assert response.status_code == 200
    assert SESSION_COOKIE not in api.cookies
    api.cookies.set(SESSION_COOKIE, stolen, domain="desk.test")
    assert (await api.get("/api/me")).status_code == 401
    assert (await actions(desk))["logout"] == 1


async def test_a_session_ends_by_itself(api: httpx.AsyncClient, desk: Desk) -> None:
    await log_in(api, desk.agent.email)
    later = clock.now() + timedelta(hours=get_settings().session_hours, seconds=1)
    with time_machine.travel(later):
        # The client forgets the cookie too, so it is sent by hand.
        cookie = {"Cookie": f"{SESSION_COOKIE}={api.cookies[SESSION_COOKIE]}"}
        api.cookies.clear()
        assert (await api.get("/api/me", headers=cookie)).status_code == 401


async def test_many_wrong_passwords_shut_the_door_of_that_account_at_that_address(
    db: None, desk: Desk
) -> None:
    async with browser("192.0.2.1") as attacker, browser("192.0.2.2") as owner:
        statuses = [
            (await log_in(attacker, desk.admin.email, "wrong")).status_code for _ in range(throttle.LIMIT + 1)
        ]
        assert statuses == [401] * throttle.LIMIT + [429]
        assert (await log_in(attacker, desk.admin.email)).status_code == 429
        assert (await log_in(attacker, desk.agent.email)).status_code == 200
        assert (await log_in(owner, desk.admin.email)).status_code == 200
        with time_machine.travel(clock.now() + throttle.WINDOW + timedelta(seconds=1)):
            assert (await log_in(attacker, desk.admin.email)).status_code == 200


async def test_tries_at_the_same_moment_by_two_processes_count_together(db: None, desk: Desk) -> None:
    """Each client has an application of its own, as two processes have; only the database is common."""
    async with browser("192.0.2.3") as one, browser("192.0.2.3") as two:
        tries = [
            log_in(client, desk.admin.email, "wrong") for _ in range(throttle.LIMIT) for client in (one, two)
        ]
        statuses = Counter(response.status_code for response in await asyncio.gather(*tries))
    assert statuses[401] <= throttle.LIMIT
    assert statuses[401] + statuses[429] == 2 * throttle.LIMIT


async def test_many_addresses_together_cannot_try_one_account_forever(db: None, desk: Desk) -> None:
    now = clock.now()
    account = throttle.limits("login", f"|{desk.agent.email}", "anywhere")[1]
    async with transaction() as session:
        session.add_all([LoginAttempt(key=account.key, at=now) for _ in range(throttle.ACCOUNT_LIMIT)])
    async with browser("198.51.100.7") as attacker:
        assert (await log_in(attacker, desk.agent.email)).status_code == 429


async def test_one_address_cannot_try_one_password_on_everybody(db: None, desk: Desk) -> None:
    now = clock.now()
    address = f"2001:db8:{new_id()[-4:]}:1::1"
    limit = throttle.limits("login", "anybody", address)[2]
    assert limit == throttle.limits("login", "anybody", address.replace("::1", "::2"))[2]
    async with transaction() as session:
        session.add_all([LoginAttempt(key=limit.key, at=now) for _ in range(throttle.ADDRESS_LIMIT)])
    async with browser(address) as attacker:
        assert (await log_in(attacker, desk.agent.email)).status_code == 429


async def test_an_unknown_address_is_answered_like_a_wrong_password(
    api: httpx.AsyncClient, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same words, and the same slow hash: the time tells nobody who is a customer."""
    hashed: list[str] = []
    verify = passwords._hasher.verify

    def counting(hash_: str, password: str) -> bool:
        hashed.append(hash_)
        return verify(hash_, password)

    class Counting:
        verify = staticmethod(counting)

    monkeypatch.setattr(passwords, "_hasher", Counting)
    known = await log_in(api, desk.agent.email, "wrong")
    unknown = await log_in(api, f"{new_id()}@nowhere.example", "wrong")
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)
    assert len(hashed) == 2
    assert [hash_.split("$")[1:4] for hash_ in hashed] == [["argon2id", *hashed[0].split("$")[2:4]]] * 2


async def test_logins_are_audited(api: httpx.AsyncClient, desk: Desk) -> None:
    await log_in(api, desk.agent.email, "wrong")
    await log_in(api, desk.agent.email)
    async with transaction() as session:
        entries = (
            await session.scalars(
                select(AuditEntry).where(
                    AuditEntry.organization_id == desk.organization_id, AuditEntry.action.like("login.%")
                )
            )
        ).all()
    told = {entry.action: entry for entry in entries}
    assert told["login.failed"].actor_id is None
    assert told["login.succeeded"].actor_id == desk.agent.user_id
    for entry in entries:
        assert entry.subject_id == desk.agent.user_id
        assert entry.details == {"address": "127.0.0.1"}
    assert "wrong" not in str([entry.details for entry in entries])


async def test_a_bearer_token_needs_no_csrf_token(api: httpx.AsyncClient, desk: Desk) -> None:
    await log_in(api, desk.customer.email)
    body = {"subject": "By a machine", "body": "!"}
    made = await api.post("/api/tickets", json=body, headers=desk.headers(Role.AGENT))
    assert made.status_code == 201
    assert made.json()["data"]["customerId"] == desk.agent.user_id
