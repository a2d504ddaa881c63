"""Bounces and complaints: signed by Resend, fresh and once; all else is refused."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta

import httpx
import pytest
import resend
from desks import Desk

from insightdesk.accounts.models import Role
from insightdesk.database import new_id
from insightdesk.email.delivery import deliver
from insightdesk.email.models import Delivery, DeliveryState
from insightdesk.email.webhook import _signature
from insightdesk.kit import clock
from insightdesk.settings import get_settings

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes....").decode()
URL = "/webhooks/resend"
Stage = Callable[..., Awaitable[str]]
Reload = Callable[[str], Awaitable[Delivery]]
Change = Callable[..., Awaitable[None]]


@pytest.fixture(autouse=True)
def secret(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("INSIGHTDESK_RESEND_WEBHOOK_SECRET", SECRET)
    get_settings.cache_clear()
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


def event(type_: str, email_id: str, to: str, **data: object) -> bytes:
    """As https://resend.com/docs/webhooks/event-types has it."""
    return json.dumps(
        {
            "type": type_,
            "created_at": "2026-11-22T23:41:12.126Z",
            "data": {"email_id": email_id, "from": "Desk <d@x.example>", "to": [to], **data},
        }
    ).encode()


def bounce(email_id: str, to: str, kind: str = "Permanent") -> bytes:
    details = {"type": kind, "subType": "General", "message": "550 no such person"}
    return event("email.bounced", email_id, to, bounce=details)


def signed(body: bytes, *, id_: str | None = None, at: float | None = None) -> dict[str, str]:
    id_, stamp = id_ or f"msg_{new_id()}", str(int(at if at is not None else time.time()))
    signature = _signature(SECRET, id_, stamp, body).decode()
    return {"svix-id": id_, "svix-timestamp": stamp, "svix-signature": f"v1,AAAA v2,x v1,{signature}"}


@pytest.fixture
def sent(staged: Stage, change: Change) -> Callable[..., Awaitable[str]]:
    """A mail that Resend took under this id."""

    async def make(**wanted: object) -> str:
        email_id = new_id()
        await change(await staged(**wanted), state=DeliveryState.SENT, provider_message_id=email_id)
        return email_id

    return make


async def listed(api: httpx.AsyncClient, desk: Desk) -> dict[str, str]:
    answer = await api.get("/admin/mail/suppressions", headers=desk.headers(Role.ADMIN))
    return {item["address"]: item["reason"] for item in answer.json()["data"]["items"]}


def test_our_signature_is_the_one_that_the_sdk_accepts() -> None:
    body = bounce("e1", "a@x.example")
    headers = signed(body)
    resend.Webhooks.verify(
        {
            "payload": body.decode(),
            "headers": {
                "id": headers["svix-id"],
                "timestamp": headers["svix-timestamp"],
                "signature": headers["svix-signature"],
            },
            "webhook_secret": SECRET,
        }
    )


async def test_a_permanent_bounce_stops_the_address_for_its_organization(
    api: httpx.AsyncClient,
    desk: Desk,
    other_desk: Desk,
    sent: Callable[..., Awaitable[str]],
    staged: Stage,
    reload: Reload,
) -> None:
    body = bounce(await sent(), desk.agent.email)
    assert (await api.post(URL, content=body, headers=signed(body))).status_code == 200
    assert await listed(api, desk) == {desk.agent.email: "bounce"}
    assert await listed(api, other_desk) == {}
    mail = await staged()
    await deliver(mail)
    assert (await reload(mail)).state is DeliveryState.SUPPRESSED


async def test_a_complaint_counts_and_a_passing_bounce_does_not(
    api: httpx.AsyncClient, desk: Desk, sent: Callable[..., Awaitable[str]]
) -> None:
    for body in (
        event("email.complained", await sent(), desk.agent.email),
        bounce(await sent(recipient=desk.admin.email), desk.admin.email, "Temporary"),
        bounce(new_id(), desk.customer.email),
        event("email.delivered", await sent(), desk.customer.email),
    ):
        assert (await api.post(URL, content=body, headers=signed(body))).status_code == 200
    assert await listed(api, desk) == {desk.agent.email: "complaint"}


