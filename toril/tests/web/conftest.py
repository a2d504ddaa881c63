"""A dashboard of the test's own queue."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from toril.web import Dashboard, Identity

from .browsers import Browser, Browsing


@pytest.fixture
def browsing(valkey_url: str, queue_name: str) -> Browsing:
    """`async with browsing(read_only=True) as browser`: a dashboard of the test's queue."""

    @asynccontextmanager
    async def browse(**options: object) -> AsyncIterator[Browser]:
        given = {"authorize": lambda request: Identity("ann"), "queues": [queue_name], **options}
        async with Dashboard(valkey_url, **given) as dashboard:  # type: ignore[arg-type]
            transport = httpx.ASGITransport(dashboard)
            async with Browser(transport=transport, base_url="http://jobs.test") as browser:
                yield browser

    return browse


@pytest.fixture
async def browser(browsing: Browsing) -> AsyncIterator[Browser]:
    async with browsing() as made:
        yield made
