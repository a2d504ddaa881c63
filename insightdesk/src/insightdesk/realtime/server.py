"""The Socket.IO server: a proven user joins the room of his own, and gets `notification` there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

import socketio  # type: ignore[import-untyped]  # ships no types
import structlog
from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError

from insightdesk.accounts import sessions
from insightdesk.accounts.access import SESSION_COOKIE, authenticate, cookie_name
from insightdesk.accounts.passwords import token_hash
from insightdesk.database import transaction
from insightdesk.kit import clock
from insightdesk.kit.errors import DeskError
from insightdesk.realtime.emitter import manager, room
from insightdesk.settings import get_settings
from insightdesk.tenancy import everyone

__all__ = ["Screens", "create_server", "mount"]

SWEEP = 15.0
"""Seconds between two looks whether those who are connected still may be."""

log = structlog.get_logger(__name__)


class Screens:
    """The sockets of this process, each with the hash of what its user proved himself by.

    A socket outlives the request that opened it. So that it does not outlive the session or the token,
    `sweep` closes those whose proof has expired or was taken back, or whose user was locked out.
    """

    def __init__(self, server: socketio.AsyncServer) -> None:
        self.server = server
        self._proofs: dict[str, str] = {}
        server.on("connect", self._connect)
        server.on("disconnect", self._disconnect)

    async def run(self) -> None:
        """Sweep until cancelled; a database that is gone for a while is no reason to stop."""
        while True:
            await asyncio.sleep(SWEEP)
            try:
                await self.sweep()
            except (SQLAlchemyError, OSError) as error:
                log.warning("sockets not looked through", error=str(error).splitlines()[0])

    async def close(self) -> None:
        """Close all sockets and the subscription that hears for them; call it before the event loop ends."""
        await self.server.shutdown()
        manager = self.server.manager
        # The library begins to listen with the first socket, and has no way to end it.
        if (listening := getattr(manager, "thread", None)) is not None:
            listening.cancel()
            await asyncio.wait({listening})
            await manager.pubsub.aclose()
            await manager.redis.aclose()

    async def sweep(self) -> int:
        """Close the sockets that no longer may be open; returns how many."""
        with everyone():
            async with transaction() as session:
                live = await sessions.live_proofs(session, set(self._proofs.values()), clock.now())
        ended = [sid for sid, proof in self._proofs.items() if proof not in live]
        for sid in ended:
            await self.server.disconnect(sid)
        return len(ended)

    async def _connect(self, sid: str, environ: Mapping[str, str], auth: object = None) -> None:
        token = auth.get("token") if isinstance(auth, dict) else None
        header = f"Bearer {token}" if isinstance(token, str) else environ.get("HTTP_AUTHORIZATION")
        cookie = _session_cookie(environ.get("HTTP_COOKIE", ""))
        try:
            principal = await authenticate(header, cookie)
        except DeskError as error:
            raise socketio.exceptions.ConnectionRefusedError(str(error)) from error
        proof = header.partition(" ")[2].strip() if header is not None else cookie
        self._proofs[sid] = token_hash(proof or "")
        await self.server.enter_room(sid, room(principal.user_id))

    async def _disconnect(self, sid: str, reason: str | None = None) -> None:
        self._proofs.pop(sid, None)


def create_server(valkey_url: str) -> socketio.AsyncServer:
    """A server that hears, through Valkey, what other processes emit.

    Browsers may connect from our own origin alone (the library's default).
    """
    return socketio.AsyncServer(async_mode="asgi", client_manager=manager(valkey_url, write_only=False))


def mount(app: FastAPI) -> Screens:
    """Serves Socket.IO at `/socket.io` of the API."""
    screens = Screens(create_server(get_settings().valkey_url))
    app.mount("/socket.io", socketio.ASGIApp(screens.server, socketio_path="/socket.io"))
    return screens


def _session_cookie(header: str) -> str | None:
    try:
        morsel = SimpleCookie(header).get(cookie_name(SESSION_COOKIE))
    except CookieError:
        return None
    return morsel.value if morsel else None
