"""A worker is killed at each point of a send: one mail, or one counted extra where SMTP cannot tell."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from resend_double import KEY, ResendDouble, resend_double
from scripted import use
from test_smtp import Mailbox, serving

import toril
from insightdesk.database import database
from insightdesk.email.delivery import deliver
from insightdesk.email.models import Delivery, DeliveryState
from insightdesk.email.providers import providers_from_urls
from insightdesk.settings import get_settings
from insightdesk.worker import app
from toril import outbox

Stage = Callable[..., Awaitable[str]]
Reload = Callable[[str], Awaitable[Delivery]]


async def killed(url: str, point: str, *delivery_id: str) -> None:
    """Runs the process until it is dead."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).parent / "crashing.py"),
        point,
        *delivery_id,
        env={**os.environ, "INSIGHTDESK_EMAIL_URL": url},
    )
    async with asyncio.timeout(30):
        assert await process.wait() == -signal.SIGKILL


async def run_again(delivery_id: str) -> None:
    """What the job's next run does, and the one after a wait that it asks for."""
    try:
        await deliver(delivery_id)
    except toril.Snooze as snoozed:
        await asyncio.sleep(snoozed.delay + 0.05)
        await deliver(delivery_id)


@pytest.mark.parametrize("point", ["claimed", "handed", "taken"])
async def test_resend_is_asked_by_the_key(
    point: str, staged: Stage, reload: Reload, monkeypatch: pytest.MonkeyPatch
) -> None:
    with resend_double() as api:
        url = api.url.replace("http://", f"resend+http://{KEY}@")
        mail = await staged()
        await killed(url, point, mail)
        assert (await reload(mail)).state is DeliveryState.SENDING
        assert len(api.mails) == (1 if point == "taken" else 0)
        use(monkeypatch, *providers_from_urls(url))
        await run_again(mail)
        found = await reload(mail)
        assert (found.state, found.extra_sends) == (DeliveryState.SENT, 0)
        assert [known["id"] for known in api.mails.values()] == [found.provider_message_id]


@pytest.mark.parametrize(("point", "mails", "extra"), [("claimed", 1, 0), ("handed", 1, 1), ("taken", 2, 1)])
async def test_smtp_costs_at_most_one_counted_extra_mail(
    point: str, mails: int, extra: int, staged: Stage, reload: Reload, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = Mailbox()
    with serving(mailbox) as port:
        url = f"smtp://127.0.0.1:{port}?timeout=1"
        mail = await staged(recipient="ok@example.com")
        await killed(url, point, mail)
        use(monkeypatch, *providers_from_urls(url))
        await run_again(mail)
    found = await reload(mail)
    assert (found.state, found.extra_sends) == (DeliveryState.SENT, extra)
    assert len(mailbox.taken) == mails
    ids = {
        line
        for each in mailbox.taken
        for line in bytes(each.content or b"").splitlines()
        if b"Message-ID" in line
    }
    assert ids == {f"Message-ID: <{found.message_id}>".encode()}


async def test_the_local_outbox_has_each_mail_once(
    staged: Stage, reload: Reload, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = await staged()
    await killed("local:", "taken", mail)
    await run_again(mail)
    found = await reload(mail)
    assert (found.state, found.extra_sends) == (DeliveryState.SENT, 0)


@pytest.fixture
async def api(db: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ResendDouble]:
    """Resend's double, as the configured provider of this process."""
    with resend_double() as double:
        url = double.url.replace("http://", f"resend+http://{KEY}@")
        monkeypatch.setenv("INSIGHTDESK_EMAIL_URL", url)
        get_settings.cache_clear()
        yield double
    monkeypatch.undo()
    get_settings.cache_clear()


async def test_a_whole_worker_dies_and_another_ends_its_mail(
    api: ResendDouble, valkey_url: str, staged: Stage, reload: Reload
) -> None:
    mail = await staged()
    await killed(get_settings().email_url, "taken")
    relay = outbox.OutboxRelay(database().engine, url=valkey_url)
    relaying = asyncio.create_task(relay.run())
    deadline = time.monotonic() + 25
    async with app.worker_running({"email": 5}):
        while (found := await reload(mail)).state is not DeliveryState.SENT:
            assert time.monotonic() < deadline, f"{found.state}: {found.error}"
            await asyncio.sleep(0.1)
    relay.stop()
    await relaying
    await app.close()
    assert f"delivery/{mail}" in api.mails
    assert (found.extra_sends, found.attempts) == (0, 2)
