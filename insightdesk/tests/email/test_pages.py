"""The pages of mail: who sees what, and that hostile text stays text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import pytest
from desks import Desk

from insightdesk.accounts.models import Role
from insightdesk.email.models import DeliveryState
from insightdesk.email.registry import REGISTRY

Stage = Callable[..., Awaitable[str]]
Change = Callable[..., Awaitable[None]]
HOSTILE = "<script>alert(1)</script>"


async def test_the_outbox_shows_mails_by_state(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk, staged: Stage, change: Change
) -> None:
    await change(await staged(), state=DeliveryState.SENT, subject="the sent one")
    await change(await staged(), state=DeliveryState.FAILED, subject=HOSTILE, error=f"451 {HOSTILE}")
    headers = desk.headers(Role.ADMIN)
    everything = (await api.get("/mail", headers=headers)).text
    assert "the sent one" in everything
    assert "&lt;script&gt;alert(1)" in everything
    assert HOSTILE not in everything
    failed = (await api.get("/mail?state=failed", headers=headers)).text
    assert "the sent one" not in failed
    assert "451" in failed
    assert "the sent one" not in (await api.get("/mail", headers=other_desk.headers(Role.ADMIN))).text
    assert (await api.get("/mail", headers=desk.headers(Role.AGENT))).status_code == 403
    assert (await api.get("/mail?state=nonsense", headers=headers)).status_code == 422


async def test_older_mails_are_on_the_next_page(
    api: httpx.AsyncClient, desk: Desk, staged: Stage, change: Change
) -> None:
    for number in range(51):
        await change(await staged(), subject=f"mail number {number:03}")
    headers = desk.headers(Role.ADMIN)
    first = (await api.get("/mail", headers=headers)).text
    assert "mail number 050" in first
    assert "mail number 000" not in first
    link = first[first.index("/mail?before=") :].partition('"')[0]
    second = (await api.get(link, headers=headers)).text
    assert "mail number 000" in second
    assert "mail number 050" not in second


async def test_a_failed_mail_is_taken_up_again_by_an_administrator(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk, staged: Stage, change: Change
) -> None:
    mail = await staged()
    path, headers = f"/admin/emails/{mail}/send", desk.headers(Role.ADMIN)
    assert (await api.post(path, headers=headers)).status_code == 422
    await change(mail, state=DeliveryState.FAILED, error="451 later")
    assert "Try again" in (await api.get(f"/ui/mails/{mail}", headers=headers)).text
    assert (await api.post(path, headers=other_desk.headers(Role.ADMIN))).status_code == 404
    assert (await api.post(path, headers=desk.headers(Role.AGENT))).status_code == 403
    assert (await api.post(path, headers=headers)).status_code == 202


@pytest.mark.parametrize("name", sorted(REGISTRY))
async def test_each_template_has_a_preview(api: httpx.AsyncClient, desk: Desk, name: str) -> None:
    headers = desk.headers(Role.ADMIN)
    page = await api.get(f"/mail/templates/{name}", headers=headers)
    assert page.status_code == 200
    framed = await api.get(f"/mail/templates/{name}/html", headers=headers)
    assert framed.headers["content-security-policy"].startswith("sandbox")
    assert f"/mail/templates/{name}" in (await api.get("/mail/templates", headers=headers)).text


async def test_previews_are_for_administrators_and_of_known_templates(
    api: httpx.AsyncClient, desk: Desk
) -> None:
    headers = desk.headers(Role.ADMIN)
    assert (await api.get("/mail/templates/layout", headers=headers)).status_code == 404
    assert (await api.get("/mail/templates/..%2Flayout", headers=headers)).status_code == 404
    assert (await api.get("/mail/templates", headers=desk.headers(Role.AGENT))).status_code == 403


@pytest.mark.parametrize("path", ["/mail", "/mail/templates", "/mail/templates/welcome", "/preferences"])
async def test_who_is_not_known_is_asked_to_sign_in(api: httpx.AsyncClient, db: None, path: str) -> None:
    page = await api.get(path)
    assert page.status_code == 200
    assert 'id="login"' in page.text


async def test_the_preferences_page_shows_each_choice(api: httpx.AsyncClient, desk: Desk) -> None:
    page = (await api.get("/preferences", headers=desk.headers(Role.CUSTOMER))).text
    for name, template in REGISTRY.items():
        assert (f'name="type" value="{name}"' in page) == template.optional


async def test_how_providers_stand_is_told_to_administrators(api: httpx.AsyncClient, desk: Desk) -> None:
    answer = await api.get("/admin/mail/providers", headers=desk.headers(Role.ADMIN))
    assert [(each["name"], each["open"]) for each in answer.json()["data"]] == [("local", False)]
    assert (await api.get("/admin/mail/providers", headers=desk.headers(Role.AGENT))).status_code == 403
