"""Completes what a shell has half a word of: the names of queues."""

from __future__ import annotations

import asyncio

import typer

from ..errors import TorilError
from ..running import run
from ..storage.address import server_url
from ..storage.discovery import queue_names

PATIENCE = 0.5
"""Seconds that a completion may take: a shell waits for it."""


def complete_queue(context: typer.Context, incomplete: str) -> list[str]:
    """The queues on the server whose names begin so; none if it does not answer at once."""
    url, prefix = context.params.get("url"), context.params.get("prefix")
    return [name for name in run(_names(url, prefix or "bull")) if name.startswith(incomplete)]


async def _names(url: str | None, prefix: str) -> list[str]:
    try:
        async with asyncio.timeout(PATIENCE):
            return await queue_names(server_url(url), prefix)
    except (TorilError, TimeoutError):
        return []  # a shell has no place for an error here
