"""Typed calls that look at a queue's workers and numbers."""

from __future__ import annotations

from typing import NamedTuple

from . import scripts
from .connection import Connection
from .keys import Keys


class Ends(NamedTuple):
    """How many jobs have ended, as the server has it."""

    total: int
    newest_ms: int | None
    minutes: list[int]
    kept: int


async def read_metrics(connection: Connection, keys: Keys, target: str, start: int, end: int) -> Ends:
    """Read the numbers of one final state."""
    count, newest, minutes, kept = await scripts.run(
        connection, "read_metrics", keys.all, keys.base, target, start, end
    )
    return Ends(int(count or 0), int(newest) if newest else None, [int(minute) for minute in minutes], kept)


async def clients(connection: Connection, name: str) -> list[dict[str, str]]:
    """Read the connections of this name, or whose names begin with it and a colon."""
    text = await connection.call("CLIENT", "LIST")
    rows = [
        dict(word.partition("=")[::2] for word in line.split(" "))
        for line in text.decode("utf-8", "replace").splitlines()
    ]
    return [row for row in rows if row.get("name") == name or row.get("name", "").startswith(f"{name}:")]
