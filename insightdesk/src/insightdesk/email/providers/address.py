"""Mail URLs, read strictly: what is not understood is refused, and no message repeats a secret."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from insightdesk.email.providers.base import InvalidMailUrl

__all__ = ["MailUrl"]

_Default = TypeVar("_Default", float, None)


@dataclass(frozen=True)
class MailUrl:
    """The parts of one mail URL, decoded."""

    scheme: str
    username: str | None
    password: str | None
    host: str | None
    port: int | None
    parameters: Mapping[str, str]

    @classmethod
    def read(cls, url: str, known: AbstractSet[str]) -> MailUrl:
        """Reads a URL with no parameters but the `known` ones.

        Raises:
            InvalidMailUrl: the port is none, or a parameter is unknown.
        """
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError as error:
            raise InvalidMailUrl("mail URL has a port that is not a number from 1 to 65535") from error
        if port == 0:
            raise InvalidMailUrl("mail URL has a port that is not a number from 1 to 65535")
        parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
        for name in parameters:
            if name not in known:
                raise InvalidMailUrl(
                    f"mail URL has the unknown parameter {name[:40]!r}; known: {', '.join(sorted(known))}"
                )
        return cls(
            scheme=parts.scheme,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            host=parts.hostname,
            port=port,
            parameters=parameters,
        )

    def number(self, name: str, default: _Default) -> float | _Default:
        """A parameter that is a positive number, or the default.

        Raises:
            InvalidMailUrl: it is not.
        """
        text = self.parameters.get(name)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0 < value <= 100_000:
            raise InvalidMailUrl(f"mail URL's parameter {name} must be a number from 0 to 100000")
        return value
