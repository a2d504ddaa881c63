"""The page of exports in a browser's place: who sees it, what it shows, and that it runs nothing."""

from __future__ import annotations

import httpx
from desks import Desk
from exports import add_tickets, ask, ended

from insightdesk.accounts.models import Role


async def test_staff_sees_the_form_and_its_own_exports(
    api: httpx.AsyncClient, desk: Desk, working: None
) -> None:
    await add_tickets(desk, 3)
    export_id = (await ask(api, desk)).json()["data"]["id"]
    await ended(api, desk, export_id)
    page = await api.get("/ui/exports", headers=desk.headers(Role.AGENT))
    assert page.status_code == 200
    assert 'id="export"' in page.text
    assert f"/api/reports/exports/{export_id}/download" in page.text
    assert "unsafe" not in page.headers["content-security-policy"]
    listed = await api.get("/ui/exports/list", headers=desk.headers(Role.AGENT))
    assert f"/api/reports/exports/{export_id}/download" in listed.text
    assert (await api.get("/ui/exports.js")).status_code == 200


async def test_a_customer_and_a_stranger_do_not_see_the_page(api: httpx.AsyncClient, desk: Desk) -> None:
    assert (await api.get("/ui/exports", headers=desk.headers(Role.CUSTOMER))).status_code == 403
    answer = await api.get("/ui/exports")
    assert 'id="login"' in answer.text
    assert 'id="export"' not in answer.text
