"""Finds the server that is meant: asks Sentinels for the master, a Cluster's nodes for a slot's owner.

The inquiries are generators that yield whom to ask what, and are sent the answer or thrown its error:
one reasoning for the event loop and for threads.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

from ..errors import ConnectionFailed, ServerRefused
from .address import Address
from .channel import Command, Reply
from .endpoint import Endpoint, Kind

Question = tuple[Endpoint, Command]
Inquiry = Generator[Question, Reply, list[Endpoint]]

NOT_HERE = {"MOVED", "READONLY", "UNBLOCKED", "MASTERDOWN", "CLUSTERDOWN"}
"""Codes of a server that is not the right one, so that another connection is needed. Like those of
`NOT_NOW`, they say that nothing was done of what was asked."""
NOT_NOW = {"ASK", "TRYAGAIN", "LOADING"}
"""Codes of a server that cannot do it now."""


class _Shard(NamedTuple):
    first: int
    last: int
    nodes: list[Endpoint]  # the master first


class Routes:
    """What one connection knows of the servers behind its address."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._known = list(address.endpoints)
        self._hint: Endpoint | None = None

    @property
    def several(self) -> bool:
        """Whether another server may take over from the one that is lost."""
        return self.address.kind is not Kind.SERVER

    def locate(self) -> Inquiry:
        """Find whom to connect to, the best first.

        Raises:
            ConnectionFailed: nobody who was asked knows.
        """
        hint, self._hint = self._hint, None
        if hint is not None:
            return [hint]
        if self.address.kind is Kind.SERVER:
            return self._known[:1]
        if self.address.kind is Kind.SENTINEL:
            return (yield from self._ask_sentinels())
        shards = yield from self._ask_nodes()
        slot = self.address.slot
        return [shard.nodes[0] for shard in shards if slot is None or shard.first <= slot <= shard.last]

    def masters(self) -> Inquiry:
        """Find all servers that have keys.

        Raises:
            ConnectionFailed: nobody who was asked knows.
        """
        if self.address.kind is not Kind.CLUSTER:
            return (yield from self.locate())
        shards = yield from self._ask_nodes()
        return list(dict.fromkeys(shard.nodes[0] for shard in shards))

    def _ask_sentinels(self) -> Inquiry:
        name = self.address.master
        problems: list[str] = []
        for sentinel in tuple(self._known):
            try:
                found = yield sentinel, ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
            except (ConnectionFailed, ServerRefused) as error:
                problems.append(str(error))
                continue
            if found is None:
                problems.append(f"{sentinel} does not know it")
                continue
            self._first(sentinel)
            return [Endpoint(found[0].decode(), int(found[1]))]
        raise ConnectionFailed(f"no Sentinel names the master {name!r}: {'; '.join(problems)}")

    def _ask_nodes(self) -> Generator[Question, Reply, list[_Shard]]:
        problems: list[str] = []
        slot = self.address.slot
        for node in tuple(self._known):
            try:
                found = yield node, ("CLUSTER", "SLOTS")
            except (ConnectionFailed, ServerRefused) as error:
                problems.append(str(error))
                continue
            shards = [_Shard(first, last, _nodes(rest, node)) for first, last, *rest in found]
            if not any(slot is None or shard.first <= slot <= shard.last for shard in shards):
                problems.append(f"{node} knows no owner of {'any slot' if slot is None else f'slot {slot}'}")
                continue
            # The nodes of the URL may all be gone one day; others answer then.
            others = [other for shard in shards for other in shard.nodes]
            self._known = list(dict.fromkeys((*self.address.endpoints, *others)))
            self._first(node)
            return shards
        raise ConnectionFailed(f"no node of the Cluster tells its slots: {'; '.join(problems)}")

    def _first(self, endpoint: Endpoint) -> None:
        self._known = [endpoint, *(other for other in self._known if other != endpoint)]

    def moved(self, error: ServerRefused, here: Endpoint) -> None:
        """Remember where a MOVED says that the slot is."""
        if error.code == "MOVED" and self.several:
            self._hint = target(error, here)

    def greeting(self, name: str, *, asking: bool) -> list[Command]:
        """What a connection says first, to a server or `asking` those who know it; ROLE comes last."""
        address = self.address
        sentinel = address.kind is Kind.SENTINEL
        login = address.sentinel_login if asking and sentinel else address.login
        commands: list[Command] = []
        if login.password is not None or login.username is not None:
            commands.append(("AUTH", login.username or "default", login.password or ""))
        if asking:
            return commands
        if address.database:
            commands.append(("SELECT", address.database))
        commands.append(("CLIENT", "SETNAME", name))
        if sentinel:
            commands.append(("ROLE",))
        return commands

    def check(self, endpoint: Endpoint, reply: Reply) -> None:
        """Check the answer to a greeting's last command.

        Raises:
            ConnectionFailed: the Sentinels named a server that is no master, as they do for a moment.
        """
        if self.address.kind is Kind.SENTINEL and reply[0] != b"master":
            role = reply[0].decode("utf-8", "replace")
            raise ConnectionFailed(f"{endpoint} is not the master {self.address.master!r} now, but a {role}")


def target(error: ServerRefused, here: Endpoint) -> Endpoint:
    """Whom a MOVED or ASK names; without a host, the one who says so is meant."""
    host, _, port = str(error).split(" ")[2].rpartition(":")
    return Endpoint(host or here.host, int(port))


def named(address: Address, endpoint: Endpoint) -> str:
    """How messages speak of one server of an address."""
    return str(address) if address.endpoints == (endpoint,) else f"{endpoint} of {address}"


def explained(error: ServerRefused) -> ServerRefused:
    """Say what to write when a plain URL leads to a node of a Cluster."""
    if error.code in {"MOVED", "ASK", "CROSSSLOT"}:
        return ServerRefused(f"{error} (a node of a Cluster: its URL begins with valkey+cluster://)")
    return error


def _nodes(rows: list[list[Reply]], asked: Endpoint) -> list[Endpoint]:
    return [Endpoint((row[0] or b"").decode() or asked.host, row[1]) for row in rows]
