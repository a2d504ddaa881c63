"""`toril dashboard`, as a user calls it."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

import toril


@asynccontextmanager
async def command(
    url: str, *options: str, **env: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The command, and the address that it tells."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "toril.cli", "dashboard", "--port", "0", "--url", url, *options),
        env=env,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(20):
            told = (await process.stderr.readline()).decode()
        found = re.fullmatch(r"dashboard: (http://\S+)\n", told)
        assert found is not None, told
        yield process, found[1]
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()


async def test_it_serves_this_machine_and_ends_at_once_although_a_page_is_open(
    valkey_url: str, queue: toril.Queue
) -> None:
    await queue.add("x")
    options = ("--queue", queue.name, "--read-only")
    async with (
        command(valkey_url, *options) as (process, address),
        httpx.AsyncClient(base_url=address) as client,
    ):
        page = await client.get("/")
        assert queue.name in page.text
        assert "read only" in page.text
        assert (await client.get("/", headers={"host": "evil.test"})).status_code == 421
        async with client.stream("GET", "/events") as live:
            async with asyncio.timeout(20):
                async for line in live.aiter_lines():
                    if line.startswith("data: "):
                        break
                process.send_signal(signal.SIGINT)
                await process.wait()
    assert process.returncode == 0


async def test_other_machines_need_a_login(valkey_url: str, queue: toril.Queue) -> None:
    await queue.add("x")
    login = {"TORIL_DASHBOARD_LOGIN": "ann:pass word:ü"}
    options = ("--queue", queue.name, "--host", "0.0.0.0")
    async with command(valkey_url, *options, **login) as (_, address), httpx.AsyncClient() as client:
        here = address.replace("0.0.0.0", "127.0.0.1")
        refused = await client.get(here)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Basic ")
        for user, password in (("ann", "x"), ("bob", "pass word:ü"), ("", "")):
            assert (await client.get(here, auth=httpx.BasicAuth(user, password))).status_code == 401
        for wrong in ("Basic !", "Bearer x", "Basic"):
            assert (await client.get(here, headers={"authorization": wrong})).status_code == 401
        page = await client.get(here, auth=httpx.BasicAuth("ann", "pass word:ü"))
        assert page.status_code == 200
        assert "ann" in page.text


async def refusal(*options: str, **env: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "toril.cli", "dashboard", *options), env=env, stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()
    return process.returncode, told.decode()


async def test_it_is_not_open_to_everybody() -> None:
    code, told = await refusal("--host", "0.0.0.0")
    assert code != 0
    assert "set TORIL_DASHBOARD_LOGIN=name:password" in told
    code, told = await refusal(TORIL_DASHBOARD_LOGIN="ann")
    assert code != 0
    assert "of the form name:password" in told
