"""The inbox on the page, and the page of a forgotten password."""

from __future__ import annotations

import httpx
from desks import Desk

from insightdesk.accounts.models import Role
from insightdesk.database import transaction
from insightdesk.pages import queries
from insightdesk.realtime import service


async def test_the_inbox_is_on_the_page_and_the_page_hears_of_it(
    api: httpx.AsyncClient, desk: Desk, valkey_url: str
) -> None:
    agent = desk.headers(Role.AGENT)
    assert 'data-open="/ui/inbox"' in (await api.get("/", headers=agent)).text
    assert "Nothing has happened yet." in (await api.get("/ui/inbox", headers=agent)).text
    made = await api.post(
        "/api/tickets", json={"subject": "<b>Fire</b>", "body": "!"}, headers=desk.headers(Role.CUSTOMER)
    )
    ticket_id = made.json()["data"]["id"]

    async def state() -> str:
        async with transaction() as session:
            return await queries.fingerprint(session, desk.agent)

    before = await state()
    await service.notify("page-1", ticket_id, "message_added", None, [desk.agent.user_id])
    told = await state()
    assert told != before
    page = (await api.get("/ui/inbox", headers=agent)).text
    assert "&lt;b&gt;Fire&lt;/b&gt;" in page
    assert "message added" in page
    assert "1 unread" in page
    [entry] = (await api.get("/api/notifications", headers=agent)).json()["data"]["items"]
    assert f'data-entry="{entry["id"]}"' in page
    await api.post(f"/api/notifications/{entry['id']}/read", headers=agent)
    assert await state() != told
    assert "read-all" not in (await api.get("/ui/inbox", headers=agent)).text


async def test_a_forgotten_password_has_a_page_that_anybody_may_open(api: httpx.AsyncClient) -> None:
    assert 'href="/reset"' in (await api.get("/")).text
    page = await api.get("/reset")
    assert page.status_code == 200
    assert "/ui/personal.js" in page.text
    assert (await api.get("/ui/personal.js")).status_code == 200
