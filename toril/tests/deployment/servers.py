"""Real servers as they are deployed: a Cluster with replicas, a master under Sentinels."""

from __future__ import annotations

import contextlib
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import toril
from toril.embedded import binary, free_port
from toril.storage.address import Address
from toril.storage.blocking import BlockingConnection
from toril.storage.slots import SLOTS, slot_of

LIMIT = 30.0
"""Seconds that any change of a deployment may take."""
MASTER = "mymaster"


def ask(port: int, *words: str | int, user: str = "") -> Any:
    """Ask one server."""
    connection = BlockingConnection(Address.of(f"valkey://{user}127.0.0.1:{port}"), "test", 5.0)
    try:
        return connection.call(*words)
    finally:
        connection.close()


def until(true: Callable[[], bool], what: str) -> None:
    """Wait for something that the servers tell no event of."""
    end = time.monotonic() + LIMIT
    while True:
        with contextlib.suppress(toril.ConnectionFailed, toril.ServerRefused):
            if true():
                return
        assert time.monotonic() < end, f"not within {LIMIT:g} s: {what}"
        time.sleep(0.02)


def cluster_port() -> int:
    """A free port whose bus port, 10,000 above, is free too.

    Both below where systems take the ports of outgoing connections from, which come and go.
    """
    while True:
        port = random.randrange(11_000, 22_000)
        with socket.socket() as probe, socket.socket() as bus, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            bus.bind(("127.0.0.1", port + 10_000))
            return port


def info(port: int, section: str, user: str = "") -> dict[str, str]:
    lines = ask(port, "INFO", section, user=user).decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


