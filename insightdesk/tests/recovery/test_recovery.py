"""What the database wants done is done, though the queues' server lost every job: once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import valkey.asyncio as valkey
from databases import migrated_database
from desks import Desk
from promises import MINUTE, clocks, open_ticket
from queries import counted, staged
from sqlalchemy import insert, select

from insightdesk.accounts import service as accounts
from insightdesk.accounts.models import Role
from insightdesk.database import database, new_id, transaction
from insightdesk.email import service as email
from insightdesk.email.models import Delivery, DeliveryState
from insightdesk.kit import clock
from insightdesk.recovery.jobs import recover_lost_jobs
from insightdesk.reports.exports import service as exports
from insightdesk.reports.exports.models import Export, ExportState
from insightdesk.reports.exports.schemas import ExportInput
from insightdesk.retention import erasure
from insightdesk.retention.models import ErasureReceipt
from insightdesk.schedules import SCHEDULES, keep
from insightdesk.settings import get_settings
from insightdesk.sla import service
from insightdesk.sla.models import Metric
from insightdesk.tickets import service as tickets
from insightdesk.tickets.models import Priority
from insightdesk.tickets.schemas import MessageInput, TicketInput
from insightdesk.worker import app
from toril import outbox, testing

pytestmark = pytest.mark.usefixtures("quiet_database")

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def quiet_database_url(postgres_url: str) -> Iterator[str]:
    """A database of this module's own: what other tests have left there unsent would be found too."""
    with migrated_database(postgres_url) as url:
        yield url


@pytest.fixture
async def queues(db: None, valkey_url: str) -> AsyncIterator[testing.Manual]:
    """All queues of the helpdesk, for this test alone."""
    async with testing.manual(app, url=valkey_url) as manual:
        yield manual


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quiet_database: None) -> None:
    monkeypatch.setenv("INSIGHTDESK_STORAGE_URL", f"file://{tmp_path}/files")
    get_settings.cache_clear()


async def relay() -> None:
    """Move what is staged into the queues."""
    moving = outbox.OutboxRelay(database().engine, url=app.url, prefix=app.prefix)
    while await moving.run_once():
        pass
    await moving.close()


async def lose_everything() -> None:
    """What a server without persistence does when it restarts."""
    await relay()
    async with valkey.Valkey.from_url(app.url) as client:
        await client.delete(*[key async for key in client.scan_iter(f"{app.prefix}:*", count=1000)])


async def go_on(queues: testing.Manual) -> None:
    """Move what is staged, and run it with all that follows."""
    while True:
        await relay()
        done = await queues.drain(with_delayed=True)
        if not done.completed + done.failed:
            return


async def mails_to(desk: Desk, template: str) -> list[Delivery]:
    async with transaction() as session:
        rows = await session.scalars(
            select(Delivery)
            .where(Delivery.organization_id == desk.organization_id, Delivery.template == template)
            .order_by(Delivery.id)
        )
        return list(rows)


async def queue_mail(desk: Desk) -> None:
    async with transaction() as session:
        await email.queue_mail(
            session, organization_id=desk.organization_id, recipient=desk.agent.email, template="welcome",
            data={"name": "Ann"}, key=new_id(), user_id=desk.agent.user_id,
        )  # fmt: skip


async def test_a_mail_whose_job_is_lost_is_sent_once(desk: Desk, queues: testing.Manual) -> None:
    await queue_mail(desk)
    await lose_everything()
    now = clock.now()
    assert await email.recover(database(), now) == 0  # it may be on its way
    # However many look, and however often.
    found = await asyncio.gather(*(email.recover(database(), now + HOUR) for _ in range(3)))
    assert sum(found) >= 1
    await relay()
    assert await email.recover(database(), now + 3 * HOUR) == 0  # it waits in the queue now
    assert (await app.queue("email").get_job_counts())["prioritized"] == 1
    await go_on(queues)
    [mail] = await mails_to(desk, "welcome")
    assert (mail.state, mail.attempts) == (DeliveryState.SENT, 1)
    assert await email.recover(database(), now + 6 * HOUR) == 0


async def test_a_mail_that_was_being_sent_is_taken_up_by_its_rules(
    desk: Desk, queues: testing.Manual
) -> None:
    await queue_mail(desk)
    await lose_everything()
    [mail] = await mails_to(desk, "welcome")
    async with transaction() as session:
        taken = await session.get_one(Delivery, mail.id)
        taken.state, taken.attempts, taken.provider = DeliveryState.SENDING, 1, "local"
        taken.handed_over_at = clock.now() - HOUR
    assert await email.recover(database(), clock.now() + HOUR) == 1
    await go_on(queues)
    [mail] = await mails_to(desk, "welcome")
    assert (mail.state, mail.attempts) == (DeliveryState.SENT, 2)


