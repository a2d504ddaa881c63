"""What an address is made of: hosts, who we are to them, what we ask of their writes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What stands at the URL's hosts."""

    SERVER = "server"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One socket to connect to."""

    host: str = "127.0.0.1"
    port: int = 6379
    path: str | None = None
    """Of a Unix socket, which then stands for host and port."""

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix://{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Login:
    """Who we say that we are; nobody without a user name and a password."""

    username: str | None = None
    password: str | None = None


NOBODY = Login()


class Replicas(NamedTuple):
    """How far an added job must have come before it is acknowledged."""

    wanted: int
    timeout_ms: int
