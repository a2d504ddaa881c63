"""Where files are kept, read from a URL: ``file:///srv/files`` or ``s3://bucket/prefix``."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from obstore.store import LocalStore, S3Store

if TYPE_CHECKING:
    from obstore.store import S3Config

_PARAMETERS = frozenset({"endpoint", "region"})


@dataclass(frozen=True)
class Folder:
    """A folder of this machine; it is made when missing."""

    path: Path

    def open(self) -> LocalStore:
        """The store on it."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return LocalStore(self.path, automatic_cleanup=True)


@dataclass(frozen=True)
class Bucket:
    """A bucket of S3, or of a server that speaks like it.

    What is not given here is looked for where Amazon's own tools look: ``AWS_*`` in the environment, then
    the role of the machine.
    """

    name: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)

    def open(self) -> S3Store:
        """The store on it; nothing is asked of the server yet."""
        config: S3Config = {}
        if self.endpoint:
            config["endpoint"] = self.endpoint
        if self.region:
            config["region"] = self.region
        if self.access_key and self.secret_key:
            config["access_key_id"] = self.access_key
            config["secret_access_key"] = self.secret_key
        return S3Store(
            self.name,
            prefix=self.prefix or None,
            config=config,
            client_options={
                "allow_http": (self.endpoint or "").startswith("http://"),
                "connect_timeout": timedelta(seconds=5),
                "timeout": timedelta(seconds=60),
            },
            # A job is tried again by its queue, so a store that stays away is given up soon.
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=30)},
        )


def place_of(
    url: str,
    *,
    endpoint: str | None = None,
    region: str | None = None,
    access_key: str | None = None,
    secret_key: str | None = None,
) -> Folder | Bucket:
    """The place that a URL names; the keywords fill in what ``s3://`` does not say itself.

    ``s3://KEY:SECRET@bucket/prefix?endpoint=https://…&region=eu-central-1``

    Raises:
        ValueError: In one line that repeats no secret.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ValueError(f"is not a usable URL ({error}); it looks like file:///srv/files") from None
    if parts.scheme == "file":
        return _folder(parts)
    if parts.scheme != "s3":
        raise ValueError("must start with one of file, s3; it looks like file:///srv/files or s3://bucket")
    if not parts.hostname:
        raise ValueError("names no bucket; it looks like s3://bucket/prefix")
    given = dict(parse_qsl(parts.query))
    if unknown := sorted(given.keys() - _PARAMETERS):
        raise ValueError(f"has the unknown parameter {unknown[0][:40]!r}; known are endpoint, region")
    endpoint = given.get("endpoint") or endpoint
    if endpoint and urlsplit(endpoint).scheme not in ("http", "https"):
        raise ValueError("has an endpoint that is no address; it looks like https://s3.example.com")
    access_key = unquote(parts.username) if parts.username else access_key
    secret_key = unquote(parts.password) if parts.password else secret_key
    if bool(access_key) != bool(secret_key):
        raise ValueError("has one half of a key; give both halves, or none")
    return Bucket(
        name=parts.hostname,
        prefix=parts.path.strip("/"),
        endpoint=endpoint,
        region=given.get("region") or region,
        access_key=access_key,
        secret_key=secret_key,
    )


def check_storage_url(url: str) -> str:
    """Return ``url`` if it names a place. Raises ValueError, in one line that repeats no secret."""
    place_of(url)
    return url


def _folder(parts: SplitResult) -> Folder:
    path = Path(unquote(parts.path))
    if parts.netloc not in ("", "localhost") or not path.is_absolute():
        raise ValueError("must name a folder from the root; it looks like file:///srv/files")
    return Folder(path)