async def test_what_a_window_has_kept_is_told(
    desk: Desk, queues: testing.Manual, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with transaction() as session:
        wanted = TicketInput(
            subject="Printer",
            body="It burns",
            assignee_id=desk.agent.user_id,
            customer_id=desk.customer.user_id,
        )
        ticket = await tickets.create_ticket(session, desk.admin, wanted, clock.now())
    for body in ("one", "two", "three"):
        async with transaction() as session:
            message = MessageInput(body=body)
            await tickets.add_message(session, desk.customer, ticket.id, message, clock.now())
    await relay()
    await queues.drain()  # the first is told, the rest wait for the window's end
    await lose_everything()
    assert len(await mails_to(desk, "new_message")) == 1
    later = clock.now() + HOUR
    monkeypatch.setattr(clock, "now", lambda: later)
    assert await email.recover(database(), later) == 1
    await go_on(queues)
    told = await mails_to(desk, "new_message")
    assert len(told) == 2
    assert all(mail.state is DeliveryState.SENT for mail in told)
    assert [text in told[1].text for text in ("one", "two", "three")] == [False, True, True]


async def test_an_export_whose_job_is_lost_is_made(desk: Desk, files: None, queues: testing.Manual) -> None:
    async with transaction() as session:
        wanted = ExportInput.model_validate({"reportType": "tickets"})
        export = await exports.request_export(session, desk.agent, wanted, clock.now())
    await lose_everything()
    assert await exports.recover(database(), clock.now()) == 0
    assert await exports.recover(database(), clock.now() + HOUR) == 1
    await relay()
    assert await exports.recover(database(), clock.now() + HOUR) == 0
    await go_on(queues)
    async with transaction() as session:
        assert (await session.get_one(Export, export.id)).state is ExportState.DONE
    assert len(await mails_to(desk, "report_ready")) == 1


async def test_an_erasure_whose_job_is_lost_is_completed(desk: Desk, queues: testing.Manual) -> None:
    async with transaction() as session:
        ann = await accounts.create_user(
            session, desk.organization_id, f"ann@{new_id()}.example", "Ann", Role.CUSTOMER
        )
    async with transaction() as session:
        receipt = await erasure.erase(session, desk.organization_id, ann.id, clock.now(), actor=desk.admin)
    await lose_everything()
    assert await erasure.recover(database(), clock.now() + HOUR) == 1
    await go_on(queues)
    async with transaction() as session:
        assert (await session.get_one(ErasureReceipt, receipt.id)).completed_at is not None
    assert await erasure.recover(database(), clock.now() + HOUR) == 0


async def test_clocks_follow_a_change_whose_job_is_lost(desk: Desk, queues: testing.Manual) -> None:
    now = clock.now()
    ticket = await open_ticket(desk, now)
    async with transaction() as session:
        await service.set_target(
            session, desk.organization_id, Priority.NORMAL, first_response_minutes=30, resolution_minutes=90
        )
    await lose_everything()

    async def recomputing() -> int:
        return len(await staged("recompute", organizationId=desk.organization_id))

    await service.recover(database(), clock.now())
    assert await recomputing() == 0  # it may be on its way
    for _ in range(2):
        await service.recover(database(), clock.now() + HOUR)
        assert await recomputing() == 1
    await relay()
    await queues.drain(["sla-check"])
    assert (await clocks(ticket))[Metric.RESOLUTION].due_at == now + 90 * MINUTE
    await service.recover(database(), clock.now() + 3 * HOUR)
    assert await recomputing() == 0


async def queued_mails(desk: Desk, count: int, at: datetime) -> None:
    rows = [
        {
            "id": (mail := new_id()), "organization_id": desk.organization_id, "recipient": desk.agent.email,
            "template": "generic", "subject": "s", "html": "h", "text": "t", "state": DeliveryState.QUEUED,
            "idempotency_key": mail, "message_id": mail, "attempts": 0, "created_at": at,
            "looked_for_at": at,
        }
        for _ in range(count)
    ]  # fmt: skip
    async with transaction() as session:
        await session.execute(insert(Delivery), rows)


async def test_a_look_for_many_makes_no_more_statements_than_one_for_few(
    desk: Desk, queues: testing.Manual
) -> None:
    now = clock.now()
    statements = []
    for count in (3, 300):
        await queued_mails(desk, count, now - HOUR)
        async with counted() as sent:
            assert await email.recover(database(), now) == count
        statements.append(len(sent))
    assert statements[0] == statements[1]


async def test_the_job_tells_what_it_found(
    desk: Desk, queues: testing.Manual, monkeypatch: pytest.MonkeyPatch
) -> None:
    await queue_mail(desk)
    await lose_everything()
    later = clock.now() + HOUR
    monkeypatch.setattr(clock, "now", lambda: later)
    found = await recover_lost_jobs()
    assert found["mails"] >= 1  # other tests' mails lie there too
    assert found.keys() == {"mails", "exports", "erasures", "promises"}
    assert (await recover_lost_jobs())["mails"] == 0


async def test_lost_schedules_are_put_in_place_again(queues: testing.Manual) -> None:
    await app.apply_schedules()
    await lose_everything()
    keeping = asyncio.create_task(keep(app, interval=0.01))
    names = {schedule.queue for schedule in SCHEDULES}
    async with asyncio.timeout(10):
        while sum([await app.queue(name).get_job_schedulers_count() for name in names]) < len(SCHEDULES):
            await asyncio.sleep(0.02)
    keeping.cancel()
