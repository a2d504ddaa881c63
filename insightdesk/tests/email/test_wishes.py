"""What a person wants: preferences, quiet hours, one click, and links that cannot be altered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
from desks import Desk
from scripted import Scripted, use
from sqlalchemy import select

import toril
from insightdesk.accounts.models import Role
from insightdesk.database import transaction
from insightdesk.email import unsubscribe
from insightdesk.email.delivery import deliver
from insightdesk.email.models import Delivery, DeliveryState
from insightdesk.email.providers.message import build
from insightdesk.email.registry import REGISTRY
from insightdesk.email.service import Channel, erase_person, opted_out
from insightdesk.kit import clock
from insightdesk.realtime.models import Notification
from insightdesk.realtime.service import notify

Stage = Callable[..., Awaitable[str]]
Reload = Callable[[str], Awaitable[Delivery]]
NEWS = {"template": "status_change", "data": REGISTRY["status_change"].sample}


def path_of(url: str | None) -> str:
    assert url is not None
    return url[url.index("/mail/stop/") :]


async def test_one_click_stops_mails_of_one_kind(
    api: httpx.AsyncClient, desk: Desk, staged: Stage, reload: Reload, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Scripted()
    use(monkeypatch, provider)
    await deliver(await staged(**NEWS))
    link = provider.sent[0].unsubscribe_url
    message = build(provider.sent[0])
    assert message["List-Unsubscribe"] == f"<{link}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    # A scanner that follows links changes nothing.
    shown = await api.get(path_of(link))
    assert shown.status_code == 200
    assert "Stop" in shown.text
    # As RFC 8058 has it: no cookie, no login, this body.
    for _ in range(2):
        stopped = await api.post(path_of(link), data={"List-Unsubscribe": "One-Click"})
        assert stopped.status_code == 200
    mail = await staged(**NEWS)
    await deliver(mail)
    found = await reload(mail)
    assert (found.state, len(provider.sent)) == (DeliveryState.SUPPRESSED, 1)
    assert "does not want" in (found.error or "")
    await deliver(await staged(template="assignment", data=REGISTRY["assignment"].sample))
    assert len(provider.sent) == 2


async def test_mails_that_a_person_needs_have_no_such_link(
    staged: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Scripted()
    use(monkeypatch, provider)
    await deliver(await staged("password_reset", data=REGISTRY["password_reset"].sample))
    assert build(provider.sent[0])["List-Unsubscribe"] is None


@pytest.mark.parametrize("change", ["type", "cut", "signature", "empty", "unicode"])
async def test_an_altered_link_is_refused(api: httpx.AsyncClient, desk: Desk, change: str) -> None:
    now = clock.now()
    good = path_of(unsubscribe.link(desk.agent.user_id, "status_change", now)).removeprefix("/mail/stop/")
    payload, _, signature = good.partition(".")
    other = path_of(unsubscribe.link(desk.admin.user_id, "status_change", now)).removeprefix("/mail/stop/")
    wrong = {
        "type": f"{other.partition('.')[0]}.{signature}",
        "cut": payload,
        "signature": f"{payload}.{'0' * len(signature)}",
        "empty": "x.",
        "unicode": f"{payload}.é",
    }[change]
    for answer in (await api.post(f"/mail/stop/{wrong}"), await api.get(f"/mail/stop/{wrong}")):
        assert answer.status_code == 403
    async with transaction() as session:
        assert await opted_out(session, [desk.agent.user_id], "status_change", Channel.EMAIL) == set()


async def test_an_old_link_is_refused(api: httpx.AsyncClient, desk: Desk) -> None:
    old = unsubscribe.link(desk.agent.user_id, "status_change", clock.now() - timedelta(days=91))
    assert (await api.post(path_of(old))).status_code == 403


async def test_preferences_are_kept_by_type_and_channel(api: httpx.AsyncClient, desk: Desk) -> None:
    headers = desk.headers(Role.AGENT)
    body = {
        "choices": [{"type": "assignment", "email": False}, {"type": "new_message", "inApp": False}],
        "quietHours": {"starts": "22:00", "ends": "06:30", "timeZone": "Europe/Berlin"},
    }
    assert (await api.put("/api/mail/preferences", json=body, headers=headers)).status_code == 200
    data = (await api.get("/api/mail/preferences", headers=headers)).json()["data"]
    chosen = {choice["type"]: choice for choice in data["choices"]}
    assert chosen["assignment"] == {"type": "assignment", "email": False, "inApp": True}
    assert chosen["new_message"] == {"type": "new_message", "email": True, "inApp": False}
    assert data["quietHours"] == {"starts": "22:00:00", "ends": "06:30:00", "timeZone": "Europe/Berlin"}
    assert "welcome" not in chosen
    await api.put("/api/mail/preferences", json={"quietHours": None}, headers=headers)
    data = (await api.get("/api/mail/preferences", headers=headers)).json()["data"]
    assert data["quietHours"] is None
    others = (await api.get("/api/mail/preferences", headers=desk.headers(Role.ADMIN))).json()["data"]
    assert all(choice["email"] for choice in others["choices"])
    # Digests and the like have no place on the screen, and so no choice of it.
    by_mail_alone = {choice["type"] for choice in others["choices"] if choice["inApp"] is None}
    assert by_mail_alone == {"auto_close_warning", "daily_digest", "weekly_report"}
    assert all(choice["inApp"] for choice in others["choices"] if choice["type"] not in by_mail_alone)


async def test_news_on_the_screen_are_chosen_apart_from_mails(
    api: httpx.AsyncClient, desk: Desk, valkey_url: str
) -> None:
    headers = desk.headers(Role.AGENT)
    ticket = await api.post("/api/tickets", json={"subject": "s", "body": "b"}, headers=headers)
    body = {"choices": [{"type": "new_message", "inApp": False}]}
    await api.put("/api/mail/preferences", json=body, headers=headers)
    people = [desk.agent.user_id, desk.admin.user_id]
    id_ = ticket.json()["data"]["id"]
    await notify(f"{id_}:1", id_, "message_added", None, people)
    await notify(f"{id_}:2", id_, "assigned", None, people)
    async with transaction() as session:
        query = select(Notification.user_id, Notification.action).where(Notification.ticket_id == id_)
        told = {(user, action) for user, action in await session.execute(query)}
    assert told == {
        (desk.admin.user_id, "message_added"),
        (desk.admin.user_id, "assigned"),
        (desk.agent.user_id, "assigned"),
    }


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [{"type": "welcome", "email": False}]},
        {"choices": [{"type": "nonsense", "email": False}]},
        {"choices": [{"type": "daily_digest", "inApp": False}]},
        {"quietHours": {"starts": "25:00", "ends": "06:00"}},
        {"quietHours": {"starts": "22:00", "ends": "06:00", "timeZone": "Mars/Olympus"}},
        {"quietHours": {"starts": "22:00", "ends": "06:00", "timeZone": "../../etc/passwd"}},
    ],
)
async def test_bad_wishes_are_refused(api: httpx.AsyncClient, desk: Desk, body: object) -> None:
    answer = await api.put("/api/mail/preferences", json=body, headers=desk.headers(Role.AGENT))
    assert answer.status_code == 422


async def test_quiet_hours_put_off_what_can_wait(
    api: httpx.AsyncClient, desk: Desk, staged: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Scripted()
    use(monkeypatch, provider)
    noon = clock.now().replace(hour=12, minute=0, second=0, microsecond=0)
    monkeypatch.setattr(clock, "now", lambda: noon)
    body = {"quietHours": {"starts": "11:00", "ends": "15:00"}}  # the organization's zone is UTC
    await api.put("/api/mail/preferences", json=body, headers=desk.headers(Role.AGENT))
    mail = await staged(**NEWS)
    with pytest.raises(toril.Snooze) as snoozed:
        await deliver(mail)
    assert snoozed.value.delay == 3 * 3600
    await deliver(await staged("password_reset", data=REGISTRY["password_reset"].sample))
    await deliver(await staged("sla_breach", data=REGISTRY["sla_breach"].sample))
    assert len(provider.sent) == 2
    monkeypatch.setattr(clock, "now", lambda: noon + timedelta(hours=3))
    await deliver(mail)
    assert len(provider.sent) == 3


async def test_a_person_is_erased(api: httpx.AsyncClient, desk: Desk, staged: Stage) -> None:
    await staged()
    await staged(recipient=f"The Agent <{desk.agent.email}>", user_id=None)
    await staged(recipient=desk.admin.email, user_id=desk.admin.user_id)
    body = {"choices": [{"type": "assignment", "email": False}]}
    await api.put("/api/mail/preferences", json=body, headers=desk.headers(Role.AGENT))
    async with transaction() as session:
        who = (desk.organization_id, desk.agent.user_id, desk.agent.email)
        assert await erase_person(session, *who) == 3
        assert await erase_person(session, *who) == 0