@pytest.mark.parametrize("wrong", ["body", "id", "timestamp", "unsigned", "version", "old", "new", "odd"])
async def test_a_forged_call_is_refused(
    api: httpx.AsyncClient, desk: Desk, sent: Callable[..., Awaitable[str]], wrong: str
) -> None:
    body = bounce(await sent(), desk.agent.email)
    at = {"old": time.time() - 310, "new": time.time() + 310}.get(wrong)
    headers = signed(body, at=at)
    if wrong == "body":
        body = body.replace(b"550", b"551")
    elif wrong == "id":
        headers["svix-id"] += "x"
    elif wrong == "timestamp":
        headers["svix-timestamp"] = str(int(headers["svix-timestamp"]) + 1)
    elif wrong == "unsigned":
        headers = {}
    elif wrong == "version":
        headers["svix-signature"] = headers["svix-signature"].replace("v1,", "v3,")
    elif wrong == "odd":
        headers["svix-timestamp"] = "NaN"
    answer = await api.post(URL, content=body, headers=headers)
    assert answer.status_code == 401
    assert await listed(api, desk) == {}


async def test_a_copy_of_a_served_call_is_refused(
    api: httpx.AsyncClient, desk: Desk, sent: Callable[..., Awaitable[str]]
) -> None:
    body = bounce(await sent(), desk.agent.email)
    headers = signed(body)
    assert (await api.post(URL, content=body, headers=headers)).json()["data"] == {"repeated": False}
    item = (await api.get("/admin/mail/suppressions", headers=desk.headers(Role.ADMIN))).json()["data"][
        "items"
    ][0]
    await api.delete(f"/admin/mail/suppressions/{item['id']}", headers=desk.headers(Role.ADMIN))
    assert (await api.post(URL, content=body, headers=headers)).status_code == 401
    # What the provider itself repeats has a new time; it is answered well, and changes nothing.
    again = signed(body, id_=headers["svix-id"], at=time.time() + 2)
    assert (await api.post(URL, content=body, headers=again)).json()["data"] == {"repeated": True}
    assert await listed(api, desk) == {}


async def test_what_is_kept_of_calls_is_bounded(
    api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = event("email.opened", "e", "a@x.example")
    first = signed(body)
    await api.post(URL, content=body, headers=first)
    later = clock.now() + timedelta(minutes=20)
    monkeypatch.setattr(clock, "now", lambda: later)
    again = signed(body, id_=first["svix-id"], at=later.timestamp())
    answer = await api.post(URL, content=body, headers=again)
    assert answer.json()["data"] == {"repeated": False}


@pytest.mark.parametrize("body", [b"", b"[]", b'{"type":"email.bounced"}', b"\xff", b"[" * 5000])
async def test_a_body_that_is_none_of_theirs_is_refused_clearly(api: httpx.AsyncClient, body: bytes) -> None:
    assert (await api.post(URL, content=body, headers=signed(body))).status_code == 422


async def test_without_a_secret_there_is_no_webhook(
    api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INSIGHTDESK_RESEND_WEBHOOK_SECRET")
    get_settings.cache_clear()
    assert (await api.post(URL, content=b"{}")).status_code == 404


async def test_the_list_is_kept_by_administrators(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk
) -> None:
    admin, stranger = desk.headers(Role.ADMIN), other_desk.headers(Role.ADMIN)
    made = await api.post("/admin/mail/suppressions", json={"address": "X@Y.example"}, headers=admin)
    assert made.status_code == 201
    id_ = made.json()["data"]["id"]
    assert await listed(api, desk) == {"x@y.example": "manual"}
    assert (await api.delete(f"/admin/mail/suppressions/{id_}", headers=stranger)).status_code == 404
    assert (await api.get("/admin/mail/suppressions", headers=desk.headers(Role.AGENT))).status_code == 403
    bad = await api.post("/admin/mail/suppressions", json={"address": "a, b@c"}, headers=admin)
    assert bad.status_code == 422
    assert (await api.delete(f"/admin/mail/suppressions/{id_}", headers=admin)).status_code == 200
    assert await listed(api, desk) == {}