@dataclass
class Cluster:
    """Masters that share the slots evenly, and replicas of them.

    Attributes:
        masters: The first owners of the slots, in their order.
        replicas: The first masters' replicas, one each.
    """

    masters: list[toril.EmbeddedServer]
    replicas: list[toril.EmbeddedServer] = field(default_factory=list)

    @property
    def nodes(self) -> list[toril.EmbeddedServer]:
        return [*self.masters, *self.replicas]

    @property
    def url(self) -> str:
        return f"valkey+cluster://{','.join(f'127.0.0.1:{node.port}' for node in self.nodes)}"

    def owner(self, key: str) -> toril.EmbeddedServer:
        """Which server has a key now, by the others' word."""
        slot = slot_of(key)
        for node in self.nodes:
            with contextlib.suppress(toril.ConnectionFailed):
                for first, last, master, *_ in ask(node.port, "CLUSTER", "SLOTS"):
                    if first <= slot <= last:
                        return next(each for each in self.nodes if each.port == master[1])
        raise AssertionError(f"nobody has slot {slot}")

    def node_id(self, node: toril.EmbeddedServer) -> str:
        return str(ask(node.port, "CLUSTER", "MYID").decode())

    def move(self, slot: int, target: toril.EmbeddedServer) -> None:
        """Give a slot to another master, with its keys."""
        for _ in self.moving(slot, target):
            pass

    def moving(self, slot: int, target: toril.EmbeddedServer) -> Iterator[None]:
        """Move a slot, with a stop while it is on its way."""
        source = next(
            node
            for node in self.masters
            for first, last, master, *_ in ask(node.port, "CLUSTER", "SLOTS")
            if first <= slot <= last and master[1] == node.port
        )
        there, here = self.node_id(target), self.node_id(source)
        ask(target.port, "CLUSTER", "SETSLOT", slot, "IMPORTING", here)
        ask(source.port, "CLUSTER", "SETSLOT", slot, "MIGRATING", there)
        yield
        while keys := ask(source.port, "CLUSTER", "GETKEYSINSLOT", slot, 100):
            ask(source.port, "MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
        for node in (target, source, *self.masters):
            ask(node.port, "CLUSTER", "SETSLOT", slot, "NODE", there)


def server(*arguments: str, port: int | None = None) -> toril.EmbeddedServer:
    """A server whose replicas follow at once."""
    return toril.EmbeddedServer(port=port, arguments=("--repl-diskless-sync-delay", "0", *arguments))


def _node() -> toril.EmbeddedServer:
    words = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1500")
    return server(*words, "--cluster-require-full-coverage", "no", port=cluster_port())


@contextlib.contextmanager
def cluster(masters: int = 3, replicas: int = 0) -> Iterator[Cluster]:
    """Run a Cluster while the block runs; the first `replicas` masters have one."""
    made = Cluster([_node() for _ in range(masters)], [_node() for _ in range(replicas)])
    with contextlib.ExitStack() as stack:
        for node in made.nodes:
            stack.enter_context(node)
        for place, node in enumerate(made.masters):
            ask(node.port, "CLUSTER", "SET-CONFIG-EPOCH", place + 1)
            slots = range(place * SLOTS // masters, (place + 1) * SLOTS // masters)
            ask(node.port, "CLUSTER", "ADDSLOTS", *slots)
        for node in made.nodes[1:]:
            ask(node.port, "CLUSTER", "MEET", "127.0.0.1", made.masters[0].port)

        def complete() -> bool:
            return all(
                b"cluster_state:ok" in (told := ask(node.port, "CLUSTER", "INFO"))
                and b"cluster_known_nodes:%d" % len(made.nodes) in told
                for node in made.nodes
            )

        # A node that was met knows no slots at first, so its state tells all.
        until(complete, "the nodes know each other")
        for master, replica in zip(made.masters, made.replicas, strict=False):
            ask(replica.port, "CLUSTER", "REPLICATE", made.node_id(master))
        for replica in made.replicas:
            until(
                lambda node=replica: info(node.port, "replication").get("master_link_status") == "up",
                "a replica follows",
            )
        for master in made.masters[:replicas]:
            until(
                lambda node=master: info(node.port, "replication")["connected_slaves"] == "1", "it is counted"
            )
        yield made


@dataclass
class SentinelGroup:
    """A master, its replicas, and the Sentinels that watch them."""

    servers: list[toril.EmbeddedServer]
    sentinels: list[int]
    user: str = ""
    """What a URL of a server has before its host."""

    @property
    def url(self) -> str:
        return f"valkey+sentinel://{','.join(f'127.0.0.1:{port}' for port in self.sentinels)}/{MASTER}"

    def master(self) -> toril.EmbeddedServer:
        """The master by the Sentinels' word."""
        _, port = ask(self.sentinels[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
        return next(server for server in self.servers if server.port == int(port))

    def fail_over(self) -> None:
        """Let a replica take over in good order."""
        before = self.master()
        ask(self.sentinels[0], "SENTINEL", "FAILOVER", MASTER)
        until(lambda: self.master() is not before, "another master")

    def until_replicated(self) -> None:
        """Wait until all servers that run follow the master, as it and the Sentinels know."""
        replicas = len(self.servers) - 1
        known = b"num-slaves"

        def complete() -> bool:
            facts = ask(self.sentinels[0], "SENTINEL", "MASTER", MASTER)
            told = info(self.master().port, "replication", self.user)
            online = sum("state=online" in value for value in told.values())
            return int(facts[facts.index(known) + 1]) >= replicas and online >= replicas

        until(complete, "the replicas follow")


@contextlib.contextmanager
def sentinel_group(
    replicas: int = 1, sentinels: int = 3, password: str = "", monitor: str = ""
) -> Iterator[SentinelGroup]:
    """Run a master, replicas and Sentinels while the block runs.

    Args:
        replicas, sentinels: How many.
        password: Of the servers.
        monitor: Further lines of the Sentinels' configuration.
    """
    folder = Path(tempfile.mkdtemp(prefix="toril-sentinel-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        words = ("--requirepass", password, "--masterauth", password) if password else ()
        master = stack.enter_context(server(*words))
        servers = [master]
        for _ in range(replicas):
            follow = ("--replicaof", "127.0.0.1", str(master.port))
            servers.append(stack.enter_context(server(*words, *follow)))
        user = f":{password}@" if password else ""
        group = SentinelGroup(servers, [free_port() for _ in range(sentinels)], user)
        for port in group.sentinels:
            config = folder / f"{port}.conf"
            config.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
                f"sentinel monitor {MASTER} 127.0.0.1 {master.port} {sentinels // 2 + 1}\n"
                f"sentinel down-after-milliseconds {MASTER} 800\n"
                f"sentinel failover-timeout {MASTER} 4000\n{monitor}"
            )
            with (folder / f"{port}.log").open("wb") as log:
                process = subprocess.Popen(
                    [str(binary()), str(config), "--sentinel"], stdout=log, stderr=subprocess.STDOUT
                )
            stack.callback(process.wait)
            stack.callback(process.kill)
        for port in group.sentinels:
            until(lambda port=port: ask(port, "PING") == b"PONG", "a Sentinel answers")
            until(
                lambda port=port: len(ask(port, "SENTINEL", "SENTINELS", MASTER)) == sentinels - 1,
                "the Sentinels know each other",
            )
        group.until_replicated()
        yield group
