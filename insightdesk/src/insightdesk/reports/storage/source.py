"""What is uploaded, as a stream that can be broken off: a store takes its parts back only when told of an
error by the source, not when its caller goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path


class BrokenOff(Exception):
    """The upload was given up."""


class Source:
    """The chunks of a stream, until it is broken off."""

    def __init__(self, content: AsyncIterable[bytes]) -> None:
        self._chunks = aiter(content)
        self._step: asyncio.Task[bytes] | None = None
        self._broken = False

    def break_off(self) -> None:
        """Let the reader get an error in place of the next chunk, at once."""
        self._broken = True
        if self._step is not None:
            self._step.cancel()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._broken:
            raise BrokenOff
        self._step = asyncio.create_task(self._next())
        await asyncio.wait({self._step})
        if self._step.cancelled():
            raise BrokenOff
        chunk = self._step.result()
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def _next(self) -> bytes:
        """The next chunk that is not empty; nothing at the end (a task cannot end by StopAsyncIteration)."""
        async for chunk in self._chunks:
            if chunk:
                return chunk
        return b""


async def read_file(path: Path, chunk: int) -> AsyncIterator[bytes]:
    """A file of this machine, ``chunk`` bytes at a time."""
    with await asyncio.to_thread(path.open, "rb") as file:
        while data := await asyncio.to_thread(file.read, chunk):
            yield data
