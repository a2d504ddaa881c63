"""The way of a live notification from the process that emits to those that serve screens."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from valkey.asyncio import Valkey

import toril
from insightdesk.realtime.server import create_server


@pytest.mark.slow
async def test_a_server_listens_on_however_long_nothing_happens(tmp_path: Path) -> None:
    """A subscription made anew is deaf in between: the client's own default for a read is 5 s."""
    with toril.embedded(tmp_path) as url:
        server = create_server(url)
        server.manager.initialize()
        async with Valkey.from_url(url) as client:
            async with asyncio.timeout(10):
                while not (first := await client.client_list("pubsub")):
                    await asyncio.sleep(0.01)
            await asyncio.sleep(5.5)
            assert [one["id"] for one in await client.client_list("pubsub")] == [one["id"] for one in first]
        server.manager.thread.cancel()
        await server.manager.thread
        await server.manager.redis.aclose()
