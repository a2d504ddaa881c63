"""Resend's HTTP API. Its idempotency keys tell what became of a mail whose answer was lost.

Source: https://resend.com/docs/api-reference (emails, errors, idempotency keys; rate limits).
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any

import httpx

from insightdesk.email.providers.address import MailUrl
from insightdesk.email.providers.base import (
    FateUnknown,
    HandingOver,
    InvalidMailUrl,
    OutgoingMail,
    PermanentRefusal,
    ProviderBusy,
    ProviderDown,
    TransientFailure,
)
from insightdesk.email.providers.message import address, extra_headers
from insightdesk.email.rendering import clean_header

__all__ = ["ResendProvider"]

_RATE = 2.0  # requests a second that every account has
_LONGEST_WAIT = 3600.0  # seconds; a longer Retry-After is asked again after this
_QUOTA = ("daily_quota_exceeded", "monthly_quota_exceeded")
# Gateways answer these when the API behind them gave no answer in time: it may have taken the mail.
_NO_ANSWER_BEHIND = (502, 504)


@dataclass(frozen=True)
class ResendProvider:
    """One request a mail."""

    api_key: str = field(repr=False)
    base_url: str = "https://api.resend.com"
    timeout: float = 20.0
    rate: float | None = _RATE
    remembers: timedelta | None = timedelta(hours=24)

    @property
    def name(self) -> str:
        """The API's address."""
        return f"resend:{self.base_url.partition('://')[2]}"

    @classmethod
    def from_url(cls, url: str, api_key: str | None) -> ResendProvider:
        """Reads `resend:` or `resend://KEY@api.example:443?rate=10&timeout=20`; `resend+http://` is unsafe
        and for tests.

        Args:
            api_key: what stands where the URL has none.

        Raises:
            InvalidMailUrl: there is no key, or a part of the URL is wrong.
        """
        read = MailUrl.read(url, {"rate", "timeout"})
        key = read.username or api_key
        if not key:
            raise InvalidMailUrl("resend: needs a key; set INSIGHTDESK_RESEND_API_KEY")
        base = "https://api.resend.com"
        if read.host:
            port = f":{read.port}" if read.port else ""
            base = f"{'http' if read.scheme == 'resend+http' else 'https'}://{read.host}{port}"
        return cls(key, base, read.number("timeout", 20.0), read.number("rate", _RATE))

    async def send(self, mail: OutgoingMail, handing_over: HandingOver) -> str | None:
        """Hands the mail over under its key; a second request with the key is answered as the first was."""
        body = {
            "from": str(address(mail.sender)),
            "to": [str(address(mail.to))],
            "subject": clean_header(mail.subject),
            "html": mail.html,
            "text": mail.text,
            "headers": {"Message-ID": f"<{mail.message_id}>", **extra_headers(mail)},
        }
        headers = {"Authorization": f"Bearer {self.api_key}", "Idempotency-Key": mail.key}
        async with httpx.AsyncClient(
            base_url=self.base_url, timeout=self.timeout, verify=_certificates()
        ) as client:
            await handing_over()
            try:
                async with asyncio.timeout(self.timeout):
                    answer = await client.post("/emails", json=body, headers=headers)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                raise ProviderDown(f"Resend cannot be reached: {type(error).__name__}") from error
            except (httpx.HTTPError, TimeoutError) as error:
                raise FateUnknown(f"Resend's answer was lost: {type(error).__name__}") from error
        return _read(answer)


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    return ssl.create_default_context()


def _read(answer: httpx.Response) -> str | None:
    """The id of a taken mail, or the error that the answer means."""
    body = _body(answer)
    if answer.is_success:
        if not isinstance(body.get("id"), str):
            raise FateUnknown("Resend's answer cannot be read")
        return str(body["id"])
    name = str(body.get("name", ""))[:60]
    reason = f"{answer.status_code} {name} {str(body.get('message', ''))[:300]}".strip()
    if answer.status_code == 429 and name not in _QUOTA:
        raise ProviderBusy(_retry_after(answer), reason)
    if answer.status_code == 409:
        if name == "invalid_idempotent_request":
            # The key is known with other words: an earlier try with it was taken (the sender's name or
            # another setting has changed since).
            return None
        raise FateUnknown(f"an earlier request is still under way: {reason}")
    if answer.status_code in _NO_ANSWER_BEHIND:
        raise FateUnknown(reason)
    if answer.status_code >= 500 or answer.status_code in (401, 403, 429):
        raise ProviderDown(reason)
    if answer.status_code == 408:
        raise TransientFailure(reason)
    raise PermanentRefusal(reason)


def _body(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _retry_after(answer: httpx.Response) -> float:
    """Seconds to wait; RFC 9110 10.2.3 as Resend uses it, a whole number."""
    try:
        seconds = float(answer.headers.get("retry-after", ""))
    except ValueError:
        seconds = 1.0
    return min(max(seconds, 0.1), _LONGEST_WAIT)
