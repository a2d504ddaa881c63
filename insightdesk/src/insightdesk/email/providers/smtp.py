"""Real SMTP. Answers are sorted into 'never', 'not now' and 'taken'."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import aiosmtplib

from insightdesk.email.providers.base import InvalidMailUrl, OutgoingMail, PermanentRefusal, TransientFailure
from insightdesk.email.providers.message import build

__all__ = ["SmtpProvider"]

_DEFAULT_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}


@dataclass(frozen=True)
class SmtpProvider:
    """One connection a mail.

    Attributes:
        starttls: True demands it, None uses it where the server offers it.
        timeout: seconds for each step of the dialogue.
    """

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    use_tls: bool = False
    starttls: bool | None = None
    timeout: float = 20.0
    name: str = "smtp"

    @classmethod
    def from_url(cls, url: str) -> SmtpProvider:
        """Reads `smtp[s]://user:password@host:port` (percent-encoded).

        Raises:
            InvalidMailUrl: no host, or a port that is none.
        """
        parts = urlsplit(url)
        try:
            port = parts.port or _DEFAULT_PORTS[parts.scheme]
        except ValueError as error:
            raise InvalidMailUrl("mail URL has a port that is not a number from 1 to 65535") from error
        if not parts.hostname:
            raise InvalidMailUrl("mail URL names no host")
        return cls(
            host=parts.hostname,
            port=port,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            use_tls=parts.scheme == "smtps",
            starttls={"smtps": False, "smtp+starttls": True}.get(parts.scheme),
        )

    async def send(self, mail: OutgoingMail) -> str:
        """Hands the mail to the server.

        A connection lost after the text was sent leaves open whether it was taken; that error is
        passed on as it is, so that the delivery stays `sending` and is not sent a second time.
        """
        message = build(mail)
        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            timeout=self.timeout,
            use_tls=self.use_tls,
            start_tls=self.starttls,
        )
        try:
            await client.connect()
            if self.username is not None:
                await client.login(self.username, self.password or "")
        except aiosmtplib.SMTPAuthenticationError as error:
            raise TransientFailure(f"the mail server refused the login: {error.code}") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise TransientFailure(f"the mail server cannot be reached: {error}") from error
        try:
            _, answer = await client.send_message(message)
        except aiosmtplib.SMTPRecipientsRefused as refused:
            first = refused.recipients[0]
            raise _sorted(first.code, first.message) from refused
        except aiosmtplib.SMTPResponseException as error:
            raise _sorted(error.code, error.message) from error
        finally:
            client.close()
        return answer


def _sorted(code: int, text: str) -> PermanentRefusal | TransientFailure:
    """5xx is for good, everything else (4xx, greylisting) may pass."""
    answer = f"{code} {text}"[:500]
    return PermanentRefusal(answer) if 500 <= code < 600 else TransientFailure(answer)
