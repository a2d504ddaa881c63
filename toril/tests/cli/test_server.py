"""`toril server`: a real Valkey for a terminal of one's own."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import toril
from toril.embedded import free_port

from .conftest import TORIL


@contextlib.asynccontextmanager
async def serving(*options: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The command and the URL that it tells."""
    process = await asyncio.create_subprocess_exec(
        *TORIL, "server", *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(20):
            assert process.stdout is not None
            yield process, (await process.stdout.readline()).decode().split()[2].rstrip(",")
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_serves_until_it_is_told_to_end_and_keeps_what_it_is_to_keep(
    tmp_path: Path, number: signal.Signals
) -> None:
    options = ("--port", str(free_port()), "--data-dir", str(tmp_path / "data"))
    for known in (0, 1):
        async with serving(*options) as (process, url):
            async with toril.Queue("email", url) as queue:
                assert await queue.count() == known
                await queue.add("welcome")
            process.send_signal(number)
            assert await process.wait() == 0
        async with toril.Queue("email", url) as queue:
            with pytest.raises(toril.ConnectionFailed):
                await queue.count()


async def test_it_tells_that_its_port_is_taken(valkey_url: str) -> None:
    port = valkey_url.rpartition(":")[2].partition("/")[0]
    process = await asyncio.create_subprocess_exec(
        *TORIL, "server", "--port", port, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    _, told = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    assert told.decode().startswith("toril: the embedded Valkey did not start on port")
    assert len(told.splitlines()) == 1


async def test_it_ends_when_its_server_does() -> None:
    async with serving("--port", str(free_port())) as (process, url):
        async with toril.Queue("email", url) as queue:
            with contextlib.suppress(toril.ConnectionFailed):
                await queue.store.connection.call("SHUTDOWN", "NOSAVE")
        _, told = await asyncio.wait_for(process.communicate(), 20)
        assert (process.returncode, told.decode()) == (
            1,
            "toril: the server has ended by itself; its log is in its folder\n",
        )
