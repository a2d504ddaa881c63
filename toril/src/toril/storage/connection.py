"""A connection that is made at the first call, and made anew after it broke or its server was replaced."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import NamedTuple

from ..errors import ConnectionFailed, NotReplicated, ServerRefused, TorilError
from .address import Address
from .channel import Argument, Channel, Command, Reply, Sink
from .endpoint import Endpoint, Replicas
from .routes import NOT_HERE, NOT_NOW, Inquiry, Routes, explained, named, target

logger = logging.getLogger("toril")

CONNECT_TIMEOUT = 5.0
"""Seconds to wait for a connection to be made."""
ASK_TIMEOUT = 2.0
"""Seconds to wait for one Sentinel's or node's answer to where the server is."""
CALL_TIMEOUT = 15.0
"""Seconds to wait for an answer before the connection is taken for half-open and closed."""
PATIENCE = 5.0
"""Seconds that a call waits at the most, with Sentinel and Cluster, for a server that will take it."""


class _Live(NamedTuple):
    channel: Channel
    endpoint: Endpoint


class _Patience:
    """Pauses that grow, until the time is over."""

    def __init__(self, limit: float) -> None:
        self._end = asyncio.get_running_loop().time() + limit
        self._pause = 0.01

    async def pause(self, error: Exception) -> None:
        """Sleep a moment; raises the error when there is no time left."""
        if asyncio.get_running_loop().time() + self._pause > self._end:
            raise error
        await asyncio.sleep(self._pause * random.uniform(0.5, 1.0))
        self._pause = min(self._pause * 2, 0.5)


class Connection:
    """A connection to whoever serves an address: with Sentinel the master, on Cluster a slot's owner."""

    def __init__(self, address: Address, *, name: str = "toril") -> None:
        self.address = address
        self._name = name
        self._routes = Routes(address)
        self._live: _Live | None = None
        self._retired: set[Channel] = set()
        self._opening: asyncio.Task[_Live] | None = None
        self._closed = False
        self.reconnects = 0
        """How often the connection was lost and made anew."""

    async def call(
        self, *args: Argument, timeout: float = CALL_TIMEOUT, replicas: Replicas | None = None
    ) -> Reply:
        """Send one command and return its answer.

        Sent again only when the server has said that it did nothing.

        Args:
            args: The command's words.
            timeout: Seconds until the connection is taken for dead and closed.
            replicas: Which replicas must have what the command wrote.

        Raises:
            ConnectionFailed: the server cannot be reached, or the connection broke.
            ServerRefused: the server answered with an error.
            NotReplicated: it was done, but too few replicas have it.
        """
        patience: _Patience | None = None
        while True:
            live = self._live
            try:
                if live is None or not live.channel.usable:
                    live = await self._open()
            except ConnectionFailed as error:
                if self._closed or not self._routes.several:
                    raise
                trouble: TorilError = error
            else:
                try:
                    return await self._carry_out(live, args, timeout, replicas)
                except ServerRefused as error:
                    if error.code in NOT_HERE:
                        self._leave(live, error)
                    if not self._goes_on(error, again=patience is not None):
                        raise explained(error) from None
                    trouble = error
            patience = patience or _Patience(PATIENCE)
            await patience.pause(trouble)

    def post(self, *args: Argument, sink: Sink) -> bool:
        """Send one command if the connection stands, without a turn of the event loop; False if not.

        The answer goes into `sink`, an error too; `refusal` tells what becomes of one that is the server's.
        """
        live = self._live
        if live is None or not live.channel.usable:
            return False
        live.channel.post(args, CALL_TIMEOUT, sink)
        return True

    def refusal(self, error: ServerRefused) -> ServerRefused | None:
        """What to tell of a posted command that was refused; None if a `call` may do better."""
        return None if self._goes_on(error, again=False) else explained(error)

    def _goes_on(self, error: ServerRefused, *, again: bool) -> bool:
        if self._routes.several:
            return error.code in NOT_HERE or error.code in NOT_NOW
        # Behind one name there may be another server by now, which is tried once.
        return error.code in {"READONLY", "UNBLOCKED"} and not again

    def _leave(self, live: _Live, error: ServerRefused) -> None:
        if self._live is live:
            self._live = None
            self._routes.moved(error, live.endpoint)
        self._retired = {channel for channel in self._retired if not channel.gone.is_set()} | {live.channel}
        live.channel.retire()

    async def _carry_out(
        self, live: _Live, args: Command, timeout: float, replicas: Replicas | None
    ) -> Reply:
        try:
            return await _exchange(live, args, timeout, replicas)
        except ServerRefused as error:
            if error.code != "ASK" or not self._routes.several:
                raise
            there = target(error, live.endpoint)
        # The slot is on its way to another node, which is asked for this once.
        live = await connect(self._routes, there, self._name)
        try:
            await live.channel.call(("ASKING",))
            return await _exchange(live, args, timeout, replicas)
        finally:
            live.channel.close()
            await live.channel.gone.wait()

    async def _open(self) -> _Live:
        if self._closed:
            raise ConnectionFailed("the connection was closed")
        if self._opening is None:
            self._opening = asyncio.create_task(self._connect())
            self._opening.add_done_callback(self._opened)
        opening = self._opening
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            if opening.cancelled():
                raise ConnectionFailed("the connection was closed") from None
            raise

    def _opened(self, task: asyncio.Task[_Live]) -> None:
        self._opening = None
        if not task.cancelled() and task.exception() is None:
            self._live = task.result()

    async def _connect(self) -> _Live:
        lost, self._live = self._live, None
        if lost is not None:
            self.reconnects += 1
            reason = lost.channel.reason or "its event loop was closed"
            logger.warning("connection %s is made anew: %s", self._name, reason)
        found = await inquire(self._routes, self._routes.locate())
        return await connect(self._routes, found[0], self._name)

    async def close(self) -> None:
        """Close for good. May be called more than once."""
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        for channel in (*self._retired, *((self._live.channel,) if self._live else ())):
            if channel.usable or channel.closed:
                channel.close()
                await channel.gone.wait()


