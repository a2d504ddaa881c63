"""Serves a dashboard by itself, with a login by name and password where one is wanted."""

from __future__ import annotations

import base64
import binascii
import hmac
import sys
from collections.abc import Collection, Sequence
from types import FrameType

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

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets)  # type: ignore[arg-type]
        for server in self.servers:
            for socket in server.sockets:
                host, port, *_ = socket.getsockname()
                shown = f"[{host}]" if ":" in host else host
                print(f"dashboard: http://{shown}:{port}/", file=sys.stderr, flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._dashboard.end_streams()
        super().handle_exit(sig, frame)


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
