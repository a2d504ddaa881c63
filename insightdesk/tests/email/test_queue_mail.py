"""A feature's mail is part of its transaction, once a key, and of one organization."""

from __future__ import annotations

import pytest
from desks import Desk
from sqlalchemy import func, select, text

from insightdesk.database import transaction
from insightdesk.email.delivery import deliver
from insightdesk.email.models import Delivery, DeliveryState
from insightdesk.email.registry import UnknownTemplate
from insightdesk.email.rendering import InvalidData
from insightdesk.email.service import queue_mail


async def queue(desk: Desk, key: str, *, fail: bool = False) -> None:
    async with transaction() as session:
        await queue_mail(
            session,
            organization_id=desk.organization_id,
            recipient=desk.agent.email,
            template="welcome",
            data={"name": "Ann"},
            key=key,
            user_id=desk.agent.user_id,
        )
        if fail:
            raise RuntimeError("rolled back")


async def counts(desk: Desk) -> tuple[int, int]:
    """Deliveries of the organization, and their jobs in the outbox."""
    async with transaction() as session:
        mails = await session.scalar(
            select(func.count()).where(Delivery.organization_id == desk.organization_id)
        )
        jobs = await session.scalar(
            text(
                "SELECT count(*) FROM toril_outbox JOIN deliveries d ON data->>'deliveryId' = d.id "
                "WHERE name = 'deliver' AND d.organization_id = :id"
            ),
            {"id": desk.organization_id},
        )
    return mails or 0, jobs or 0


async def test_one_key_is_one_mail(desk: Desk) -> None:
    await queue(desk, "k")
    await queue(desk, "k")
    assert await counts(desk) == (1, 1)


async def test_a_key_belongs_to_its_organization(desk: Desk, other_desk: Desk) -> None:
    await queue(desk, "k")
    await queue(other_desk, "k")
    assert await counts(desk) == await counts(other_desk) == (1, 1)


async def test_nothing_leaves_when_the_transaction_is_rolled_back(desk: Desk) -> None:
    with pytest.raises(RuntimeError):
        await queue(desk, "k", fail=True)
    assert await counts(desk) == (0, 0)


async def test_the_job_sends_it(desk: Desk) -> None:
    await queue(desk, "k")
    async with transaction() as session:
        mail = (
            await session.scalars(select(Delivery).where(Delivery.organization_id == desk.organization_id))
        ).one()
    assert mail.state is DeliveryState.QUEUED
    await deliver(mail.id)
    async with transaction() as session:
        state = await session.scalar(select(Delivery.state).where(Delivery.id == mail.id))
    assert state is DeliveryState.SENT


@pytest.mark.parametrize(("template", "wrong"), [("nonsense", UnknownTemplate), ("welcome", InvalidData)])
async def test_bad_input_is_told_at_the_call(desk: Desk, template: str, wrong: type[Exception]) -> None:
    with pytest.raises(wrong):
        async with transaction() as session:
            await queue_mail(
                session,
                organization_id=desk.organization_id,
                recipient=desk.agent.email,
                template=template,
                data={},
                key="k",
            )
    assert await counts(desk) == (0, 0)
