"""A connection for a thread: one call at a time, and the caller waits for its answer."""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections.abc import Iterator

from ..errors import ConnectionFailed, ServerRefused
from .address import Address
from .channel import Argument, Command, Reply, encode, keep_alive, reader
from .endpoint import Endpoint, Kind
from .routes import NOT_HERE, Inquiry, Routes, explained, named

logger = logging.getLogger("toril")


class _Wire:
    """One open socket."""

    def __init__(self, address: Address, endpoint: Endpoint, timeout: float) -> None:
        self.endpoint = endpoint
        self._where = named(address, endpoint)
        self._timeout = timeout
        self._reader = reader()
        try:
            self._socket = _open(address, endpoint, timeout)
        except OSError as error:
            raise ConnectionFailed(f"cannot reach {self._where}: {error.strerror or error}") from error

    def call(self, args: Command) -> Reply:
        """Send one command and wait for its answer."""
        end = time.monotonic() + self._timeout
        try:
            self._socket.settimeout(self._timeout)
            self._socket.sendall(encode(args))
            while (reply := self._reader.gets()) is False:
                self._socket.settimeout(max(0.001, end - time.monotonic()))
                if not (data := self._socket.recv(65536)):
                    raise ConnectionFailed(f"connection to {self._where} lost")
                self._reader.feed(data)
        except TimeoutError:
            raise ConnectionFailed(f"no answer from {self._where} within {self._timeout:g} s") from None
        except OSError as error:
            raise ConnectionFailed(f"connection to {self._where} lost: {error}") from error
        if isinstance(reply, ServerRefused):
            raise reply
        return reply

    def close(self) -> None:
        self._socket.close()


def _open(address: Address, endpoint: Endpoint, timeout: float) -> socket.socket:
    if endpoint.path is not None:
        raw = socket.socket(socket.AF_UNIX)
        with _closed_on_error(raw):
            raw.settimeout(timeout)
            raw.connect(endpoint.path)
        return raw
    context = address.tls.context() if address.tls else None  # may raise: before there is a socket to close
    raw = socket.create_connection((endpoint.host, endpoint.port), timeout)
    with _closed_on_error(raw):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        keep_alive(raw)
        return context.wrap_socket(raw, server_hostname=endpoint.host) if context else raw


@contextlib.contextmanager
def _closed_on_error(raw: socket.socket) -> Iterator[None]:
    try:
        yield
    except OSError:
        raw.close()
        raise


class BlockingConnection:
    """A connection to whoever serves an address, made anew after it broke. Not for an event loop.

    Args:
        address: Where the server is.
        name: What the server calls the connection.
        timeout: Seconds to wait for a connection, and for an answer.
    """

    def __init__(self, address: Address, name: str, timeout: float) -> None:
        self._routes = Routes(address)
        self._name = name
        self._timeout = timeout
        self._wire: _Wire | None = None
        self._closed = False
        self.reconnects = 0
        """How often the connection was lost and made anew."""

    def call(self, *args: Argument) -> Reply:
        """Send one command and return its answer; once more if another server is to have it.

        Raises:
            ConnectionFailed: the server cannot be reached, or the connection broke.
            ServerRefused: the server answered with an error.
        """
        again = False
        while True:
            wire = self._wire or self._connect()
            try:
                return wire.call(args)
            except ConnectionFailed as error:
                self.reconnects += 1
                logger.warning("connection %s is made anew: %s", self._name, error)
                self._leave(wire)
                raise
            except ServerRefused as error:
                if error.code not in NOT_HERE:
                    raise explained(error) from None
                self._routes.moved(error, wire.endpoint)
                self._leave(wire)
                if again:
                    raise explained(error) from None
                again = True

    def follow(self) -> None:
        """Leave the server if the Sentinels name another one by now.

        A former master takes writes, which nobody has then, until it is told that it is none.
        """
        if self._wire is None or self._routes.address.kind is not Kind.SENTINEL:
            return
        try:
            named_now = self._inquire(self._routes.locate())[0]
        except ConnectionFailed as error:
            logger.info("%s", error)  # nobody names another one
            return
        if named_now != self._wire.endpoint:
            self._leave(self._wire)

    def _connect(self) -> _Wire:
        if self._closed:
            raise ConnectionFailed("the connection was closed")
        routes = self._routes
        endpoint = self._inquire(routes.locate())[0]
        greeting = routes.greeting(self._name, asking=False)
        self._wire, reply = self._reach(endpoint, greeting)
        try:
            routes.check(endpoint, reply)
        except ConnectionFailed:
            self._leave(self._wire)
            raise
        return self._wire

    def _inquire(self, inquiry: Inquiry) -> list[Endpoint]:
        login = self._routes.greeting(self._name, asking=True)
        reply: Reply = None
        failure: ConnectionFailed | ServerRefused | None = None
        while True:
            try:
                endpoint, command = inquiry.send(reply) if failure is None else inquiry.throw(failure)
            except StopIteration as found:
                endpoints: list[Endpoint] = found.value
                return endpoints
            try:
                wire, reply = self._reach(endpoint, [*login, command])
            except (ConnectionFailed, ServerRefused) as error:
                failure = error
            else:
                failure = None
                wire.close()

    def _reach(self, endpoint: Endpoint, commands: list[Command]) -> tuple[_Wire, Reply]:
        wire = _Wire(self._routes.address, endpoint, self._timeout)
        reply: Reply = None
        try:
            for command in commands:
                reply = wire.call(command)
        except (ConnectionFailed, ServerRefused):
            wire.close()
            raise
        return wire, reply

    def _leave(self, wire: _Wire) -> None:
        wire.close()
        self._wire = None

    def close(self) -> None:
        """Close for good."""
        self._closed = True
        if self._wire is not None:
            self._wire.close()
