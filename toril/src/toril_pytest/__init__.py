"""Fixtures for tests of applications on toril; see docs/testing.md.

pytest loads this module in every run, so it stands beside the package `toril` and imports it only
when a fixture is used: a run without them costs nothing, and coverage sees all of `toril`.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from toril import EmbeddedServer, Queue, Toril
    from toril.testing import MovableClock

__all__ = [
    "toril_app",
    "toril_clock",
    "toril_prefix",
    "toril_queue",
    "toril_server",
    "toril_url",
]

try:  # anyio's plug-in takes coroutines as pytest's own fixtures
    from pytest_asyncio import fixture as _async_fixture
except ImportError:
    _async_fixture: Any = pytest.fixture  # type: ignore[no-redef]


@pytest.fixture(scope="session")
def toril_server() -> Iterator[EmbeddedServer]:
    """A real Valkey for the whole run, from the extra `toril[embedded]`."""
    from toril import EmbeddedServer

    with EmbeddedServer() as server:
        yield server


@pytest.fixture(scope="session")
def toril_url(request: pytest.FixtureRequest) -> str:
    """The server's URL: that of the environment's TORIL_TEST_URL, else of `toril_server`."""
    url = os.environ.get("TORIL_TEST_URL")
    if url is None:
        server: EmbeddedServer = request.getfixturevalue("toril_server")
        url = server.url
    return url


@pytest.fixture
def toril_prefix() -> str:
    """A prefix of keys that no other test has."""
    return f"test-{uuid.uuid4().hex[:12]}"


@_async_fixture
async def toril_queue(toril_url: str, toril_prefix: str) -> AsyncIterator[Queue]:
    """A queue of this test's own, removed at its end."""
    from toril import Queue

    async with Queue("test", toril_url, prefix=toril_prefix) as queue:
        yield queue
        await queue.pause()
        await queue.obliterate(force=True)


@_async_fixture
async def toril_app(toril_url: str, toril_prefix: str) -> AsyncIterator[Callable[[Toril], Toril]]:
    """Takes an application to the test's server and prefix: `app = toril_app(shop.app)`.

    At the test's end its queues are closed and removed, and it is as it was.
    """
    from toril.storage.discovery import queue_names

    async with contextlib.AsyncExitStack() as stack:

        def take(app: Toril) -> Toril:
            stack.enter_context(app.redirected(toril_url, prefix=toril_prefix))
            stack.push_async_callback(leave, app)
            return app

        async def leave(app: Toril) -> None:
            try:
                for name in await queue_names(app.url, app.prefix):
                    await app.queue(name).pause()
                    await app.queue(name).obliterate(force=True)
            finally:
                await app.close()

        yield take


@_async_fixture
async def toril_clock(toril_queue: Queue) -> AsyncIterator[MovableClock]:
    """The clock of `toril_queue`, which can be moved; an application's: `toril.testing.clock(app)`."""
    from toril import testing

    async with testing.clock(toril_queue) as clock:
        yield clock
