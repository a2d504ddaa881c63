"""The SMTP provider against a real server: TLS, STARTTLS, login, refusals, and answers that get lost."""

from __future__ import annotations

import asyncio
import gc
import ssl
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from scripted import use

import toril
from insightdesk.email.delivery import deliver
from insightdesk.email.models import Delivery, DeliveryState
from insightdesk.email.providers import (
    InvalidMailUrl,
    LocalProvider,
    OutgoingMail,
    PermanentRefusal,
    Provider,
    ProviderDown,
    SmtpProvider,
    TransientFailure,
    providers_from_urls,
)


class Mailbox:
    """Takes mail for `ok@`, refuses the rest as their names say.

    Attributes:
        taken: what it took.
        silence: seconds for which it says nothing after taking a mail.
    """

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.silence = 0.0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answers = {
            "never@": "550 5.1.1 no such person",
            "policy@": "550 5.7.1 not from you",
            "later@": "451 4.7.1 greylisted",
            "closing@": "421 4.3.2 shutting down",
        }
        for start, answer in answers.items():
            if address.startswith(start):
                return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if b"Subject: spam" in bytes(envelope.content or b""):
            return "554 5.7.1 looks like spam"
        self.taken.append(envelope)
        await asyncio.sleep(self.silence)
        return "250 taken"


@contextmanager
def serving(mailbox: Mailbox, **options: object) -> Iterator[int]:
    """The server's port, while the block runs."""
    controller = Controller(mailbox, hostname="127.0.0.1", port=0, **options)
    controller.port = _free_port()
    controller.start()
    try:
        yield controller.port
    finally:
        asyncio.run_coroutine_threadsafe(_all_said(), controller.loop).result()
        controller.stop()
        # aiosmtpd leaves a connection open whose handshake failed; it must not trouble a later test.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


async def _all_said() -> None:
    """Waits until the server has ended its conversations: what is left open is reported by the next test."""
    talks = asyncio.all_tasks() - {asyncio.current_task()}
    if talks:
        await asyncio.wait(talks, timeout=5)
    await asyncio.sleep(0)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def server(mailbox: Mailbox) -> Iterator[str]:
    with serving(mailbox) as port:
        yield f"smtp://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    own = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    own.cert_pem.write_to_path(str(path))
    return own, path


