"""PostgreSQL fails a job or a request in its middle: tried again, or told; never half done (H2)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from desks import Desk
from queries import staged
from sqlalchemy import select, text

from insightdesk.accounts.models import Role
from insightdesk.database import new_id, transaction
from insightdesk.kit import clock
from insightdesk.tickets import service as tickets
from insightdesk.tickets.models import Ticket, TicketStatus
from insightdesk.tickets.schemas import TicketInput, TicketPatch
from insightdesk.worker import app
from toril import testing

FAILURES = {
    "a deadlock": "40P01",
    "a serialization failure": "40001",
    "a full disk": "53100",
    "a server that shuts down": "57P01",
}


async def resolved_ticket(desk: Desk) -> str:
    """A ticket that a job may close."""
    now = clock.now()
    wanted = TicketInput(subject="Help", body="Please", customer_id=desk.customer.user_id)
    async with transaction() as session:
        ticket = await tickets.create_ticket(session, desk.agent, wanted, now)
        await tickets.update_ticket(
            session, desk.agent, ticket.id, TicketPatch(status=TicketStatus.RESOLVED), now
        )
    return ticket.id


async def status_of(ticket_id: str) -> TicketStatus:
    async with transaction() as session:
        return (await session.scalars(select(Ticket.status).where(Ticket.id == ticket_id))).one()


@asynccontextmanager
async def failing_once(ticket_id: str, sqlstate: str) -> AsyncIterator[None]:
    """PostgreSQL itself fails the first transaction that changes the ticket, when it is about to commit."""
    name = f"fault_{new_id().replace('-', '')}"
    # A sequence is not rolled back, so it tells the first from the rest.
    make = (
        f"CREATE SEQUENCE {name}",
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN"
        f" IF nextval('{name}') = 1 THEN RAISE EXCEPTION 'failed by a test' USING ERRCODE = '{sqlstate}';"
        " END IF; RETURN NULL; END $$",
        f"CREATE CONSTRAINT TRIGGER {name} AFTER UPDATE ON tickets DEFERRABLE INITIALLY DEFERRED"
        f" FOR EACH ROW WHEN (NEW.id = '{ticket_id}') EXECUTE FUNCTION {name}()",
    )
    undo = (f"DROP TRIGGER {name} ON tickets", f"DROP FUNCTION {name}", f"DROP SEQUENCE {name}")
    async with transaction() as session:
        for statement in make:
            await session.execute(text(statement))
    try:
        yield
    finally:
        async with transaction() as session:
            for statement in undo:
                await session.execute(text(statement))


async def close_by_job(ticket_id: str, valkey_url: str) -> int:
    """Let a job close the ticket; returns how many runs have failed."""
    async with testing.manual(app, url=valkey_url) as manual:
        data = {"ticketId": ticket_id, "reason": "spam"}
        job = await app.queue("ticket-actions").add("auto-close", data, attempts=3, backoff=0.01)
        done = await manual.drain(["ticket-actions"], with_delayed=True)
        assert (done.completed, done.failed) == (1, 0)
        assert await job.wait(timeout=1) is True
        return done.retried


@pytest.mark.parametrize("sqlstate", FAILURES.values(), ids=FAILURES)
async def test_a_job_that_the_database_fails_is_tried_again_and_tells_once(
    sqlstate: str, desk: Desk, valkey_url: str
) -> None:
    ticket = await resolved_ticket(desk)
    async with failing_once(ticket, sqlstate):
        assert await close_by_job(ticket, valkey_url) == 1
    assert await status_of(ticket) is TicketStatus.CLOSED
    told = await staged("ticket-notification", ticketId=ticket, type="ticket_closed")
    assert [each["recipientId"] for each in told] == [desk.customer.user_id]


async def test_a_job_whose_connection_is_cut_is_tried_again_and_tells_once(
    desk: Desk, valkey_url: str
) -> None:
    ticket = await resolved_ticket(desk)

    held = asyncio.Event()

    async def cut() -> None:
        """While the job waits for a row, its server process is ended."""
        ended = text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE :holder = ANY (pg_blocking_pids(pid))"
        )
        deadline = time.monotonic() + 20
        async with transaction() as holding:
            await holding.execute(select(Ticket).where(Ticket.id == ticket).with_for_update())
            holder = await holding.scalar(text("SELECT pg_backend_pid()"))
            held.set()
            while True:
                # A transaction sees the same activity from its beginning to its end.
                async with transaction() as session:
                    if (await session.execute(ended, {"holder": holder})).all():
                        return
                assert time.monotonic() < deadline, "no job waits for the row"
                await asyncio.sleep(0.02)

    cutting = asyncio.create_task(cut())
    await held.wait()
    assert await close_by_job(ticket, valkey_url) >= 1
    await cutting
    assert await status_of(ticket) is TicketStatus.CLOSED
    assert len(await staged("ticket-notification", ticketId=ticket, type="ticket_closed")) == 1


@pytest.mark.parametrize("sqlstate", FAILURES.values(), ids=FAILURES)
async def test_a_request_that_the_database_fails_is_told_503_and_has_done_nothing(
    sqlstate: str, desk: Desk, api: httpx.AsyncClient
) -> None:
    ticket = await resolved_ticket(desk)
    async with failing_once(ticket, sqlstate):
        path, headers = f"/api/tickets/{ticket}", desk.headers(Role.AGENT)
        answer = await api.patch(path, json={"status": "closed"}, headers=headers)
        assert (answer.status_code, answer.json()["success"]) == (503, False)
        assert await status_of(ticket) is TicketStatus.RESOLVED
        assert await staged("ticket-notification", ticketId=ticket, type="ticket_closed") == []
        again = await api.patch(path, json={"status": "closed"}, headers=headers)
        assert again.status_code == 200
    assert len(await staged("ticket-notification", ticketId=ticket, type="ticket_closed")) == 1
