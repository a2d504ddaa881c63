"""One open socket: many calls under way, answered in order.

The protocol's parser is libvalkey's; see docs/adr/0001.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from math import inf
from typing import Any, NamedTuple, Protocol, cast

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


class Sink(Protocol):
    """What an answer is put into: a future, or what acts on it without another turn of the loop."""

    def done(self) -> bool: ...
    def set_result(self, result: Reply, /) -> None: ...
    def set_exception(self, exception: Exception, /) -> None: ...


class _Call(NamedTuple):
    sink: Sink
    timeout: float
    expires: float


class Channel(asyncio.Protocol):
    """One open socket. Made by `Connection`; never used again once it has closed.

    Attributes:
        peer: What the server is called in errors.
        closed: Whether no call can be made any more.
        reason: Why it is closed.
        gone: Set once the socket itself is closed.
    """

    def __init__(self) -> None:
        self._reader = reader()
        self._waiting: deque[_Call] = deque()
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = inf
        self._retired = False
        self.peer = "the server"
        self.closed = False
        self.reason = ""
        self.gone = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        # Else uvloop writes at the end of the loop's turn.
        self._transport.set_write_buffer_limits(high=0)
        keep_alive(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        waiting = self._waiting
        reader.feed(data)
        try:
            while (reply := reader.gets()) is not False:
                sink = waiting.popleft().sink
                if not sink.done():
                    if isinstance(reply, ServerRefused):
                        sink.set_exception(reply)
                    else:
                        sink.set_result(reply)
        except (ConnectionFailed, IndexError) as error:
            self.close(ConnectionFailed(f"the server broke the protocol: {error}", undecided=True))
        if self._retired and not waiting:
            self.close()

    @property
    def usable(self) -> bool:
        """Whether a call can be made: it is not closed, and nor is the event loop that reads the answers."""
        return not (self.closed or self._loop.is_closed())

    def connection_lost(self, exc: Exception | None) -> None:
        reason = f": {exc}" if exc else ""
        self.close(ConnectionFailed(f"connection to the server lost{reason}", undecided=True))
        self.gone.set()

    def call(self, args: Command, timeout: float = inf) -> asyncio.Future[Reply]:
        """Send one command, as `post` does, and return the future answer."""
        future: asyncio.Future[Reply] = self._loop.create_future()
        self.post(args, timeout, future)
        return future

    def post(self, args: Command, timeout: float, sink: Sink) -> None:
        """Send one command; the channel closes if there is no answer within `timeout` seconds.

        It goes out at once if no other waits for its answer. Others made in that turn of the loop travel
        together, in one write.
        """
        if self.closed or self._transport is None:
            raise ConnectionFailed("the connection is closed")
        if self._out:
            self._out.append(encode(args))
        elif self._waiting:
            self._loop.call_soon(self._flush)
            self._out.append(encode(args))
        else:
            self._transport.write(encode(args))
        expires = self._loop.time() + timeout
        self._waiting.append(_Call(sink, timeout, expires))
        if expires < self._alarm_at:
            self._set_alarm(expires)

    def _flush(self) -> None:
        if self._transport is not None and not self.closed:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def _set_alarm(self, at: float) -> None:
        # One for many calls: it is set anew when it goes off, not whenever a call is answered.
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = at
        self._alarm = None if at == inf else self._loop.call_at(at, self._look_at_the_time)

    def _look_at_the_time(self) -> None:
        first = min(self._waiting, key=_expiry, default=None)
        if first is not None and first.expires <= self._loop.time():
            silence = f"no answer from {self.peer} within {first.timeout:g} s"
            self.close(ConnectionFailed(silence, undecided=True))
        else:
            self._set_alarm(inf if first is None else first.expires)

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
        self._set_alarm(inf)
        if self._transport is not None:
            self._transport.abort()
        error = error or ConnectionFailed("the connection was closed", undecided=True)
        self.reason = str(error)
        while self._waiting:
            sink = self._waiting.popleft().sink
            if not sink.done():
                sink.set_exception(error)


def _expiry(call: _Call) -> float:
    return call.expires
