"""TLS, by a proxy that speaks it: the same to a client as a server that does."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

import toril
from toril.storage.address import Address
from toril.storage.blocking import BlockingConnection

from .certificates import Authority
from .load import ran, working
from .proxy import Proxy


@pytest.fixture
async def secured(valkey_url: str, authority: Authority) -> AsyncIterator[Proxy]:
    """A server that shows a certificate for `localhost` and asks for the client's."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.certificate("localhost"))
    context.verify_mode = ssl.CERT_REQUIRED
    authority.authority.configure_trust(context)
    async with Proxy(urlsplit(valkey_url).port or 0, context) as proxy:
        yield proxy


async def test_both_sides_are_verified(secured: Proxy, authority: Authority, queue_name: str) -> None:
    own = authority.certificate("worker")
    url = f"valkeys://localhost:{secured.port}/0?tls_ca={authority.ca}&tls_cert={own}"
    async with toril.Queue(queue_name, url) as queue, working(queue, lock_duration=0.3) as done:
        job = await queue.add("a", {"text": "x" * 300_000})
        await ran(done, {job.id})
        assert await job.wait(timeout=10) == job.id
    renewer = BlockingConnection(Address.of(url), "test", 5.0)
    assert await asyncio.to_thread(renewer.call, "PING") == b"PONG"
    renewer.close()


@pytest.mark.parametrize(
    ("host", "query", "says"),
    [
        ("localhost", "tls_cert={own}", "CERTIFICATE_VERIFY_FAILED"),
        ("127.0.0.1", "tls_ca={ca}&tls_cert={own}", "127.0.0.1"),
        ("localhost", "tls_ca={ca}", "connection"),
    ],
    ids=["unknown authority", "another host", "no certificate of ours"],
)
async def test_who_is_not_who_they_should_be_is_refused(
    secured: Proxy, authority: Authority, queue_name: str, host: str, query: str, says: str
) -> None:
    parameters = query.format(ca=authority.ca, own=authority.certificate("worker"))
    url = f"valkeys://{host}:{secured.port}?{parameters}"
    async with toril.Queue(queue_name, url) as queue:
        with pytest.raises(toril.ConnectionFailed, match=says):
            await queue.add("a")
    renewer = BlockingConnection(Address.of(url), "test", 5.0)
    with pytest.raises(toril.ConnectionFailed, match=says):
        await asyncio.to_thread(renewer.call, "PING")
    renewer.close()


@pytest.mark.parametrize("query", ["tls_ca={ca}&tls_verify=ca", "tls_verify=none"])
async def test_less_is_asked_when_told_so(
    secured: Proxy, authority: Authority, queue_name: str, query: str
) -> None:
    parameters = query.format(ca=authority.ca)
    own = authority.certificate("worker")
    async with toril.Queue(
        queue_name, f"rediss://127.0.0.1:{secured.port}?{parameters}&tls_cert={own}"
    ) as queue:
        await queue.add("a")


async def test_a_plain_server_is_told_from_a_secured_one(valkey_url: str, queue_name: str) -> None:
    port = urlsplit(valkey_url).port
    async with toril.Queue(queue_name, f"valkeys://127.0.0.1:{port}") as queue:
        with pytest.raises(toril.ConnectionFailed):
            await queue.add("a")


async def test_users_see_their_own_keys_alone(queue_name: str) -> None:
    """The rights that docs/deployment.md names are enough, and a wrong password is told."""
    with toril.EmbeddedServer() as server:
        async with toril.Queue("admin", server.url) as admin:
            await admin.store.connection.call(
                "ACL", "SETUSER", "worker", "on", ">pw", f"~bull:{queue_name}:*", "resetchannels",
                "-@all", "+@read", "+@write", "+@scripting", "+@connection", "+@blocking", "+time", "+info",
            )  # fmt: skip
        hosts = f"127.0.0.1:{server.port}/0"
        async with (
            toril.Queue(queue_name, f"valkey://worker:pw@{hosts}") as queue,
            working(queue) as done,
            toril.Queue(f"{queue_name}-not", f"valkey://worker:pw@{hosts}") as foreign,
        ):
            job = await queue.add("a")
            await ran(done, {job.id})
            with pytest.raises(toril.ServerRefused, match="NOPERM"):
                await foreign.add("a")
        async with toril.Queue(queue_name, f"valkey://worker:wrong@{hosts}") as queue:
            with pytest.raises(toril.ServerRefused, match="WRONGPASS"):
                await queue.add("a")
