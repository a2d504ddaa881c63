"""Who is told of failures: throttled, signed, once, and never of alerts themselves."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from desks import Desk
from failing import fail, letters
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import select, text
from test_outbound import Double

import toril
from insightdesk.accounts.models import Role
from insightdesk.database import new_id, transaction
from insightdesk.dead_letters import alerts, service
from insightdesk.dead_letters.capture import Failure
from insightdesk.dead_letters.jobs import Channel, post_alert
from insightdesk.dead_letters.models import Alert
from insightdesk.dead_letters.recorder import QueueRecorder
from insightdesk.dead_letters.throttle import LIMIT, WINDOW, Told, to_be_told
from insightdesk.email.models import Delivery
from insightdesk.kit import clock
from insightdesk.settings import Settings, get_settings

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@given(st.lists(st.sampled_from("abcdefghijklmnop"), max_size=30), st.data())
@settings(max_examples=60, deadline=None)
def test_the_throttle_keeps_both_limits(kinds: list[str], data: st.DataObject) -> None:
    sent: list[tuple[datetime, str]] = []
    now = NOON
    for kind in kinds:
        now += timedelta(minutes=data.draw(st.integers(0, 40)))
        recent = [each for each in sent if now - each[0] < WINDOW]
        told = Told({name: at for at, name in recent}, len(recent))
        for chosen in to_be_told([kind, kind], told, now):
            sent.append((now, chosen))
    for at, kind in sent:
        within = [each for each in sent if timedelta() <= each[0] - at < WINDOW]
        assert len(within) <= LIMIT
        assert len([each for each in within if each[1] == kind]) == 1


def failure(desk: Desk, error: str, *, queue: str = "reports", name: str = "export") -> Failure:
    data = {"userId": desk.agent.user_id}
    return Failure(queue, f"j-{new_id()}", name, clock.now(), error, data=data, readable=True)


async def record(*failures: Failure) -> list[Alert]:
    async with transaction() as session:
        made = await service.record(session, failures, clock.now())
        return await alerts.raise_alerts(session, made, clock.now())


async def mails(desk: Desk) -> list[Delivery]:
    async with transaction() as session:
        found = await session.scalars(
            select(Delivery).where(
                Delivery.organization_id == desk.organization_id,
                Delivery.template == alerts.MAIL_TEMPLATE,
            )
        )
        return list(found)


async def test_an_organizations_admins_are_mailed_once_an_hour_of_a_kind(db: None, desk: Desk) -> None:
    raised = await record(*(failure(desk, f"no space left, code {n}") for n in range(5)))
    assert len(raised) == 1
    assert await record(failure(desk, "no space left, code 9")) == []
    (mail,) = await mails(desk)
    assert (mail.recipient, mail.subject) == (desk.admin.email, "A job failed for good: export")
    assert "no space left" in mail.text
    assert len(await record(failure(desk, "another kind of trouble"))) == 1
    many = [failure(desk, f"trouble of kind {letter * 3}") for letter in "abcdefghijklmnop"]
    assert len(await record(*many)) == LIMIT - 2


async def test_alerts_are_never_about_themselves(db: None, desk: Desk) -> None:
    await record(failure(desk, "boom"))
    (mail,) = await mails(desk)
    own = [
        Failure(
            "email", f"deliver-{mail.id}", "deliver", clock.now(), "mailbox full",
            data={"deliveryId": mail.id}, readable=True,
        ),
        failure(desk, "the webhook answered 500", queue=alerts.ALERT_JOB[0], name=alerts.ALERT_JOB[1]),
    ]  # fmt: skip
    assert await record(*own) == []
    found = await letters("email")
    assert [each.organization_id for each in found if each.job_id == f"deliver-{mail.id}"] == [
        desk.organization_id
    ]


@pytest.fixture
async def hook(monkeypatch: pytest.MonkeyPatch, db: None) -> AsyncIterator[Double]:
    """A receiver on loopback, which the settings allow."""
    changed = get_settings().model_copy(update={"alert_allowed_hosts": "127.0.0.0/8"})
    _use(monkeypatch, changed)
    async with Double().serving() as double:
        yield double


def _use(monkeypatch: pytest.MonkeyPatch, changed: Settings) -> None:
    for module in ("jobs", "alerts", "sentry"):
        monkeypatch.setattr(f"insightdesk.dead_letters.{module}.get_settings", lambda: changed)


async def test_a_webhook_is_signed_and_refused_answers_are_judged(
    api: httpx.AsyncClient, desk: Desk, hook: Double
) -> None:
    admin, url = desk.headers(Role.ADMIN), f"http://127.0.0.1:{hook.port}/hook"
    body = {"mail": False, "webhookUrl": url}
    saved = (await api.put("/admin/dead-letters/alerts", json=body, headers=admin)).json()["data"]
    assert saved["webhookSecret"].startswith("whsec_")
    again = (await api.put("/admin/dead-letters/alerts", json=body, headers=admin)).json()["data"]
    assert again["webhookSecret"] is None
    shown = (await api.get("/admin/dead-letters/alerts", headers=admin)).json()["data"]
    assert shown == {"mail": False, "webhookUrl": url}
    (alert,) = await record(failure(desk, "boom for ann@example.com"))
    assert await mails(desk) == []
    async with transaction() as session:
        staged = await session.scalar(
            text("SELECT data FROM toril_outbox WHERE options->>'jobId' = :id"),
            {"id": f"alert-{alert.id}-organization"},
        )
    assert staged == {"alertId": alert.id, "channel": "organization"}
    await post_alert(alert_id=alert.id, channel=Channel.ORGANIZATION)
    (request,) = hook.requests
    head, _, content = request.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:])
    assert headers["webhook-id"] == alert.id
    raw = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    signed = f"{alert.id}.{raw['webhook-timestamp']}.".encode() + content
    key = base64.b64decode(saved["webhookSecret"].removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert raw["webhook-signature"] == f"v1,{expected}"
    told = json.loads(content)
    assert (told["type"], told["data"]["error"]) == ("job.failed", "boom for [address]")
    for answer, error in ((b"500 Oops", ConnectionError), (b"404 Not", toril.Fail), (b"302 Go", toril.Fail)):
        hook.answer = b"HTTP/1.1 " + answer + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        with pytest.raises(error):
            await post_alert(alert_id=alert.id, channel=Channel.ORGANIZATION)


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "https://10.0.0.8/", "http://example.com/", "nonsense"]
)
async def test_an_internal_address_cannot_be_set(api: httpx.AsyncClient, desk: Desk, url: str) -> None:
    answer = await api.put(
        "/admin/dead-letters/alerts", json={"webhookUrl": url}, headers=desk.headers(Role.ADMIN)
    )
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("webhookUrl: ")


async def test_a_name_that_has_come_to_mean_an_internal_address_is_refused_for_good(
    api: httpx.AsyncClient, desk: Desk, db: None
) -> None:
    body = {"webhookUrl": "https://localhost/"}
    answer = await api.put("/admin/dead-letters/alerts", json=body, headers=desk.headers(Role.ADMIN))
    assert answer.status_code == 200
    (alert,) = await record(failure(desk, "boom"))
    with pytest.raises(toril.Fail, match="refused"):
        await post_alert(alert_id=alert.id, channel=Channel.ORGANIZATION)


async def test_sentry_is_told_when_it_is_configured(
    desk: Desk, hook: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = get_settings().model_copy(
        update={
            "sentry_dsn": SecretStr(f"http://public@127.0.0.1:{hook.port}/7"),
            "alert_webhook_url": f"http://127.0.0.1:{hook.port}/operator",
            "alert_allowed_hosts": "127.0.0.1",
        }
    )
    _use(monkeypatch, changed)
    hook.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    (alert,) = await record(failure(desk, "boom for ann@example.com"))
    async with transaction() as session:
        ids = await session.scalars(
            text("SELECT options->>'jobId' FROM toril_outbox WHERE data->>'alertId' = :id"), {"id": alert.id}
        )
    assert set(ids) == {f"alert-{alert.id}-operator", f"alert-{alert.id}-sentry"}
    await post_alert(alert_id=alert.id, channel=Channel.SENTRY)
    async with asyncio.timeout(10):
        while not hook.requests:
            await asyncio.sleep(0.02)
    head, _, content = hook.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/7/envelope/ ")
    envelope = gzip.decompress(content) if b"gzip" in head.lower() else content
    event = json.loads(envelope.split(b"\n")[2])
    assert event["fingerprint"] == [alert.fingerprint]
    assert event["exception"]["values"][0]["value"] == "boom for [address]"
    assert event["tags"]["queue"] == "reports"


async def test_a_recorder_raises_alerts(
    desk: Desk, queue: toril.Queue, recorder: QueueRecorder, valkey_url: str
) -> None:
    await fail(queue, valkey_url, {"userId": desk.agent.user_id})
    await recorder.reconcile(queue, whole=True)
    assert len(await mails(desk)) == 1
