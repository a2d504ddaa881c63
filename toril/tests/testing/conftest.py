"""An application whose jobs the modes run."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

import toril


@dataclass
class Shop:
    """An application, its declared jobs, and what they were called with."""

    app: toril.Toril
    welcome: Any
    order: Any
    flaky: Any
    nested: Any
    calls: list[tuple[str, object]] = field(default_factory=list)


@pytest.fixture
async def shop(valkey_url: str) -> AsyncIterator[Shop]:
    app = toril.Toril(valkey_url, prefix=f"never-{uuid.uuid4().hex[:8]}")

    @app.job("email", name="welcome")
    async def welcome(user_id: str, full_name: str = "Ann", *, tags: list[str] | None = None) -> str:
        made.calls.append(("welcome", user_id))
        return f"Welcome, {full_name}!"

    @app.job("orders", priority=3)
    def order(number: int) -> int:
        made.calls.append(("order", number))
        if number < 0:
            raise toril.Fail(f"no order {number}")
        return number

    @app.job("orders", attempts=3, backoff=3600.0)
    async def flaky(job: toril.JobContext, good_run: int) -> int:
        made.calls.append(("flaky", job.attempts_made))
        await job.log(f"run {job.attempts_started}")
        await job.update_progress(job.attempts_started)
        if job.attempts_started < good_run:
            raise ValueError(f"run {job.attempts_started}")
        return job.attempts_started

    @app.job("nested")
    async def nested(depth: int) -> None:
        made.calls.append(("nested", depth))
        if depth:
            await nested.enqueue(depth=depth - 1)
        else:
            await welcome.enqueue(user_id="deep")

    made = Shop(app, welcome, order, flaky, nested)
    yield made
    await app.close()
