"""Emitting from a process that serves no sockets, through Valkey to those that do."""

from __future__ import annotations

import asyncio

import socketio  # type: ignore[import-untyped]  # ships no types

from insightdesk.settings import get_settings

__all__ = ["CHANNEL", "emit", "manager", "room"]

CHANNEL = "insightdesk:socketio"

_emitters: dict[int, socketio.AsyncRedisManager] = {}


def room(user_id: str) -> str:
    """The room that all screens of a user are in."""
    return f"user:{user_id}"


def manager(url: str, *, write_only: bool) -> socketio.AsyncRedisManager:
    """The client manager on our Valkey; the library picks its client by the scheme."""
    scheme, separator, rest = url.partition("://")
    scheme = {"redis": "valkey", "rediss": "valkeys"}.get(scheme, scheme)
    return socketio.AsyncRedisManager(scheme + separator + rest, channel=CHANNEL, write_only=write_only)


async def emit(user_id: str, ticket_id: str, action: str) -> None:
    """Sends the event `notification` to every screen of the user, in whichever process."""
    loop = id(asyncio.get_running_loop())
    if loop not in _emitters:
        _emitters[loop] = manager(get_settings().valkey_url, write_only=True)
    await _emitters[loop].emit("notification", {"ticketId": ticket_id, "action": action}, room=room(user_id))
