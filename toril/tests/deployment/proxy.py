"""A TCP proxy that can be told to go silent, to be late, to cut, or to speak TLS to its clients."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from types import TracebackType
from typing import Self

RESEND = 0.2
"""Seconds after which TCP sends a lost packet again, at the least; twice as many when it is lost again."""


class _Link:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.writers = [client]
        self.said = b""
        self.silent = False
        self.deaf = False
        self.losing = False

    def cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


class Proxy:
    """Forwards from a port of its own to a server's.

    Attributes:
        target: The port that new connections are forwarded to.
        silent: Whether new connections get no answer.
        delay: Seconds by which all that is sent comes late.
        loss: Share of packets that are lost. TCP hides it from programs: all comes late, in order.
        lost: How many answers were lost by `lose`.
    """

    def __init__(self, target: int, tls: ssl.SSLContext | None = None) -> None:
        self.target = target
        self.silent = False
        self.delay = 0.0
        self.loss = 0.0
        self.lost = 0
        self._rng = random.Random(5)
        self._words = b""
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self._pipes: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        if self._pipes:
            await asyncio.wait(self._pipes)

    def named(self, name: str) -> list[_Link]:
        """The connections that call themselves so."""
        return [link for link in self._links if name.encode() in link.said]

    def cut(self, name: str = "") -> int:
        """Reset connections; returns how many."""
        links = self.named(name)
        for link in links:
            link.cut()
        return len(links)

    def silence(self, name: str = "") -> int:
        """Swallow all that is sent on connections, either way, and tell nobody: they are half open."""
        links = self.named(name)
        for link in links:
            link.silent = True
        return len(links)

    def deafen(self, name: str = "") -> int:
        """Swallow the answers alone; returns how many connections have it so."""
        links = self.named(name)
        for link in links:
            link.deaf = True
        return len(links)

    def lose(self, words: bytes) -> None:
        """Let the server get the next command with these words, and cut the connection at its answer."""
        self._words = words

    def _resending(self) -> float:
        late, again = 0.0, RESEND
        while self._rng.random() < self.loss:
            late += again
            again *= 2
        return late

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(writer)
        link.silent = self.silent
        self._links.add(link)
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            link.cut()
            self._links.discard(link)
            return
        link.writers.append(there_writer)
        pipes = {
            asyncio.create_task(self._pipe(link, reader, there_writer)),
            asyncio.create_task(self._pipe(link, there_reader, writer)),
        }
        self._pipes |= pipes
        await asyncio.wait(pipes)
        self._pipes -= pipes
        self._links.discard(link)

    async def _pipe(self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if len(link.said) < 4096:
                    link.said += data
                if late := self.delay + self._resending():
                    await asyncio.sleep(late)
                if self._words and self._words in data:
                    self._words, link.losing = b"", True
                elif link.losing and writer is link.writers[0]:
                    self.lost += 1
                    link.cut()
                    return
                if not link.silent and not (link.deaf and writer is link.writers[0]):
                    writer.write(data)
                    await writer.drain()
        writer.transport.abort()
