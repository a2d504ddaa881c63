"""The brief's producers: Node's own BullMQ, with the options that the brief has."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from insightdesk.database import database, new_id
from insightdesk.worker import app
from toril import outbox

FOLDER = Path(__file__).parents[2] / "tests" / "node"

# The presets of the brief (section "Retry Configuration").
HIGH = {"attempts": 5, "backoff": {"type": "exponential", "delay": 30_000}, "priority": 1}
MEDIUM = {"attempts": 3, "backoff": {"type": "exponential", "delay": 60_000}, "priority": 5}
LOW = {"attempts": 2, "backoff": {"type": "exponential", "delay": 300_000}, "priority": 10}
EMAIL = {**HIGH, "removeOnComplete": {"age": 3600}, "removeOnFail": {"age": 86_400}}
REPORT = {**LOW, "removeOnComplete": {"age": 14_400}}


async def call(*calls: tuple[Any, ...]) -> list[str]:
    """Let Node make these calls to the application's queues: (queue, method, arguments…).

    Returns:
        The id of the job that each has made.
    """
    if not shutil.which("node") or not (FOLDER / "node_modules" / "bullmq").is_dir():
        message = "Node or its packages are missing: cd tests/node && npm install"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    process = await asyncio.create_subprocess_exec(
        "node",
        "producer.mjs",
        str(urlsplit(app.url).port),
        app.prefix,
        json.dumps(calls),
        cwd=FOLDER,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        output, _ = await process.communicate()
    ids: list[str] = json.loads(output)
    return ids


@contextlib.asynccontextmanager
async def working(limits: Mapping[str, int]) -> AsyncIterator[None]:
    """Workers, and the outbox's relay, of queues that no other test knows."""
    with app.redirected(app.url, prefix=f"node-{new_id()}"):
        relay = outbox.OutboxRelay(database().engine, url=app.url, prefix=app.prefix)
        relaying = asyncio.create_task(relay.run())
        async with app.worker_running(limits):
            yield
        relay.stop()
        await relaying
        await app.close()
