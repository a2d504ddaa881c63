"""The settings of a process, read once from the environment (``INSIGHTDESK_*``)."""

from __future__ import annotations

import secrets
from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from insightdesk.reports.places import check_storage_url

VALKEY_SCHEMES = ("valkey", "valkeys", "redis", "rediss", "unix")
DATABASE_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
EMAIL_SCHEMES = ("local", "smtp", "smtps", "smtp+starttls", "resend", "resend+http")


class SettingsError(ValueError):
    """A setting has a value that cannot be used; the message is one line for the user."""


class Settings(BaseSettings):
    """Everything that differs between installations; frozen once read."""

    model_config = SettingsConfigDict(env_prefix="INSIGHTDESK_", extra="ignore", frozen=True)

    valkey_url: str = "valkey://127.0.0.1:6379/0"
    database_url: str = "postgresql://127.0.0.1:5432/insightdesk"
    email_url: str = "local:"
    email_from: str = "InsightDesk <noreply@insightdesk.app>"
    resend_api_key: SecretStr | None = None
    # Signs the calls by which Resend tells of bounces and complaints (`whsec_…`).
    resend_webhook_secret: SecretStr | None = None
    data_dir: Path = Path(".insightdesk")
    # Where exports and other files are kept; empty for the folder `files` of the data directory.
    storage_url: str = ""
    storage_endpoint: str = ""
    storage_region: str = ""
    storage_access_key: str = ""
    storage_secret_key: SecretStr = SecretStr("")
    # How long a finished export can be had; then its links and its file are gone.
    export_hours: float = Field(default=72.0, gt=0, le=24 * 365)
    # A TrueType font for PDFs, for scripts that the built-in choice has no letters of.
    pdf_font: Path | None = None
    # Whether a bucket hands files out itself, by links of its own that live a minute.
    storage_direct: bool = False
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    public_url: str = ""
    # A random secret signs links until the process ends; several processes need a common one.
    secret: SecretStr = Field(default_factory=lambda: SecretStr(secrets.token_urlsafe(32)))
    session_hours: float = Field(default=12.0, gt=0)
    # By default cookies are for TLS alone where `public_url` is an https address.
    secure_cookies: bool | None = None
    # The short name of the organization whose administrators see the job engine with all organizations' jobs;
    # where it is empty, those of the only organization there is.
    operator_organization: str = ""

    # Where the operator is told of jobs that failed for good; see docs/helpdesk/dead-letters.md.
    alert_webhook_url: str = ""
    alert_webhook_secret: SecretStr = SecretStr("")
    # Hosts and networks that webhooks may be posted to though they are private, with commas between them.
    alert_allowed_hosts: str = ""
    sentry_dsn: SecretStr = SecretStr("")
    # What asks for `/metrics` bears it; without it nobody is told.
    metrics_token: SecretStr = SecretStr("")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    # `auto`: for people on a terminal, JSON elsewhere.
    log_format: Literal["auto", "json", "console"] = "auto"
    # How long a worker that was asked to stop waits for running jobs before it hands them back.
    drain_seconds: float = Field(default=25.0, ge=0, le=3600)

    @field_validator("valkey_url")
    @classmethod
    def _valkey_url(cls, value: str) -> str:
        return _checked_url(value, VALKEY_SCHEMES, "valkey://127.0.0.1:6379/0")

    @field_validator("database_url")
    @classmethod
    def _database_url(cls, value: str) -> str:
        return _checked_url(value, DATABASE_SCHEMES, "postgresql://user@host:5432/insightdesk")

    @field_validator("email_url")
    @classmethod
    def _email_url(cls, value: str) -> str:
        for url in value.split(","):
            _checked_url(url.strip(), EMAIL_SCHEMES, "local: or smtp://host:25 or resend:,smtp://host:25")
        return value

    @field_validator("storage_url")
    @classmethod
    def _storage_url(cls, value: str) -> str:
        return check_storage_url(value) if value else ""

    @field_validator("public_url")
    @classmethod
    def _public_url(cls, value: str) -> str:
        return _checked_url(value, ("http", "https"), "https://desk.example.com").rstrip("/") if value else ""

    @field_validator("alert_webhook_url")
    @classmethod
    def _alert_webhook_url(cls, value: str) -> str:
        return _checked_url(value, ("http", "https"), "https://hooks.example.com/desk") if value else ""

    @property
    def allowed_hosts(self) -> list[str]:
        """Hosts and networks that webhooks may be posted to though they are private."""
        return [entry.strip() for entry in self.alert_allowed_hosts.split(",") if entry.strip()]

    @property
    def base_url(self) -> str:
        """The address that links in mails start with, without a slash at its end."""
        return self.public_url or f"http://{self.host}:{self.port}"

    @property
    def cookies_are_secure(self) -> bool:
        """Whether browsers may send our cookies over TLS alone."""
        if self.secure_cookies is None:
            return self.public_url.startswith("https://")
        return self.secure_cookies


def _checked_url(value: str, schemes: tuple[str, ...], example: str) -> str:
    """Return ``value`` if it is a URL of one of ``schemes``; the message never repeats the value,
    since it may hold a password."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"is not a usable URL ({error}); it looks like {example}") from None
    if parts.scheme not in schemes:
        raise ValueError(f"must start with one of {', '.join(schemes)}; it looks like {example}")
    needs_host = parts.scheme not in (
        "local",
        "resend",
        "resend+http",
        "unix",
    ) and not parts.scheme.startswith("postgres")
    if needs_host and not parts.hostname:
        raise ValueError(f"names no host; it looks like {example}")
    if port == 0:
        raise ValueError(f"has port 0; it looks like {example}")
    if parts.scheme in VALKEY_SCHEMES and parts.scheme != "unix":
        database = parts.path.strip("/")
        if database and not database.isdecimal():
            raise ValueError(f"must end with the number of a database; it looks like {example}")
    return value


def load_settings(**overrides: object) -> Settings:
    """Read the environment.

    Args:
        **overrides: Values that stand above the environment.

    Raises:
        SettingsError: Naming the first variable that cannot be used.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks the values itself
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        message = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"INSIGHTDESK_{name.upper()}: {message}") from None


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read on first use."""
    return load_settings()
