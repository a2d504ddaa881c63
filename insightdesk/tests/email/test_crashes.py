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
from desks import make_desk
from resend_double import KEY, ResendDouble, resend_double
from scripted import use
from sqlalchemy import create_engine, select, text
from test_smtp import Mailbox, serving

import toril
from insightdesk.database import close_database, new_id, sqlalchemy_url, transaction
from insightdesk.email.delivery import deliver
from insightdesk.email.models import Delivery, DeliveryState
from insightdesk.email.providers import providers_from_urls
from insightdesk.email.service import queue_mail
from insightdesk.migrations import migrate
from insightdesk.settings import get_settings

Stage = Callable[..., Awaitable[str]]
Reload = Callable[[str], Awaitable[Delivery]]


async def start(*arguments: str, env: dict[str, str]) -> asyncio.subprocess.Process:
    """Starts a process of `crashing.py`."""
    script = str(Path(__file__).parent / "crashing.py")
    return await asyncio.create_subprocess_exec(sys.executable, script, *arguments, env=env)


async def killed(url: str, point: str, *delivery_id: str) -> None:
    """Runs a process until it is dead."""
    process = await start(point, *delivery_id, env={**os.environ, "INSIGHTDESK_EMAIL_URL": url})
    async with asyncio.timeout(60):
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
async def alone(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[ResendDouble]:
    """A database, a Valkey and a provider that no other test puts mails into."""
    name = f"crash_{new_id().replace('-', '')}"
    engine = create_engine(sqlalchemy_url(postgres_url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    url = postgres_url.replace("/insightdesk?", f"/{name}?")
    migrate(url)
    with toril.embedded(tmp_path / "valkey") as valkey, resend_double() as api:
        monkeypatch.setenv("INSIGHTDESK_DATABASE_URL", url)
        monkeypatch.setenv("INSIGHTDESK_VALKEY_URL", valkey)
        monkeypatch.setenv("INSIGHTDESK_EMAIL_URL", api.url.replace("http://", f"resend+http://{KEY}@"))
        get_settings.cache_clear()
        yield api
        await close_database()
    monkeypatch.undo()
    get_settings.cache_clear()


async def test_a_whole_worker_dies_and_another_ends_its_mail(alone: ResendDouble, reload: Reload) -> None:
    desk = await make_desk()
    async with transaction() as session:
        await queue_mail(
            session,
            organization_id=desk.organization_id,
            recipient=desk.agent.email,
            template="welcome",
            data={"name": "Ann"},
            key="k",
        )
        mail = (await session.scalars(select(Delivery.id))).one()
    await killed(get_settings().email_url, "taken")
    worker = await start("never", env=os.environ.copy())
    deadline = time.monotonic() + 40
    while (found := await reload(mail)).state is not DeliveryState.SENT:
        assert time.monotonic() < deadline, f"{found.state}: {found.error}"
        await asyncio.sleep(0.1)
    worker.terminate()
    await worker.wait()
    assert list(alone.mails) == [f"delivery/{mail}"]
    assert (found.extra_sends, found.attempts, len(alone.requests)) == (0, 2, 2)
