"""Emitting from a process that serves no sockets, through Valkey to those that do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from weakref import WeakKeyDictionary

import socketio  # type: ignore[import-untyped]  # ships no types

from insightdesk.settings import get_settings

__all__ = ["CHANNEL", "close_emitter", "emit", "manager", "room"]

CHANNEL = "insightdesk:socketio"

# A dead connection is noticed within half a minute; not every system lets one say so.
_KEEPALIVE = {
    getattr(socket, option): value
    for option, value in {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}.items()
    if hasattr(socket, option)
}
_emitters: WeakKeyDictionary[asyncio.AbstractEventLoop, socketio.AsyncRedisManager] = WeakKeyDictionary()


def room(user_id: str) -> str:
    """The room that all screens of a user are in."""
    return f"user:{user_id}"


def manager(url: str, *, write_only: bool) -> socketio.AsyncRedisManager:
    """The client manager on our Valkey; the library picks its client by the scheme."""
    scheme, separator, rest = url.partition("://")
    scheme = {"redis": "valkey", "rediss": "valkeys"}.get(scheme, scheme)
    # A subscription is silent for as long as nothing happens. With the client's default of 5 s for any read
    # it would be given up and, a deaf second later, made again. TCP tells when the other side has gone.
    options = {
        "socket_timeout": 5.0 if write_only else None,
        "socket_connect_timeout": 5.0,
        "socket_keepalive": True,
        "socket_keepalive_options": _KEEPALIVE,
    }
    return socketio.AsyncRedisManager(
        scheme + separator + rest, channel=CHANNEL, write_only=write_only, redis_options=options
    )


async def emit(user_id: str, event: str, data: Mapping[str, object]) -> None:
    """Sends an event to every screen of the user, in whichever process."""
    loop = asyncio.get_running_loop()
    if loop not in _emitters:
        _emitters[loop] = manager(get_settings().valkey_url, write_only=True)
    await _emitters[loop].emit(event, dict(data), room=room(user_id))


async def close_emitter() -> None:
    """Closes what this event loop has emitted by; call it before the loop ends."""
    emitter = _emitters.pop(asyncio.get_running_loop(), None)
    if emitter is not None and emitter.redis is not None:
        await emitter.redis.aclose()
