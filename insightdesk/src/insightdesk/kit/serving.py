"""The HTTP protocol of the API's server, with a bound that the server itself lacks: how long a client may
take to say what it wants."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["ImpatientProtocol"]


class ImpatientProtocol(H11Protocol):
    """Closes a connection on which a request has begun, or should have, and whose headers do not end.

    Bodies are bounded in `insightdesk.kit.guard`, idle connections by the server's `timeout_keep_alive`.
    """

    header_time = 15.0
    """Seconds from the connection, or from the last answer, to the end of a request's headers."""

    _timer: asyncio.TimerHandle | None = None
    _upgraded = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._upgraded = True
        self._forget()
        super().handle_websocket_upgrade(event)

    def _watch(self) -> None:
        cycle: Any = self.cycle  # None before the first request, whatever the library's annotation says
        if self._upgraded or not (cycle is None or cycle.response_complete):
            self._forget()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.header_time, self.transport.close)

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
