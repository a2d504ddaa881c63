"""One open socket: many calls under way, answered in order.

The protocol's parser is libvalkey's; see docs/adr/0001.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import Any, NamedTuple, cast

import libvalkey

from ..errors import ConnectionFailed, ServerRefused


class Head(NamedTuple):
    """Words of a command that are the same in many calls, written once."""

    words: int
    wire: bytes


Argument = str | bytes | int | float | Head
Command = tuple[Argument, ...]
Reply = Any
"""What RESP2 can say: None, int, bytes, or a list of these. Callers know their command's shape."""

KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""A peer that has vanished is found out after 30 s, though nothing is asked of it."""


def head(*args: str) -> Head:
    """Write the first words of commands that follow."""
    return Head(len(args), b"".join(map(_word, args)))


def encode(args: Command) -> bytes:
    """Write one command in RESP."""
    words = len(args)
    parts = [b""]
    for arg in args:
        if type(arg) is Head:
            words += arg.words - 1
            parts.append(arg.wire)
        else:
            parts.append(_word(arg))
    parts[0] = b"*%d\r\n" % words
    return b"".join(parts)


def _word(arg: Argument) -> bytes:
    if type(arg) is bytes:
        raw = arg
    elif type(arg) is str:
        raw = arg.encode("utf-8", "surrogatepass")
    else:
        raw = b"%d" % arg if type(arg) is int else repr(arg).encode()
    return b"$%d\r\n%b\r\n" % (len(raw), raw)


def reader() -> libvalkey.Reader:
    """A parser that tells errors as ours."""
    return libvalkey.Reader(replyError=ServerRefused, protocolError=ConnectionFailed)


def keep_alive(sock: socket.socket) -> None:
    """Let the kernel find out about a peer that has vanished."""
    if sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class Channel(asyncio.Protocol):
    """One open socket. Made by `Connection`; never used again once it has closed."""

    def __init__(self) -> None:
        self._reader = reader()
        self._waiting: deque[asyncio.Future[Reply]] = deque()
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self._retired = False
        self.closed = False
        self.gone = asyncio.Event()
        """Set once the socket itself is closed."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        keep_alive(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        waiting = self._waiting
        reader.feed(data)
        try:
            while (reply := reader.gets()) is not False:
                future = waiting.popleft()
                if not future.done():
                    if isinstance(reply, ServerRefused):
                        future.set_exception(reply)
                    else:
                        future.set_result(reply)
        except (ConnectionFailed, IndexError) as error:
            self.close(ConnectionFailed(f"the server broke the protocol: {error}", undecided=True))
        if self._retired and not waiting:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        reason = f": {exc}" if exc else ""
        self.close(ConnectionFailed(f"connection to the server lost{reason}", undecided=True))
        self.gone.set()

    def call(self, args: Command) -> asyncio.Future[Reply]:
        """Send one command; calls made in one turn of the loop travel in one write."""
        if self.closed:
            raise ConnectionFailed("the connection is closed")
        future: asyncio.Future[Reply] = self._loop.create_future()
        self._waiting.append(future)
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(encode(args))
        return future

    def _flush(self) -> None:
        if self._transport is not None and not self.closed:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def retire(self) -> None:
        """Close once all calls under way are answered; for a server that is not the right one now."""
        self._retired = True
        if not self._waiting:
            self.close()

    def close(self, error: ConnectionFailed | None = None) -> None:
        """Close the socket; calls under way fail with `error`."""
        if self.closed:
            return
        self.closed = True
        if self._transport is not None:
            self._transport.abort()
        reason = error or ConnectionFailed("the connection was closed", undecided=True)
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(reason)
