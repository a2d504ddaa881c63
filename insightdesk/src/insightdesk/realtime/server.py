"""The Socket.IO server: a proven user joins the room of his own, and gets `notification` there."""

from __future__ import annotations

from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

import socketio  # type: ignore[import-untyped]  # ships no types
from fastapi import FastAPI

from insightdesk.accounts.access import SESSION_COOKIE, authenticate, cookie_name
from insightdesk.kit.errors import DeskError
from insightdesk.realtime.emitter import manager, room
from insightdesk.settings import get_settings

__all__ = ["create_server", "mount"]


def create_server(valkey_url: str) -> socketio.AsyncServer:
    """A server that hears, through Valkey, what other processes emit.

    Browsers may connect from our own origin alone (the library's default).
    """
    server = socketio.AsyncServer(async_mode="asgi", client_manager=manager(valkey_url, write_only=False))

    async def connect(sid: str, environ: Mapping[str, str], auth: object = None) -> None:
        token = auth.get("token") if isinstance(auth, dict) else None
        header = f"Bearer {token}" if isinstance(token, str) else environ.get("HTTP_AUTHORIZATION")
        try:
            principal = await authenticate(header, _session_cookie(environ.get("HTTP_COOKIE", "")))
        except DeskError as error:
            raise socketio.exceptions.ConnectionRefusedError(str(error)) from error
        await server.enter_room(sid, room(principal.user_id))

    server.on("connect", connect)
    return server


def mount(app: FastAPI) -> None:
    """Serves Socket.IO at `/socket.io` of the API."""
    server = create_server(get_settings().valkey_url)
    app.mount("/socket.io", socketio.ASGIApp(server, socketio_path="/socket.io"))


def _session_cookie(header: str) -> str | None:
    try:
        morsel = SimpleCookie(header).get(cookie_name(SESSION_COOKIE))
    except CookieError:
        return None
    return morsel.value if morsel else None
