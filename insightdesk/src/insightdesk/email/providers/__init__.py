"""Ways for a mail to leave: `local` keeps it to be read in the browser, `smtp` hands it to a server."""

from __future__ import annotations

from insightdesk.email.providers.base import (
    InvalidMailUrl,
    OutgoingMail,
    PermanentRefusal,
    Provider,
    TransientFailure,
)
from insightdesk.email.providers.local import LocalProvider
from insightdesk.email.providers.smtp import SmtpProvider

__all__ = [
    "InvalidMailUrl",
    "LocalProvider",
    "OutgoingMail",
    "PermanentRefusal",
    "Provider",
    "SmtpProvider",
    "TransientFailure",
    "provider_from_url",
]


def provider_from_url(url: str) -> Provider:
    """The provider that a URL names: `local:`, `smtp://`, `smtps://` or `smtp+starttls://`.

    Raises:
        InvalidMailUrl: with one line that says what is wrong (never the password).
    """
    scheme = url.partition(":")[0].lower()
    if scheme == "local":
        return LocalProvider()
    if scheme in ("smtp", "smtps", "smtp+starttls"):
        return SmtpProvider.from_url(url)
    raise InvalidMailUrl(
        f"mail URL has the scheme {scheme[:20]!r}; known are local, smtp, smtps, smtp+starttls"
    )