async def _exchange(live: _Live, args: Command, timeout: float, replicas: Replicas | None) -> Reply:
    if replicas is None:
        return await live.channel.call(args, timeout)
    future = live.channel.call(args, timeout)
    # WAIT speaks of what its own connection wrote before, so both go out together.
    waited = live.channel.call(("WAIT", *replicas), timeout + replicas.timeout_ms / 1000)
    try:
        reply = await future
        reached = await waited
    finally:
        if not waited.cancel() and not waited.cancelled():
            waited.exception()  # looked at, so that nobody warns of it
    if reached < replicas.wanted:
        raise NotReplicated(
            f"written, but after {replicas.timeout_ms / 1000:g} s {reached} of {replicas.wanted} replicas "
            "have it",
            reached,
        )
    return reply


async def connect(routes: Routes, endpoint: Endpoint, name: str) -> _Live:
    """Open a channel to one server of an address, and greet it.

    Raises:
        ConnectionFailed: it cannot be reached, or is not the server that is meant.
        ServerRefused: it does not let us in.
    """
    greeting = routes.greeting(name, asking=False)
    channel, reply = await _reach(routes.address, endpoint, greeting, CONNECT_TIMEOUT)
    try:
        routes.check(endpoint, reply)
    except ConnectionFailed:
        channel.close()
        await channel.gone.wait()
        raise
    return _Live(channel, endpoint)


async def inquire(routes: Routes, inquiry: Inquiry) -> list[Endpoint]:
    """Carry out an inquiry, and return what it has found.

    Raises:
        ConnectionFailed: nobody who was asked knows.
    """
    login = routes.greeting("toril", asking=True)
    reply: Reply = None
    failure: ConnectionFailed | ServerRefused | None = None
    while True:
        try:
            endpoint, command = inquiry.send(reply) if failure is None else inquiry.throw(failure)
        except StopIteration as found:
            endpoints: list[Endpoint] = found.value
            return endpoints
        try:
            channel, reply = await _reach(routes.address, endpoint, [*login, command], ASK_TIMEOUT)
        except (ConnectionFailed, ServerRefused) as error:
            failure = error
        else:
            failure = None
            channel.close()
            await channel.gone.wait()


async def _reach(
    address: Address, endpoint: Endpoint, commands: list[Command], timeout: float
) -> tuple[Channel, Reply]:
    """Open a channel and make these calls; returns the last one's answer."""
    loop = asyncio.get_running_loop()
    where = named(address, endpoint)
    channel: Channel | None = None
    try:
        async with asyncio.timeout(timeout):
            if endpoint.path is not None:
                _, channel = await loop.create_unix_connection(Channel, endpoint.path)
            else:
                tls = address.tls.context() if address.tls else None
                _, channel = await loop.create_connection(Channel, endpoint.host, endpoint.port, ssl=tls)
            channel.peer = where
            reply: Reply = None
            for command in commands:
                reply = await channel.call(command)
            opened, channel = channel, None
            return opened, reply
    except TimeoutError:
        state = "connection" if channel is None else "greeting"
        raise ConnectionFailed(f"cannot reach {where}: no {state} within {timeout:g} s") from None
    except OSError as error:
        raise ConnectionFailed(f"cannot reach {where}: {error.strerror or error}") from error
    finally:
        if channel is not None:
            channel.close()
