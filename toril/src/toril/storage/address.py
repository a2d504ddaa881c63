"""Where the server is and who we are there, from one URL."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from ..errors import InvalidOption
from .endpoint import NOBODY, Endpoint, Kind, Login, Replicas
from .slots import hash_tag, slot_of
from .tls import Tls
from .url import parse

DEFAULT_URL = "valkey://127.0.0.1:6379/0"


def server_url(url: str | None) -> str:
    """The URL given, or that of the environment's TORIL_URL, or the local server's."""
    return url or os.environ.get("TORIL_URL") or DEFAULT_URL


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is and who we are there. `docs/deployment.md` has the forms of its URL.

    Attributes:
        kind: What stands at the endpoints.
        endpoints: The server; the Sentinels; or nodes of the Cluster, to begin with.
        database: Its number.
        login: Who we are to servers.
        tls: How connections are secured; None for plain ones.
        master: What the Sentinels call the server.
        sentinel_login: Who we are to Sentinels.
        replicas: Which replicas must have what is added; None for no such wish.
        slot: On Cluster: the slot whose owner is meant.
    """

    kind: Kind = Kind.SERVER
    endpoints: tuple[Endpoint, ...] = (Endpoint(),)
    database: int = 0
    login: Login = NOBODY
    tls: Tls | None = None
    master: str = ""
    sentinel_login: Login = NOBODY
    replicas: Replicas | None = None
    slot: int | None = None

    @classmethod
    def of(cls, url: str) -> Address:
        """Read a URL.

        Raises:
            InvalidOption: it is no valid URL of a server, or has a parameter that means nothing in it.
        """
        return cls(*parse(url))

    def serving(self, base: str) -> Address:
        """The address of whoever has the keys that begin with `base`.

        Raises:
            InvalidOption: on Cluster, these keys need not be on one node.
        """
        if self.kind is not Kind.CLUSTER:
            return self
        if hash_tag(base) is None:
            raise InvalidOption(
                f"on Cluster a queue's keys must share a slot, and those of {base.rstrip(':')!r} do not: "
                "write the prefix in braces, as in prefix='{bull}', for all its queues on one shard, or the "
                "queue's name, as in '{email}', for a shard of its own"
            )
        return replace(self, slot=slot_of(base))

    def check_shares_slot(self, base: str) -> None:
        """Check that the keys that begin with `base` can be used in one call with this address's.

        Raises:
            InvalidOption: on Cluster, they are in another slot.
        """
        if self.slot is not None and self.serving(base).slot != self.slot:
            raise InvalidOption(
                f"on Cluster the queues of one flow must share a hash tag, as with prefix='{{bull}}'; "
                f"{base.rstrip(':')!r} is in another slot than its relatives"
            )

    def __str__(self) -> str:
        scheme = "valkeys" if self.tls else "valkey"
        if self.kind is Kind.SERVER and self.endpoints[0].path is not None:
            return str(self.endpoints[0])
        hosts = ",".join(map(str, self.endpoints))
        if self.kind is Kind.SERVER:
            return f"{scheme}://{hosts}/{self.database}"
        path = f"/{self.master}/{self.database}" if self.kind is Kind.SENTINEL else ""
        return f"{scheme}+{self.kind}://{hosts}{path}"
