"""Looking at what a transaction did: the jobs that it staged, and the statements that it took."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event, text

from insightdesk.database import database, transaction


async def staged(name: str, **fields: str) -> list[dict[str, Any]]:
    """Payloads of the outbox's jobs of this name whose text fields are these, in the order of staging."""
    conditions = "".join(f" AND data->>'{field}' = :{field}" for field in fields)
    async with transaction() as session:
        rows = await session.execute(
            text(f"SELECT data FROM toril_outbox WHERE name = :name{conditions} ORDER BY id"),
            {"name": name, **fields},
        )
        return [row.data for row in rows]


@asynccontextmanager
async def counted() -> AsyncIterator[list[str]]:
    """The statements that the process's database is sent within the block."""
    engine = database().engine.sync_engine
    sent: list[str] = []

    def note(_c: object, _u: object, statement: str, _p: object, _x: object, _m: object) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)
