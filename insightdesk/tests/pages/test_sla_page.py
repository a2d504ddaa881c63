"""The board of promises as staff see it."""

from __future__ import annotations

from datetime import timedelta

import httpx
from desks import Desk
from promises import MINUTE, open_ticket, patch, say

from insightdesk.accounts.models import Role
from insightdesk.database import database, transaction
from insightdesk.kit import clock
from insightdesk.sla.scan import scan
from insightdesk.tickets.models import Priority, Ticket


async def test_the_board_shows_what_is_broken_running_and_paused(api: httpx.AsyncClient, desk: Desk) -> None:
    now = clock.now()
    broken = await open_ticket(desk, now - 2 * MINUTE, Priority.URGENT)
    paused = await open_ticket(desk, now)
    kept = await open_ticket(desk, now - 5 * MINUTE)
    await patch(desk, paused, now + timedelta(seconds=1), status="pending")
    await say(desk, kept, now, staff=True)
    await scan(database(), now)
    async with transaction() as session:
        (await session.get_one(Ticket, broken.id)).subject = "<script>alert(1)</script>"
    page = await api.get("/ui/sla", headers=desk.headers(Role.AGENT))
    assert page.status_code == 200
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script>alert" not in page.text
    assert page.text.count('data-state="breached"') == 1
    assert page.text.count('data-state="running"') == 2
    assert page.text.count('data-state="paused"') == 2
    assert "<b>1</b> broken and open" in page.text
    assert "<b>2</b> waiting on the customer" in page.text
    assert "10 min left when it resumes" in page.text
    assert "first response" in page.text
    live = await api.get("/ui/sla/live", headers=desk.headers(Role.AGENT))
    assert 'data-state="breached"' in live.text
    assert "<html" not in live.text


async def test_the_board_is_for_staff_of_the_organization(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk
) -> None:
    await open_ticket(desk, clock.now())
    for path in ("/ui/sla", "/ui/sla/live"):
        assert (await api.get(path, headers=desk.headers(Role.CUSTOMER))).status_code == 403
        assert 'action="/api/login"' in (await api.get(path)).text
        foreign = await api.get(path, headers=other_desk.headers(Role.ADMIN))
        assert "Nothing is promised to anybody" in foreign.text
    start = await api.get("/", headers=desk.headers(Role.AGENT))
    assert 'href="/ui/sla"' in start.text
    assert 'href="/ui/sla"' not in (await api.get("/", headers=desk.headers(Role.CUSTOMER))).text
