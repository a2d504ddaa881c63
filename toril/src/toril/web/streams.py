"""Server-sent events: what one poller has seen, told to however many browsers look."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping

import msgspec

LIFE = 300.0
"""Seconds after which a stream ends: the browser comes again, and is asked anew who it is."""
BEAT = 15.0
"""Seconds of silence after which a comment tells proxies that the line is in use."""
MOST = 500
"""How many streams one process serves."""

Values = Mapping[str, str]


class _Topic:
    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.version = 0
        self.change = b""
        self.told = asyncio.Event()
        self.readers = 0

    def tell(self, values: Values) -> None:
        changed = {key: value for key, value in values.items() if self.values.get(key) != value}
        if not changed:
            return
        self.values.update(changed)
        self.version += 1
        self.change = _event(changed)
        self.told.set()
        self.told = asyncio.Event()


class Streams:
    """The streams of one process. Each tells of one topic: first all its values, then what changes."""

    def __init__(self) -> None:
        self._topics: dict[str, _Topic] = {}
        self._ended = asyncio.Event()
        self.wanted = asyncio.Event()
        """Set when somebody comes, for whoever tells."""

    @property
    def topics(self) -> list[str]:
        """What somebody looks at."""
        return list(self._topics)

    @property
    def readers(self) -> int:
        """How many streams there are."""
        return sum(topic.readers for topic in self._topics.values())

    def tell(self, name: str, values: Values) -> None:
        """Tell those who look at a topic."""
        topic = self._topics.get(name)
        if topic is not None:
            topic.tell(values)

    def end(self) -> None:
        """End all streams, and each that is opened from now on."""
        self._ended.set()

    async def stream(self, name: str) -> AsyncIterator[bytes]:
        """What is sent to one browser."""
        with self._reading(name) as topic:
            yield b"retry: 2000\n\n"
            version = -1
            loop = asyncio.get_running_loop()
            ends = loop.time() + LIFE
            while not self._ended.is_set() and loop.time() < ends:
                told = topic.told
                if topic.values and version != topic.version:
                    behind = topic.version - version
                    version = topic.version
                    yield topic.change if behind == 1 and version > 1 else _event(topic.values)
                    continue
                if not await self._first_of(told, BEAT):
                    yield b":\n\n"

    @contextlib.contextmanager
    def _reading(self, name: str) -> Iterator[_Topic]:
        topic = self._topics.setdefault(name, _Topic())
        topic.readers += 1
        self.wanted.set()
        try:
            yield topic
        finally:
            topic.readers -= 1
            if not topic.readers:
                self._topics.pop(name, None)

    async def _first_of(self, told: asyncio.Event, timeout: float) -> bool:
        waits = [asyncio.ensure_future(event.wait()) for event in (told, self._ended)]
        try:
            done, _ = await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            return bool(done)
        finally:
            for wait in waits:
                wait.cancel()


def _event(values: Values) -> bytes:
    return b"data: " + msgspec.json.encode(values) + b"\n\n"
