"""Real SMTP. Answers are sorted into 'never', 'not now', 'not this server' and 'taken'."""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import dataclass
from datetime import timedelta

import aiosmtplib
import structlog

from insightdesk.email.providers.address import MailUrl
from insightdesk.email.providers.base import (
    FateUnknown,
    HandingOver,
    InvalidMailUrl,
    OutgoingMail,
    PermanentRefusal,
    ProviderDown,
    TransientFailure,
)
from insightdesk.email.providers.message import build

__all__ = ["SmtpProvider"]

_log = structlog.get_logger(__name__)
_DEFAULT_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}
_BAD_ADDRESS = re.compile(r"^5\.1\.\d")  # RFC 3463 3.2: the address's status


@dataclass(frozen=True)
class SmtpProvider:
    """One connection a mail.

    Attributes:
        starttls: True demands it, None uses it where the server offers it.
        timeout: seconds for reaching the server and its word on the recipient, and again for the text.
        authority: file of certificates to trust instead of the system's.
    """

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    use_tls: bool = False
    starttls: bool | None = None
    timeout: float = 20.0
    rate: float | None = None
    authority: str | None = None
    remembers: timedelta | None = None

    @property
    def name(self) -> str:
        """Scheme and address; the user's name and password stay out of logs."""
        return f"{'smtps' if self.use_tls else 'smtp'}://{self.host}:{self.port}"

    @classmethod
    def from_url(cls, url: str) -> SmtpProvider:
        """Reads `smtp[s]://user:password@host:port?rate=10&timeout=20&ca=/etc/ssl/own.pem`.

        Raises:
            InvalidMailUrl: no host, a port that is none, or a parameter that is unknown or wrong.
        """
        read = MailUrl.read(url, {"rate", "timeout", "ca"})
        if not read.host:
            raise InvalidMailUrl("mail URL names no host")
        return cls(
            host=read.host,
            port=read.port or _DEFAULT_PORTS[read.scheme],
            username=read.username,
            password=read.password,
            use_tls=read.scheme == "smtps",
            starttls={"smtps": False, "smtp+starttls": True}.get(read.scheme),
            timeout=read.number("timeout", 20.0),
            rate=read.number("rate", None),
            authority=read.parameters.get("ca"),
        )

    async def send(self, mail: OutgoingMail, handing_over: HandingOver) -> str | None:
        """Hands the mail to the server. SMTP has no question for what became of a mail."""
        message = build(mail)
        sender, to = (message[name].addresses[0].addr_spec for name in ("From", "To"))
        client = self._client()
        try:
            try:
                async with asyncio.timeout(self.timeout):
                    await self._open(client, sender)
                    await client.rcpt(to)
            except aiosmtplib.SMTPRecipientRefused as refused:
                raise _sorted(refused.code, refused.message) from refused
            except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
                raise ProviderDown(f"the mail server cannot be reached: {_line(error)}") from error
            await handing_over()
            try:
                async with asyncio.timeout(self.timeout):
                    await client.data(message.as_bytes())
            except aiosmtplib.SMTPResponseException as error:
                raise _sorted(error.code, error.message) from error
            except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
                raise FateUnknown(f"the server's answer to the text was lost: {_line(error)}") from error
            await _take_leave(client)
        finally:
            client.close()
        return None

    def _client(self) -> aiosmtplib.SMTP:
        try:
            context = ssl.create_default_context(cafile=self.authority)
        except OSError as error:
            raise ProviderDown(f"the certificates in {self.authority} cannot be read") from error
        return aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            timeout=self.timeout,
            use_tls=self.use_tls,
            start_tls=self.starttls,
            tls_context=context,
        )

    async def _open(self, client: aiosmtplib.SMTP, sender: str) -> None:
        await client.connect()
        if self.username is not None:
            try:
                await client.login(self.username, self.password or "")
            except aiosmtplib.SMTPAuthenticationError as error:
                # Its words may repeat the user's name.
                raise ProviderDown(f"the mail server refused the login: {error.code}") from error
        try:
            await client.mail(sender)
        except aiosmtplib.SMTPSenderRefused as refused:
            raise ProviderDown(f"the mail server refused the sender: {refused.code}") from refused


async def _take_leave(client: aiosmtplib.SMTP) -> None:
    """Says QUIT. The mail is taken, so an answer that does not come changes nothing."""
    try:
        await client.quit(timeout=2.0)
    except (aiosmtplib.SMTPException, OSError) as error:
        _log.debug("the mail server did not say goodbye", error=_line(error))


def _sorted(code: int, text: str) -> PermanentRefusal | TransientFailure:
    """5xx is for good; 421 is the whole server's; the rest of 4xx (greylisting) may pass."""
    answer = f"{code} {text}"[:500]
    if code == 421:
        return ProviderDown(answer)
    if 500 <= code < 600:
        return PermanentRefusal(answer, bad_address=bool(_BAD_ADDRESS.match(text)))
    return TransientFailure(answer)


def _line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
