"""What people type in as a webhook's address reaches the open internet alone."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from insightdesk.kit.outbound import TargetRefused, check_target, is_public, post

ALLOWED = ["127.0.0.0/8"]


class Double:
    """An HTTP server that notes what it is sent and answers as it is told."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
        self.port = 0

    @asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Double]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length")
            )
            self.requests.append(head + await reader.readexactly(length))
            writer.write(self.answer)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/x", "ftp://example.com", "https://", "https:///x", "https://user:pw@example.com",
        "https://127.0.0.1/x", "https://[::1]/", "https://10.1.2.3/", "https://192.168.0.1/", "https://172.16.0.9/",
        "https://169.254.169.254/latest/meta-data", "https://[fe80::1]/", "https://[fd00::1]/", "https://0.0.0.0/",
        "https://100.64.0.1/", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/",
        "https://224.0.0.1/", "https://exa mple.com", "https://ex\u00e4mple.com/", "https://example.com:0/",
    ],
)  # fmt: skip
def test_addresses_that_are_refused_by_their_looks(url: str) -> None:
    with pytest.raises(TargetRefused):
        check_target(url)


@given(st.ip_addresses(v=4))
@settings(max_examples=100, deadline=None)
def test_an_ipv4_address_is_judged_alike_in_each_of_its_forms(address: ipaddress.IPv4Address) -> None:
    mapped = ipaddress.IPv6Address(f"::ffff:{address}")
    assert is_public(mapped) == is_public(address)
    if not is_public(address):
        assert not is_public(ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) + int(address)))


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "localhost"])
async def test_a_name_that_resolves_to_loopback_is_refused_before_anything_is_sent(host: str) -> None:
    async with Double().serving() as double:
        with pytest.raises(TargetRefused):
            await post(f"https://{host}:{double.port}/", b"{}", {})
        assert double.requests == []


async def test_a_name_of_which_one_address_is_private_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(socket.AF_INET, 1, 6, "", (host, 443)) for host in ("93.184.215.14", "10.0.0.1")]

    async def resolve(*_: object, **__: object) -> list[object]:
        return list(answers)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    with pytest.raises(TargetRefused, match=r"resolves to 10\.0\.0\.1"):
        await post("https://rebinding.example/", b"{}", {})


async def test_a_redirect_inwards_is_not_followed() -> None:
    async with Double().serving() as inner, Double().serving() as outer:
        outer.answer = (
            f"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:{inner.port}/\r\nContent-Length: 0\r\n\r\n"
        ).encode()
        status = await post(f"http://127.0.0.1:{outer.port}/", b"{}", {}, allowed=ALLOWED)
        assert (status, len(outer.requests), inner.requests) == (307, 1, [])


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Double().serving() as proxy, Double().serving() as target:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        await post(f"http://127.0.0.1:{target.port}/", b"{}", {}, allowed=ALLOWED)
        assert (len(target.requests), proxy.requests) == (1, [])


@pytest.fixture
def authority() -> Callable[[str], tuple[ssl.SSLContext, ssl.SSLContext]]:
    """Makes a server's TLS context for a name, and a client's that trusts it."""
    ca = trustme.CA()
    trusting = ssl.create_default_context()
    ca.configure_trust(trusting)

    def issue(name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(name).configure_cert(context)
        return context, trusting

    return issue


async def test_tls_is_judged_by_the_name_though_the_address_is_pinned(
    authority: Callable[[str], tuple[ssl.SSLContext, ssl.SSLContext]],
) -> None:
    tls, ca = authority("localhost")
    async with Double().serving(tls) as double:
        url = f"https://localhost:{double.port}/hook?a=1"
        status = await post(url, b'{"a": 1}', {"x-mine": "1"}, allowed=ALLOWED, verify=ca)
        assert status == 204
        (request,) = double.requests
        assert request.startswith(b"POST /hook?a=1 HTTP/1.1\r\n")
        assert f"host: localhost:{double.port}\r\n".encode() in request.lower()
        assert request.endswith(b'\r\n\r\n{"a": 1}')
    tls, ca = authority("other.example")
    async with Double().serving(tls) as double:
        with pytest.raises(Exception, match=r"certificate verify failed|Hostname mismatch"):
            await post(f"https://localhost:{double.port}/", b"{}", {}, allowed=ALLOWED, verify=ca)
        assert double.requests == []
