"""A pipelined connection: many calls under way on one socket, answered in order.

valkey-py's asyncio client holds a connection for each call and costs about as much time as a
whole job may; see docs/adr/0001. The protocol's parser is libvalkey's.
"""

from __future__ import annotations

import asyncio
import ssl as tls
from collections import deque
from typing import Any, cast

import libvalkey

from ..errors import ConnectionFailed, ServerRefused
from .address import Address

CONNECT_TIMEOUT = 5.0
"""Seconds to wait for a connection to be made."""
CALL_TIMEOUT = 15.0
"""Seconds to wait for an answer before the connection is taken for half-open and closed."""

Argument = str | bytes | int | float
Reply = Any
"""What RESP2 can say: None, int, bytes, or a list of these. Callers know their command's shape."""


def encode(args: tuple[Argument, ...]) -> bytes:
    """Write one command in RESP."""
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        if type(arg) is bytes:
            raw = arg
        elif type(arg) is str:
            raw = arg.encode("utf-8", "surrogatepass")
        else:
            raw = b"%d" % arg if type(arg) is int else repr(arg).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)


class Channel(asyncio.Protocol):
    """One open socket. Made by `Connection`; never used again once it has closed."""

    def __init__(self) -> None:
        self._reader = libvalkey.Reader(replyError=ServerRefused, protocolError=ConnectionFailed)
        self._waiting: deque[asyncio.Future[Reply]] = deque()
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self.closed = False
        self.gone = asyncio.Event()
        """Set once the socket itself is closed."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

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
            self.close(ConnectionFailed(f"the server broke the protocol: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.close(ConnectionFailed(f"connection to the server lost{f': {exc}' if exc else ''}"))
        self.gone.set()

    def call(self, args: tuple[Argument, ...]) -> asyncio.Future[Reply]:
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

    def close(self, error: ConnectionFailed | None = None) -> None:
        """Close the socket; calls under way fail with `error`."""
        if self.closed:
            return
        self.closed = True
        if self._transport is not None:
            self._transport.abort()
        reason = error or ConnectionFailed("the connection was closed")
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(reason)


class Connection:
    """A connection that is made at the first call and made anew after it broke."""

    def __init__(self, address: Address, *, name: str = "toril") -> None:
        self.address = address
        self._name = name
        self._channel: Channel | None = None
        self._opening: asyncio.Task[Channel] | None = None
        self._closed = False

    async def call(self, *args: Argument, timeout: float | None = CALL_TIMEOUT) -> Reply:
        """Send one command and return its answer.

        Args:
            args: The command's words.
            timeout: Seconds until the connection is taken for dead and closed.

        Raises:
            ConnectionFailed: the server cannot be reached, or the connection broke.
            ServerRefused: the server answered with an error.
        """
        channel = self._channel
        if channel is None or channel.closed:
            channel = await self._open()
        future = channel.call(args)
        if timeout is None:
            return await future
        handle = asyncio.get_running_loop().call_later(timeout, self._expire, channel, future, timeout)
        try:
            return await future
        finally:
            handle.cancel()

    def _expire(self, channel: Channel, future: asyncio.Future[Reply], timeout: float) -> None:
        if not future.done():
            channel.close(ConnectionFailed(f"no answer from {self.address} within {timeout:g} s"))

    async def _open(self) -> Channel:
        if self._closed:
            raise ConnectionFailed("the connection was closed")
        if self._opening is None:
            self._opening = asyncio.create_task(self._connect())
            self._opening.add_done_callback(self._opened)
        return await asyncio.shield(self._opening)

    def _opened(self, task: asyncio.Task[Channel]) -> None:
        self._opening = None
        if not task.cancelled() and task.exception() is None:
            self._channel = task.result()

    async def _connect(self) -> Channel:
        address = self.address
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                if address.path:
                    _, channel = await loop.create_unix_connection(Channel, address.path)
                else:
                    context = tls.create_default_context() if address.use_tls else None
                    _, channel = await loop.create_connection(
                        Channel, address.host, address.port, ssl=context
                    )
        except TimeoutError:
            raise ConnectionFailed(
                f"cannot reach {address}: no connection within {CONNECT_TIMEOUT:g} s"
            ) from None
        except OSError as error:
            raise ConnectionFailed(f"cannot reach {address}: {error.strerror or error}") from error
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._greet(channel)
        except TimeoutError:
            channel.close()
            raise ConnectionFailed(
                f"cannot reach {address}: no greeting within {CONNECT_TIMEOUT:g} s"
            ) from None
        except BaseException:  # refused, or closed meanwhile
            channel.close()
            raise
        return channel

    async def _greet(self, channel: Channel) -> None:
        address = self.address
        if address.password is not None or address.username is not None:
            await channel.call(("AUTH", address.username or "default", address.password or ""))
        if address.database:
            await channel.call(("SELECT", address.database))
        await channel.call(("CLIENT", "SETNAME", self._name))

    async def close(self) -> None:
        """Close for good. May be called more than once."""
        self._closed = True
        if (opening := self._opening) is not None:
            opening.cancel()
            await asyncio.wait([opening])
        if self._channel is not None:
            self._channel.close()
            await self._channel.gone.wait()
