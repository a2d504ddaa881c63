"""What the tests of processes share."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType

import pytest

import toril

Running = Callable[..., contextlib.AbstractAsyncContextManager[toril.Worker]]


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("cpu_handlers")


async def until(condition: Callable[[], Awaitable[bool] | bool], limit: float = 20.0) -> None:
    """Poll until it is so; fails after `limit` seconds."""
    async with asyncio.timeout(limit):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Whether no process of this id runs any more (one that nobody has waited for is gone too)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # the latter between opening and reading
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def wait_gone(pid: int, limit: float = 10.0) -> None:
    deadline = time.monotonic() + limit
    while not is_gone(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return not is_gone(pid)
    return False
