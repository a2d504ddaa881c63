"""A tiny HTTP server: `/live` and `/ready`, 200 or 503 with the report as JSON, and `/metrics`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec

from ..errors import InvalidOption
from .report import Health

TIMEOUT = 5.0
"""Seconds that one request may take."""
LIMIT = 8192
"""Bytes of a request's head that are read."""

JSON = "application/json"
METRICS = "text/plain; version=0.0.4; charset=utf-8"
"""The content type of Prometheus's text format."""

Metrics = Callable[[], Awaitable[str | None]]
"""Gives what is told to Prometheus, in its text format; None if nothing is."""


class HealthServer:
    """Answers probes.

    Args:
        host: The address to listen at.
        port: The port; a free one if 0.
        health: Gives the present health.
        metrics: Gives the answer to `/metrics`.
    """

    def __init__(
        self, host: str, port: int, health: Callable[[], Health], metrics: Metrics | None = None
    ) -> None:
        self._host = host
        self._port = port
        self._health = health
        self._metrics = metrics
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port that it listens at."""
        if self._server is None:
            return self._port
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Listen. Raises InvalidOption if that cannot be done."""
        try:
            self._server = await asyncio.start_server(self._serve, self._host, self._port, limit=LIMIT)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InvalidOption(f"cannot listen at {self._host}:{self._port}: {reason}") from None

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(TIMEOUT):
                head = await reader.readuntil(b"\r\n\r\n")
                status, kind, body = await self._answer(head.split(b"\r\n", 1)[0].split(b" "))
                headers = (
                    f"HTTP/1.1 {status.value} {status.phrase}",
                    f"Content-Type: {kind}",
                    f"Content-Length: {len(body)}",
                    "Cache-Control: no-store",
                    "Connection: close",
                )
                writer.write("".join(f"{line}\r\n" for line in (*headers, "")).encode())
                if not head.startswith(b"HEAD"):
                    writer.write(body)
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a probe that does not ask properly, or went away, gets no answer
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, request: list[bytes]) -> tuple[HTTPStatus, str, bytes]:
        method, target = (*request, b"", b"")[:2]
        if method not in (b"GET", b"HEAD"):
            return HTTPStatus.METHOD_NOT_ALLOWED, JSON, b'{"error":"GET or HEAD"}'
        path = target.partition(b"?")[0]
        if path == b"/metrics":
            text = None if self._metrics is None else await self._metrics()
            if text is None:
                return HTTPStatus.NOT_FOUND, JSON, b'{"error":"no telemetry of the application has metrics"}'
            return HTTPStatus.OK, METRICS, text.encode()
        if path not in (b"/live", b"/ready"):
            return HTTPStatus.NOT_FOUND, JSON, b'{"error":"/live, /ready or /metrics"}'
        health = self._health()
        good = health.live if path == b"/live" else health.ready
        status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
        return status, JSON, msgspec.json.encode(health)
