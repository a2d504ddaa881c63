"""Dashboard: the ASGI application."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Collection, Sequence
from types import TracebackType
from typing import Self

from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..storage.address import server_url
from .access import Authorize, MayAct, OnAct
from .redaction import Redact, hide_secrets
from .registry import QueueRegistry
from .routes import routes
from .site import Site
from .streams import Streams
from .watch import Watch

_HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


class Dashboard:
    """The dashboard, to be served by itself or mounted: `app.mount("/jobs", Dashboard(authorize=…))`.

    It begins to watch the queues when it is entered, else with the first request. Under a host
    application enter it in the host's lifespan, by `async with dashboard:`, or close it by
    `await dashboard.close()`; served by itself it follows the server's lifespan.

    Args:
        url: The server; by default the environment's TORIL_URL, else `valkey://127.0.0.1:6379/0`.
        authorize: Called with each request: returns an `Identity`, None to refuse, or a response (to a
            login page, say). `toril.web.anyone` lets everybody in.
        queues: The names of the queues to show; all that are there if None.
        prefix: What all keys begin with.
        may_act: Called with an identity and an `Act` before it is done.
        on_act: Called with an identity and an `Act` that is allowed and about to be done.
        redact: Returns a value as it may be shown and searched; by default what bears the name of a
            secret is hidden.
        read_only: Show no buttons, and refuse all acts.
        history: Keep a point a minute of each queue on the server, for a day.
        base_path: What stands before the mounted path when a proxy has taken it off.
        title: What the pages are called.
        hosts: Names of hosts that requests may be made to; any if None.

    Raises:
        InvalidOption: the URL, the prefix or a queue's name is wrong.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        authorize: Authorize,
        queues: Sequence[str] | None = None,
        prefix: str = "bull",
        may_act: MayAct | None = None,
        on_act: OnAct | None = None,
        redact: Redact = hide_secrets,
        read_only: bool = False,
        history: bool = True,
        base_path: str = "",
        title: str = "toril",
        hosts: Collection[str] | None = None,
    ) -> None:
        registry = QueueRegistry(server_url(url), prefix, queues)
        for name in queues or ():
            registry.queue(name)  # tells now what is wrong with it
        streams = Streams()
        self._site = Site(
            registry=registry,
            watch=Watch(registry, streams, history),
            streams=streams,
            authorize=authorize,
            may_act=may_act or (lambda identity, act: identity.may_act),
            on_act=on_act,
            redact=redact,
            read_only=read_only,
            base_path=base_path.rstrip("/"),
            title=title,
            hosts=hosts,
        )
        starlette = Starlette(routes=routes(), lifespan=self._lifespan)
        starlette.state.site = self._site
        self._app: ASGIApp = starlette

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", ()))
                if not any(name.lower() == b"cache-control" for name, _ in own):
                    own.append((b"cache-control", b"no-store"))
                message = {**message, "headers": own + _HEADERS}
            await send(message)

        if scope["type"] == "http":
            self._site.watch.start()
        await self._app(scope, receive, with_headers)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        async with self:
            yield

    def end_streams(self) -> None:
        """End all live streams, so that a server that is told to stop need not wait for them."""
        self._site.streams.end()

    async def close(self) -> None:
        """Stop watching, and close the connections. May be called more than once."""
        self.end_streams()
        await self._site.watch.stop()
        await self._site.registry.close()

    async def __aenter__(self) -> Self:
        self._site.watch.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
