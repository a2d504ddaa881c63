"""What the tests of mail share."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from desks import Desk
from sqlalchemy import select, update

from insightdesk.database import new_id, transaction
from insightdesk.email.models import Delivery
from insightdesk.email.service import queue_mail

sys.path.insert(0, str(Path(__file__).parent))

Reload = Callable[[str], Awaitable[Delivery]]


@pytest.fixture
def reload() -> Reload:
    """Reads a delivery anew."""

    async def read(delivery_id: str) -> Delivery:
        async with transaction() as session:
            return (await session.scalars(select(Delivery).where(Delivery.id == delivery_id))).one()

    return read


@pytest.fixture
def change() -> Callable[..., Awaitable[None]]:
    """Sets columns of a delivery, to bring about what a crash leaves behind."""

    async def write(delivery_id: str, **values: object) -> None:
        async with transaction() as session:
            await session.execute(update(Delivery).where(Delivery.id == delivery_id).values(**values))

    return write


@pytest.fixture
def staged(desk: Desk) -> Callable[..., Awaitable[str]]:
    """Queues a mail to the desk's agent, and returns the delivery's id."""

    async def stage(template: str = "welcome", **wanted: object) -> str:
        key = new_id()
        values: dict[str, object] = {
            "organization_id": desk.organization_id,
            "recipient": desk.agent.email,
            "template": template,
            "data": {"name": "Ann"},
            "key": key,
            "user_id": desk.agent.user_id,
            **wanted,
        }
        async with transaction() as session:
            await queue_mail(session, **values)  # type: ignore[arg-type]
            return (await session.scalars(select(Delivery.id).where(Delivery.idempotency_key == key))).one()

    return stage
