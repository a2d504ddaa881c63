"""A Node process with BullMQ, driven over its standard input."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

FOLDER = Path(__file__).parents[3] / "tests" / "node"


class Node:
    """Calls verbs of tests/node/driver.mjs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            answer = json.loads(line)
            future = self._waiting.pop(answer["id"])
            if "error" in answer:
                future.set_exception(AssertionError(answer["error"]))
            else:
                future.set_result(answer["ok"])
        for future in self._waiting.values():
            future.set_exception(AssertionError("the Node process has ended"))

    async def __call__(self, verb: str, queue: str | None = None, **args: Any) -> Any:
        assert self._process.stdin is not None
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        line = json.dumps({"id": number, "verb": verb, "name": queue, **args})
        self._process.stdin.write(line.encode() + b"\n")
        async with asyncio.timeout(20):
            return await future

    async def close(self) -> None:
        await self("close")
        await self._process.wait()
        await self._reader


@pytest.fixture(scope="session")
def node_packages() -> None:
    """Skip what needs Node where it or the packages of tests/node are missing; on CI that is a failure."""
    if not shutil.which("node") or not (FOLDER / "node_modules" / "bullmq").is_dir():
        message = "Node or its packages are missing: cd tests/node && npm install"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)


@contextlib.asynccontextmanager
async def driving(*arguments: str) -> AsyncIterator[Node]:
    """Run the driver while the block runs; its arguments are told in driver.mjs."""
    process = await asyncio.create_subprocess_exec(
        "node",
        "driver.mjs",
        *arguments,
        cwd=FOLDER,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    driver = Node(process)
    try:
        yield driver
    finally:
        await driver.close()


@pytest.fixture
async def node(valkey_url: str, node_packages: None) -> AsyncIterator[Node]:
    async with driving(str(urlsplit(valkey_url).port)) as driver:
        yield driver
