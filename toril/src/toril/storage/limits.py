"""Typed calls before the scripts that set and read a queue's limits."""

from __future__ import annotations

from typing import NamedTuple

from . import scripts
from .connection import Connection
from .keys import Keys


class Limits(NamedTuple):
    """The limits of one queue, and how much of them is used."""

    concurrency: int | None
    max: int | None
    duration_ms: int | None
    active: int
    started: int
    window_ms: int  # until the window of the rate limit ends; 0 if none runs


class LimitStore:
    """The scripts of one queue's limits."""

    def __init__(self, connection: Connection, keys: Keys) -> None:
        self._connection = connection
        self._keys = keys

    async def _run(self, script: str, *args: str | int) -> object:
        return await scripts.run(self._connection, script, self._keys.all, self._keys.base, *args)

    async def set(self, **fields: int | None) -> bool:
        """Write limits, or take away those that are None; returns whether a field came or went."""
        flat = [part for name, value in fields.items() for part in (name, "" if value is None else value)]
        return bool(await self._run("set_limits", *flat))

    async def block(self, ms: int) -> bool:
        """Let no job start for a time, or end the window with 0; returns whether there was one."""
        return bool(await self._run("block_rate", ms))

    async def read(self) -> Limits:
        """Read the limits and their use, at one instant."""
        reply = await self._run("read_limits")
        assert isinstance(reply, list)
        concurrency, most, duration = (None if field is None else int(field) for field in reply[:3])
        return Limits(concurrency, most, duration, reply[3], int(reply[4] or 0), max(0, reply[5]))
