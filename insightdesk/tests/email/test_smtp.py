"""The SMTP provider against a real server."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from insightdesk.email.providers import (
    InvalidMailUrl,
    LocalProvider,
    OutgoingMail,
    PermanentRefusal,
    SmtpProvider,
    TransientFailure,
    provider_from_url,
)


class Mailbox:
    """Takes mail for `ok@`, refuses the rest as their names say."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("never@"):
            return "550 5.1.1 no such person"
        if address.startswith("later@"):
            return "451 4.7.1 greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.taken.append(envelope)
        return "250 taken"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server() -> Iterator[tuple[Mailbox, str]]:
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield mailbox, f"smtp://127.0.0.1:{controller.port}"
    controller.stop()


def mail(to: str) -> OutgoingMail:
    return OutgoingMail("d1@example.com", "Desk <desk@example.com>", to, "Hällo", "<p>hi</p>", "hi\n")


async def test_a_mail_arrives(server: tuple[Mailbox, str]) -> None:
    mailbox, url = server
    await provider_from_url(url).send(mail("ok@example.com"))
    assert mailbox.taken[0].rcpt_tos == ["ok@example.com"]
    assert b"Message-ID: <d1@example.com>" in bytes(mailbox.taken[0].content or b"")


async def test_never_and_later_are_told_apart(server: tuple[Mailbox, str]) -> None:
    mailbox, url = server
    with pytest.raises(PermanentRefusal, match="550"):
        await provider_from_url(url).send(mail("never@example.com"))
    with pytest.raises(TransientFailure, match="451"):
        await provider_from_url(url).send(mail("later@example.com"))
    assert mailbox.taken == []


async def test_a_server_that_is_away_is_transient() -> None:
    with pytest.raises(TransientFailure, match="cannot be reached"):
        await provider_from_url(f"smtp://127.0.0.1:{free_port()}").send(mail("ok@example.com"))


def test_urls() -> None:
    assert isinstance(provider_from_url("local:"), LocalProvider)
    assert SmtpProvider.from_url("smtps://a%40b:p%3Aw@mx.example") == SmtpProvider(
        host="mx.example", port=465, username="a@b", password="p:w", use_tls=True, starttls=False
    )
    for wrong in ("ftp://x", "smtp://", "smtp://x:99999", "smtp://x:y"):
        with pytest.raises(InvalidMailUrl):
            provider_from_url(wrong)
