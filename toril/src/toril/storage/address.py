"""Where the server is, from one URL."""

from __future__ import annotations

import os
from dataclasses import dataclass

from valkey.connection import parse_url

from ..errors import InvalidOption

DEFAULT_URL = "valkey://127.0.0.1:6379/0"


def server_url(url: str | None) -> str:
    """The URL given, or that of the environment's TORIL_URL, or the local server's."""
    return url or os.environ.get("TORIL_URL") or DEFAULT_URL


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is and who we are there, from one URL, all of it honoured.

    `valkey://[user[:password]@]host[:port][/database]`; `redis`, `valkeys` and `rediss` (TLS), `unix`.
    """

    host: str = "127.0.0.1"
    port: int = 6379
    database: int = 0
    username: str | None = None
    password: str | None = None
    use_tls: bool = False
    path: str | None = None

    @classmethod
    def of(cls, url: str) -> Address:
        """Read a URL.

        Raises:
            InvalidOption: it is no valid URL of a Valkey or Redis server.
        """
        scheme, separator, rest = url.partition("://")
        schemes = {
            "redis": "valkey",
            "valkey": "valkey",
            "rediss": "valkeys",
            "valkeys": "valkeys",
            "unix": "unix",
        }
        if not separator or scheme not in schemes:
            raise InvalidOption(f"not a Valkey URL: {_without_password(url)!r} (valkey://host:port/database)")
        try:
            found = parse_url(f"{schemes[scheme]}://{rest}")
            database = found.get("db", 0)
            return cls(
                host=found.get("host") or "127.0.0.1",
                port=int(found.get("port") or 6379),
                database=int(database),
                username=found.get("username"),
                password=found.get("password"),
                use_tls=schemes[scheme] == "valkeys",
                path=found.get("path"),
            )
        except (ValueError, TypeError) as error:
            raise InvalidOption(f"not a Valkey URL: {_without_password(url)!r} ({error})") from None

    def __str__(self) -> str:
        if self.path:
            return f"unix://{self.path}"
        return f"{'valkeys' if self.use_tls else 'valkey'}://{self.host}:{self.port}/{self.database}"


def _without_password(url: str) -> str:
    head, at, tail = url.rpartition("@")
    return f"{head.partition('://')[0]}://***@{tail}" if at else url
