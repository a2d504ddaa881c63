"""One real Valkey a session; a queue of its own for each test. Nothing is ever flushed."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

import toril


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    with toril.embedded() as url:
        yield url


@pytest.fixture
def queue_name(request: pytest.FixtureRequest) -> str:
    return f"{request.node.originalname}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
async def queue(valkey_url: str, queue_name: str) -> AsyncIterator[toril.Queue]:
    async with toril.Queue(queue_name, valkey_url) as made:
        yield made
