"""A part of a worker fails in a way that nobody has thought of: the worker ends with the error."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import toril
from toril.storage.lifeline import Lifeline
from toril.worker.executor import Executor

from ..deployment.certificates import Authority
from ..deployment.proxy import Proxy


@pytest.fixture
async def secured(valkey_url: str, tmp_path: Path) -> AsyncIterator[tuple[Proxy, Path, str]]:
    """A server with TLS, the file of its authority, and its URL."""
    authority = Authority(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.certificate("localhost"))
    async with Proxy(urlsplit(valkey_url).port or 0, context) as proxy:
        yield proxy, authority.ca, f"valkeys://localhost:{proxy.port}/0?tls_ca={authority.ca}"


async def test_a_worker_without_its_keeper_ends(secured: tuple[Proxy, Path, str], queue: toril.Queue) -> None:
    """The certificates are away at the moment at which the thread that renews locks connects anew."""
    proxy, authority, url = secured
    begun = asyncio.Event()

    async def held(job: toril.Job) -> None:
        begun.set()
        await asyncio.Event().wait()

    worker = toril.Worker(queue.name, held, url=url, lock_duration=0.6, death_after=0.4, drain_timeout=0.1)
    task = asyncio.create_task(worker.run(handle_signals=False))
    await queue.add("x")
    await asyncio.wait_for(begun.wait(), 10)
    authority.rename(authority.with_suffix(".away"))
    assert proxy.cut("toril-keeper")
    with pytest.raises(toril.InvalidOption, match="cannot be used"):
        await asyncio.wait_for(task, 10)


async def test_a_worker_whose_keeper_cannot_begin_ends(
    queue: toril.Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Lifeline, *args: object) -> None:
        raise toril.InvalidOption("no such thing")

    async def handler(job: toril.Job) -> None: ...

    monkeypatch.setattr(Lifeline, "beat", broken)
    worker = toril.Worker(queue.name, handler, url=queue.url)
    with pytest.raises(toril.InvalidOption, match="no such thing"):
        await asyncio.wait_for(worker.run(handle_signals=False), 10)


async def test_a_worker_that_cannot_say_how_a_run_ended_ends(
    queue: toril.Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is not held for ever by a worker that does not run it: its lock ends."""

    async def broken(self: Executor, *args: object) -> None:
        raise ZeroDivisionError("of our own making")

    async def handler(job: toril.Job) -> None: ...

    monkeypatch.setattr(Executor, "run", broken)
    worker = toril.Worker(queue.name, handler, url=queue.url)
    task = asyncio.create_task(worker.run(handle_signals=False))
    await queue.add("x")
    with pytest.raises(ZeroDivisionError, match="of our own making"):
        await asyncio.wait_for(task, 10)
