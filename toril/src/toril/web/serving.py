"""Serves a dashboard by itself, with a login by name and password where one is wanted."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hmac
import signal
import socket
import sys
from collections.abc import Collection, Generator, Sequence

import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from .access import Authorize, Identity, anyone
from .dashboard import Dashboard

GRACE = 3
"""Seconds that a stop waits for requests."""


def by_login(login: str) -> Authorize:
    """Let in whoever gives this `name:password` by HTTP's basic authentication."""

    def authorize(request: Request) -> Identity | Response:
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                given = base64.b64decode(text, validate=True)
            except binascii.Error:
                given = b""
            if hmac.compare_digest(given, login.encode()):
                return Identity(login.partition(":")[0])
        return PlainTextResponse(
            "A login is needed.", 401, headers={"www-authenticate": 'Basic realm="toril", charset="UTF-8"'}
        )

    return authorize


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, dashboard: Dashboard) -> None:
        super().__init__(config)
        self._dashboard = dashboard

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for server in self.servers:
            for each in server.sockets:
                host, port, *_ = each.getsockname()
                shown = f"[{host}]" if ":" in host else host
                print(f"dashboard: http://{shown}:{port}/", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # uvicorn's own way raises them again at the end, and the command would seem to have been killed.
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM)
        for number in numbers:
            loop.add_signal_handler(number, self._stop, number)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    def _stop(self, number: int) -> None:
        self._dashboard.end_streams()
        self.handle_exit(number, None)


async def serve(
    url: str | None,
    *,
    queues: Sequence[str] | None,
    prefix: str,
    host: str,
    port: int,
    read_only: bool,
    base_path: str,
    login: str | None,
    hosts: Collection[str] | None,
) -> None:
    """Serve a dashboard until SIGINT or SIGTERM. Raises InvalidOption."""
    dashboard = Dashboard(
        url,
        authorize=by_login(login) if login else anyone,
        queues=queues,
        prefix=prefix,
        read_only=read_only,
        base_path=base_path,
        hosts=hosts,
    )
    config = uvicorn.Config(
        dashboard, host=host, port=port, log_level="warning", timeout_graceful_shutdown=GRACE
    )
    await _Server(config, dashboard).serve()
