"""Tests of promises leave no mails behind for the workers of other tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from insightdesk.database import close_database, transaction


@pytest.fixture(autouse=True)
async def nothing_left_to_send(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Forget what the test staged: hundreds of breaches, each told to several people."""
    yield
    if "db" in request.fixturenames:
        async with transaction() as session:
            await session.execute(text("DELETE FROM toril_outbox"))
        await close_database()  # `db` has closed its own before
