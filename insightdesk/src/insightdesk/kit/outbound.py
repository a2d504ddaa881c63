"""Requests to addresses that people have typed in: only to public ones, whatever their names resolve to.

The name is resolved once, every address that it has is judged, and the request goes to an address that was
judged: a name that resolves otherwise a moment later changes nothing. Redirects are not followed, and no
proxy of the environment is used.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from urllib.parse import SplitResult, urlsplit

import httpx

__all__ = ["TargetRefused", "check_target", "is_public", "post"]

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Public by their registry, yet they carry an IPv4 address that may be private (RFC 6052, 3056).
_CARRIERS = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("2002::/16"))


class TargetRefused(ValueError):
    """The address is none that we post to; the message says why, and repeats no password."""


def is_public(address: _Address) -> bool:
    """Whether an address is one of the open internet: not private, loopback, link-local or multicast."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in carrier for carrier in _CARRIERS):
            return False
    return address.is_global and not address.is_multicast


def check_target(url: str, allowed: Sequence[str] = ()) -> SplitResult:
    """Judge an address by its looks, before its name is resolved.

    Args:
        url: https, or http for a host that is allowed.
        allowed: names of hosts, addresses and networks that may be private.

    Raises:
        TargetRefused: why not.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise TargetRefused(f"it is no URL: {error}") from None
    if not host or not host.isascii() or not url.isprintable() or " " in url:
        raise TargetRefused("it names no host")
    if parts.username is not None or parts.password is not None:
        raise TargetRefused("it holds a user name or a password")
    if port == 0:
        raise TargetRefused("it has port 0")
    if parts.scheme not in ("https", "http"):
        raise TargetRefused("it must begin with https://")
    literal = _literal(host)
    if literal is not None and not _may_post_to(host, literal, allowed):
        raise TargetRefused(f"{host} is no public address")
    if parts.scheme == "http" and not _is_named(host, literal, allowed):
        raise TargetRefused("it must begin with https://")
    return parts


async def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allowed: Sequence[str] = (),
    timeout: float = 10.0,
    verify: ssl.SSLContext | bool = True,
) -> int:
    """Post JSON and return the answer's status; its body is not read.

    Args:
        url, allowed: see `check_target`.
        body: what is posted.
        headers: beside those of the content.
        timeout: seconds for all of it.
        verify: whom to trust, instead of the authorities that every client trusts.

    Raises:
        TargetRefused: the address is not public, or its name resolves to one that is not.
        httpx.HTTPError: it cannot be reached, or does not speak HTTP.
        TimeoutError: it was too slow.
    """
    parts = check_target(url, allowed)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    async with asyncio.timeout(timeout):
        address = await _resolve(host, port, allowed)
        place = f"[{address}]" if address.version == 6 else str(address)
        target = parts._replace(netloc=f"{place}:{port}", fragment="").geturl()
        async with (
            httpx.AsyncClient(
                trust_env=False, follow_redirects=False, timeout=timeout, verify=verify
            ) as client,
            client.stream(
                "POST",
                target,
                content=body,
                headers={"Content-Type": "application/json", **headers, "Host": parts.netloc},
                extensions={"sni_hostname": host},
            ) as answer,
        ):
            return answer.status_code


async def _resolve(host: str, port: int, allowed: Sequence[str]) -> _Address:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpx.ConnectError(f"{host} cannot be resolved: {error.strerror}") from None
    addresses = [ipaddress.ip_address(entry[4][0]) for entry in found]
    for address in addresses:
        if not _may_post_to(host, address, allowed):
            raise TargetRefused(f"{host} resolves to {address}, which is no public address")
    return addresses[0]


def _literal(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _may_post_to(host: str, address: _Address, allowed: Sequence[str]) -> bool:
    return is_public(address) or _is_named(host, address, allowed)


def _is_named(host: str, address: _Address | None, allowed: Sequence[str]) -> bool:
    """Whether the list names this host, or a network that has its address."""
    for entry in allowed:
        if entry.lower() == host.lower():
            return True
        try:
            if address is not None and address in ipaddress.ip_network(entry):
                return True
        except ValueError:
            continue  # the entry is another host's name
    return False
