"""What surrounds every request: bounds on what comes in, and headers on what goes out. Plain ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from insightdesk.kit.errors import DeskError, Invalid, TooLarge, TooSlow, failure

log = structlog.get_logger(__name__)

MAX_BODY = 2 * 1024 * 1024
"""Bytes of a request's body. A message's 100,000 characters fit, whatever they are."""

BODY_TIME = 30.0
"""Seconds within which a body must have arrived."""

API_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""What a browser may do with an answer that is no page: nothing."""

_HEADERS = {
    "Content-Security-Policy": API_POLICY,
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_ONLY_TLS = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}


class SecurityHeaders:
    """Puts headers on every answer; what a route has set itself stays.

    It stands outermost, so it also gives the answer where something failed that nothing else expects: the
    framework's own would come without the headers.

    Args:
        tls: whether browsers reach us over TLS alone, and shall remember it.
    """

    def __init__(self, app: ASGIApp, *, tls: bool) -> None:
        self._app = app
        self._headers: Mapping[str, str] = {**_HEADERS, **(_ONLY_TLS if tls else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, with_headers)
        except Exception as error:
            log.error("unexpected error", exc_info=error)
            if started:
                raise  # the connection is cut, so that half an answer is not taken for a whole one
            await failure(500, "internal error")(scope, receive, with_headers)


class Bounds:
    """Refuses what no route would take: a body that is too long or too slow, and addresses that cannot be
    stored or read. A route need not think of them.

    Args:
        max_body: bytes.
        body_time: seconds.
    """

    def __init__(self, app: ASGIApp, *, max_body: int = MAX_BODY, body_time: float = BODY_TIME) -> None:
        self._app = app
        self._max_body = max_body
        self._body_time = body_time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(receive, self._max_body, self._body_time)
        started = False

        async def unless_refused(message: Message) -> None:
            # A framework may turn the refusal into an answer of its own; ours says more.
            nonlocal started
            if body.refused is None:
                started = True
                await send(message)

        try:
            check_address(scope)
            body.check_length(Headers(scope=scope).get("content-length"))
            await self._app(scope, body.receive, unless_refused)
        except DeskError as error:
            body.refused = error
        if body.refused is not None:
            if started:
                raise body.refused
            await failure(body.refused.status, str(body.refused))(scope, receive, send)


class _Body:
    """A request's body on its way in."""

    def __init__(self, receive: Receive, longest: int, time: float) -> None:
        self.refused: DeskError | None = None
        self._receive = receive
        self._longest = longest
        self._time = time
        self._deadline: float | None = None
        self._size = 0
        self._complete = False

    def check_length(self, declared: str | None) -> None:
        """Refuse what says itself that it is too long."""
        if declared is not None and (not declared.isdecimal() or int(declared) > self._longest):
            raise TooLarge(f"the body may have {self._longest} bytes")

    async def receive(self) -> Message:
        """The next part; once all is there, whatever comes, however late."""
        if self._complete:
            return await self._receive()
        loop = asyncio.get_running_loop()
        self._deadline = self._deadline or loop.time() + self._time
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            self.refused = TooSlow(f"the body did not arrive within {self._time:g} seconds")
            raise self.refused from None
        self._size += len(message.get("body", b""))
        if self._size > self._longest:
            self.refused = TooLarge(f"the body may have {self._longest} bytes")
            raise self.refused
        self._complete = not message.get("more_body", False)
        return message


def check_address(scope: Scope) -> None:
    """Refuse a path or query with a NUL or with bytes that are no text.

    Raises:
        Invalid: saying which.
    """
    for place, raw in (("path", scope.get("raw_path") or b""), ("query", scope["query_string"])):
        plain = unquote_to_bytes(raw.replace(b"+", b" "))
        if b"\0" in plain:
            raise Invalid(f"the {place} cannot contain a NUL character")
        try:
            plain.decode()
        except UnicodeDecodeError:
            raise Invalid(f"the {place} is not valid UTF-8") from None
