"""Queues and recorders of a test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import toril
from insightdesk.database import database, new_id
from insightdesk.dead_letters.recorder import QueueRecorder


@pytest.fixture
async def queue(db: None, valkey_url: str) -> AsyncIterator[toril.Queue]:
    """A queue of the test's own."""
    async with toril.Queue(f"q-{new_id()}", valkey_url) as opened:
        yield opened


@pytest.fixture
async def recorder(queue: toril.Queue, valkey_url: str) -> QueueRecorder:
    """The queue's recorder, for single passes."""
    return QueueRecorder(database(), queue.name, valkey_url)