@pytest.fixture(scope="module")
def certificate(authority: tuple[trustme.CA, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority[0].issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


def mail(to: str, subject: str = "Hällo") -> OutgoingMail:
    return OutgoingMail("d1@example.com", "Desk <desk@example.com>", to, subject, "<p>hi</p>", "hi\n", "k")


def made(url: str) -> Provider:
    return providers_from_urls(url)[0]


async def handed() -> None:
    """Nobody notes it."""


async def test_a_mail_arrives(mailbox: Mailbox, server: str) -> None:
    await made(server).send(mail("ok@example.com"), handed)
    assert mailbox.taken[0].rcpt_tos == ["ok@example.com"]
    assert b"Message-ID: <d1@example.com>" in bytes(mailbox.taken[0].content or b"")


@pytest.mark.parametrize(
    ("to", "subject", "wrong", "bad_address"),
    [
        ("never@example.com", "x", PermanentRefusal, True),
        ("policy@example.com", "x", PermanentRefusal, False),
        ("ok@example.com", "spam", PermanentRefusal, False),
        ("later@example.com", "x", TransientFailure, None),
        ("closing@example.com", "x", ProviderDown, None),
    ],
)
async def test_never_later_and_not_here_are_told_apart(
    mailbox: Mailbox, server: str, to: str, subject: str, wrong: type[Exception], bad_address: bool | None
) -> None:
    with pytest.raises(wrong) as caught:
        await made(server).send(mail(to, subject), handed)
    assert type(caught.value) is wrong
    assert getattr(caught.value, "bad_address", None) is bad_address
    assert mailbox.taken == []


async def test_a_server_that_is_away_is_down() -> None:
    with pytest.raises(ProviderDown, match="cannot be reached"):
        await made(f"smtp://127.0.0.1:{_free_port()}").send(mail("ok@example.com"), handed)


async def test_an_answer_that_gets_lost_leaves_one_mail_and_no_second(
    mailbox: Mailbox,
    server: str,
    staged: Callable[..., Awaitable[str]],
    reload: Callable[[str], Awaitable[Delivery]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mailbox.silence = 0.8
    use(monkeypatch, made(f"{server}?timeout=0.4"))
    delivery = await staged(recipient="ok@example.com")
    with pytest.raises(toril.Fail, match="lost"):
        await deliver(delivery)
    assert len(mailbox.taken) == 1
    found = await reload(delivery)
    assert found.state is DeliveryState.FAILED
    assert found.handed_over_at is not None


async def test_silence_before_the_text_is_certain(mailbox: Mailbox) -> None:
    gone = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        gone.set()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with silent:
        with pytest.raises(ProviderDown):
            await made(f"smtp://127.0.0.1:{port}?timeout=0.3").send(mail("ok@example.com"), handed)
        async with asyncio.timeout(5):
            await gone.wait()


async def test_tls_from_the_start(
    mailbox: Mailbox, certificate: ssl.SSLContext, authority: tuple[trustme.CA, Path]
) -> None:
    with serving(mailbox, ssl_context=certificate) as port:
        await made(f"smtps://127.0.0.1:{port}?ca={authority[1]}").send(mail("ok@example.com"), handed)
    assert len(mailbox.taken) == 1


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
async def test_a_certificate_of_a_stranger_is_refused(
    mailbox: Mailbox, certificate: ssl.SSLContext, scheme: str
) -> None:
    options = {"ssl_context": certificate} if scheme == "smtps" else {"tls_context": certificate}
    with serving(mailbox, **options) as port, pytest.raises(ProviderDown, match=r"(?i)certificate"):
        await made(f"{scheme}://127.0.0.1:{port}").send(mail("ok@example.com"), handed)
    assert mailbox.taken == []


async def test_starttls_with_a_login(
    mailbox: Mailbox, certificate: ssl.SSLContext, authority: tuple[trustme.CA, Path]
) -> None:
    def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"desk", b"p@ss:word")
        return AuthResult(success=good, handled=good)

    options = {"tls_context": certificate, "authenticator": check, "auth_required": True}
    with serving(mailbox, **options) as port:
        url = f"smtp+starttls://desk:p%40ss%3Aword@127.0.0.1:{port}?ca={authority[1]}"
        await made(url).send(mail("ok@example.com"), handed)
        with pytest.raises(ProviderDown, match="login: 535") as caught:
            await made(url.replace("word", "wrong")).send(mail("ok@example.com"), handed)
    assert "wrong" not in str(caught.value)
    assert len(mailbox.taken) == 1


async def test_demanded_starttls_is_never_left_out(mailbox: Mailbox, server: str) -> None:
    with pytest.raises(ProviderDown):
        await made(server.replace("smtp://", "smtp+starttls://")).send(mail("ok@example.com"), handed)
    assert mailbox.taken == []


async def test_an_international_domain_is_written_in_ascii(mailbox: Mailbox, server: str) -> None:
    await made(server).send(mail("ok@bücher.example"), handed)
    assert mailbox.taken[0].rcpt_tos == ["ok@xn--bcher-kva.example"]


def test_urls() -> None:
    assert isinstance(made("local:"), LocalProvider)
    assert made("smtps://a%40b:p%3Aw@mx.example?rate=5&timeout=7") == SmtpProvider(
        host="mx.example",
        port=465,
        username="a@b",
        password="p:w",
        use_tls=True,
        starttls=False,
        rate=5.0,
        timeout=7.0,
    )
    for wrong in ("ftp://x", "smtp://", "smtp://x:99999", "smtp://x:y", "smtp://x?verify=no"):
        with pytest.raises(InvalidMailUrl):
            providers_from_urls(wrong)
