"""Ways for a mail to leave: `local` keeps it to be read in the browser, `smtp` and `resend` hand it over."""

from __future__ import annotations

from insightdesk.email.providers.base import (
    FateUnknown,
    HandingOver,
    InvalidMailUrl,
    OutgoingMail,
    PermanentRefusal,
    Provider,
    ProviderBusy,
    ProviderDown,
    TransientFailure,
)
from insightdesk.email.providers.local import LocalProvider
from insightdesk.email.providers.resend import ResendProvider
from insightdesk.email.providers.smtp import SmtpProvider
from insightdesk.settings import Settings

__all__ = [
    "FateUnknown",
    "HandingOver",
    "InvalidMailUrl",
    "LocalProvider",
    "OutgoingMail",
    "PermanentRefusal",
    "Provider",
    "ProviderBusy",
    "ProviderDown",
    "ResendProvider",
    "SmtpProvider",
    "TransientFailure",
    "configured_providers",
    "providers_from_urls",
]


def configured_providers(settings: Settings) -> tuple[Provider, ...]:
    """The providers of `INSIGHTDESK_EMAIL_URL`. Raises InvalidMailUrl."""
    key = settings.resend_api_key
    return providers_from_urls(settings.email_url, key.get_secret_value() if key else None)


def providers_from_urls(urls: str, resend_api_key: str | None = None) -> tuple[Provider, ...]:
    """The providers that a comma-separated list names, the first preferred.

    Raises:
        InvalidMailUrl: with one line that says what is wrong (never a password).
    """
    providers = tuple(_provider(url.strip(), resend_api_key) for url in urls.split(","))
    names = [provider.name for provider in providers]
    if len(set(names)) != len(names):
        raise InvalidMailUrl("mail URL names one provider twice")
    return providers


def _provider(url: str, resend_api_key: str | None) -> Provider:
    scheme = url.partition(":")[0].lower()
    if scheme == "local":
        return LocalProvider()
    if scheme in ("smtp", "smtps", "smtp+starttls"):
        return SmtpProvider.from_url(url)
    if scheme in ("resend", "resend+http"):
        return ResendProvider.from_url(url, resend_api_key)
    raise InvalidMailUrl(
        f"mail URL has the scheme {scheme[:20]!r}; known are local, smtp, smtps, smtp+starttls, resend"
    )
