"""A person is erased: afterwards neither her name nor her address is in any table or any key of Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial

import httpx
import pytest
import valkey.asyncio as valkey
from desks import Desk
from queries import staged
from sqlalchemy import select, text

import toril
from insightdesk.accounts import service as accounts
from insightdesk.accounts import tokens
from insightdesk.accounts.models import Role, User
from insightdesk.cli.erase import erase_person
from insightdesk.cli.problems import Problem
from insightdesk.database import database, new_id, transaction
from insightdesk.email.models import Delivery, DeliveryState
from insightdesk.email.service import queue_mail
from insightdesk.kit import clock
from insightdesk.kit.errors import Invalid, NotFound
from insightdesk.realtime.models import Notification
from insightdesk.retention import erasure, service
from insightdesk.retention.jobs import erase_jobs
from insightdesk.retention.limits import Limits
from insightdesk.retention.models import ErasureReceipt
from insightdesk.tickets import service as tickets
from insightdesk.tickets.models import Message, Ticket
from insightdesk.tickets.schemas import MessageInput, TicketInput, TicketPatch
from insightdesk.worker import app
from toril import outbox, testing

pytestmark = pytest.mark.usefixtures("quiet_database")


@pytest.fixture
def now() -> datetime:
    return clock.now()


@pytest.fixture
async def queues(db: None, valkey_url: str) -> AsyncIterator[testing.Manual]:
    """All queues of the helpdesk, for this test alone."""
    async with testing.manual(app, url=valkey_url) as manual:
        yield manual


async def make_ann(desk: Desk, like: User | None = None) -> User:
    """A customer of a name and an address that nobody else has, or of another's."""
    mark = new_id()[-8:]
    name, address = (like.name, like.email) if like else (f"Ann Mc{mark}", f"ann.{mark}@customers.example")
    async with transaction() as session:
        return await accounts.create_user(
            session, desk.organization_id, address, name, Role.CUSTOMER, password="correct horse"
        )


async def fill(desk: Desk, ann: User, now: datetime) -> dict[str, str]:
    """Everything that a helpdesk comes to know of a person; returns the tickets' ids."""
    name, address, principal = ann.name, ann.email, accounts.Principal.of(ann)
    ids: dict[str, str] = {}
    async with transaction() as session:
        hers = await tickets.create_ticket(
            session, principal, TicketInput(subject=f"{name} cannot log in", body=f"I am {name}"), now
        )
        others = await tickets.create_ticket(
            session, desk.customer, TicketInput(subject=f"As {name.upper()} says", body=f"ask {address}"), now
        )
        await tickets.add_message(
            session, desk.agent, hers.id, MessageInput(body=f"Dear {name}, we wrote to <{address}>."), now
        )
        await tickets.add_message(
            session, desk.agent, others.id, MessageInput(body=f"{name} again", visibility="internal"), now
        )
        await tickets.add_message(session, principal, hers.id, MessageInput(body="My secret"), now)
        session.add(
            Notification(
                organization_id=desk.organization_id, user_id=ann.id, ticket_id=hers.id, action="created"
            )
        )
        mails = (address, ann.id), (f"{name} <{address}>", None), (desk.agent.email, None)
        for to, user_id in mails:
            await queue_mail(
                session, organization_id=desk.organization_id, recipient=to, template="generic", key=to,
                data={"subject": f"{name} wrote", "body": f"{name} <{address}>"}, user_id=user_id,
            )  # fmt: skip
        accounts.audit(session, desk.admin, "user.created", "user", ann.id, email=address, name=name)
        await tokens.issue(session, ann, now=now, name=f"of {name}", lifetime=None)
        ids |= {"hers": hers.id, "others": others.id}
    for subject, actor in ((f"Old: {name}", principal), ("Old too", desk.customer)):
        async with transaction() as session:
            old = await tickets.create_ticket(session, actor, TicketInput(subject=subject, body=name), now)
            await tickets.add_message(session, desk.agent, old.id, MessageInput(body=f"Hello {name}"), now)
            await tickets.update_ticket(session, desk.agent, old.id, TicketPatch(status="closed"), now)
            await service.set_limits(session, desk.admin, Limits(archive_after_days=1))
    async with transaction() as session:
        await session.execute(
            text("UPDATE tickets SET closed_at = closed_at - interval '30 days' WHERE closed_at IS NOT NULL")
        )
    await service.run(database(), now)
    return ids


async def tables_naming(*words: str) -> dict[str, int]:
    """Each table with a row in which one of the words stands, and how many rows."""
    found: dict[str, int] = {}
    async with transaction() as session:
        names = await session.scalars(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        )
        for table in names:
            for word in words:
                query = text(f"SELECT count(*) FROM {table} AS t WHERE t::text ILIKE :word")
                count = await session.scalar(query, {"word": f"%{word}%"})
                if count:
                    found[table] = found.get(table, 0) + count
    return found


async def keys_naming(url: str, *words: str) -> set[str]:
    """Each key of the server in whose name or content one of the words stands."""
    found = set()
    async with valkey.Valkey.from_url(url) as client:
        read = {
            b"string": client.get,
            b"hash": client.hgetall,
            b"list": partial(client.lrange, start=0, end=-1),
            b"set": client.smembers,
            b"zset": partial(client.zrange, start=0, end=-1),
            b"stream": client.xrange,
        }
        async for key in client.scan_iter(count=1000):
            kind = await client.type(key)
            if kind == b"none":  # it has expired since it was listed
                continue
            content = await read[kind](key)
            written = f"{key!r} {content!r}".lower()
            if any(word.lower() in written for word in words):
                found.add(key.decode())
    return found


async def relay_all(url: str) -> None:
    relay = outbox.OutboxRelay(database().engine, url=url, prefix=app.prefix)
    while await relay.run_once():
        pass
    await relay.close()


async def test_afterwards_no_table_and_no_key_names_her(
    desk: Desk, now: datetime, queues: testing.Manual, valkey_url: str
) -> None:
    ann = await make_ann(desk)
    name, address = ann.name, ann.email
    ids = await fill(desk, ann, now)
    # In the queues: what has run, what has failed, what waits, what is delayed, hers alone and others' too.
    await relay_all(valkey_url)
    await app.queue("email").add("welcome", {"userId": ann.id, "email": address, "name": name})
    await app.queue("cleanup").add("archive", {"action": name}, attempts=1)
    await queues.drain()
    await app.queue("email").add("send", {"to": address, "subject": "s", "template": "generic", "data": {}})
    both = await app.queue("notifications").add(
        "ticket",
        {"ticketId": ids["others"], "action": "x", "actorId": ann.id,
         "recipientIds": [ann.id, desk.agent.user_id]},
    )  # fmt: skip
    told = await app.queue("email").add(
        "send", {"to": desk.agent.email, "subject": name, "template": "generic", "data": {"body": address}},
        delay=3600.0,
    )  # fmt: skip
    await app.queue("email").publish_event("noted", {"by": name})
    async with transaction() as session:  # not relayed yet
        job = toril.NewJob("welcome", {"userId": ann.id, "email": address, "name": name})
        await outbox.enqueue(session, "email", job)
    before = await tables_naming(name, address)
    assert {"users", "tickets", "messages", "deliveries", "archived_tickets", "audit_log", "toril_outbox",
            "api_tokens"} <= set(before)  # fmt: skip
    assert await keys_naming(valkey_url, name, address)

    async with transaction() as session:
        receipt = await erasure.erase(session, desk.organization_id, ann.id, now, actor=desk.admin)
    assert set(await tables_naming(name, address)) == {"erasure_receipts"}
    await relay_all(valkey_url)
    assert await erase_jobs(receipt_id=receipt.id)
    shared = await app.queue("notifications").get_job(both.id)
    assert shared is not None
    assert shared.data == {
        "ticketId": ids["others"], "action": "x", "actorId": None, "recipientIds": [desk.agent.user_id],
    }  # fmt: skip
    done = await queues.drain()
    assert done.failed == 0, done.failures

    assert await tables_naming(name, address, "My secret") == {}
    assert await keys_naming(valkey_url, name, address) == set()
    async with transaction() as session:
        kept = await session.get_one(ErasureReceipt, receipt.id)
        assert kept.completed_at is not None
        assert kept.wanted is None
        assert kept.requested_by == desk.admin.user_id
        kinds = {"tickets", "archived tickets", "mails", "notifications", "account", "other texts", "jobs"}
        assert {"exports", "mails that quote", "dead letters"} <= kept.records.keys()
        assert kinds <= {kind for kind, count in kept.records.items() if count > 0}
        row = await session.get_one(User, ann.id)
        assert (row.active, row.password_hash) == (False, None)
        bodies = list(await session.scalars(select(Message.body).where(Message.ticket_id == ids["others"])))
        assert sorted(bodies) == ["[erased] again", f"ask {ann.id}@erased.invalid"]
        assert (await session.get_one(Ticket, ids["others"])).subject == "As [erased] says"
        mails = await session.scalars(select(Delivery).where(Delivery.user_id == ann.id))
        assert {mail.state for mail in mails} <= {DeliveryState.SUPPRESSED, DeliveryState.SENT}
    # What was others' too has gone on without her.
    assert (await app.queue("notifications").get_state(both.id)) is toril.JobState.COMPLETED
    delayed = await app.queue("email").get_job(told.id)
    assert delayed is not None
    assert isinstance(delayed.data, dict)
    assert (delayed.data["to"], delayed.data["subject"]) == (desk.agent.email, "[erased]")


async def test_another_organization_loses_nothing(
    desk: Desk, other_desk: Desk, now: datetime, queues: testing.Manual, valkey_url: str
) -> None:
    ann = await make_ann(desk)
    namesake = await make_ann(other_desk, like=ann)
    name, address = ann.name, ann.email
    await fill(other_desk, namesake, now)
    before = await tables_naming(name, address)
    async with transaction() as session:
        receipt = await erasure.erase(session, desk.organization_id, ann.id, now, actor=desk.admin)
    await erasure.clear_queues(database(), app, receipt.id, now)
    after = await tables_naming(name, address)
    changed = {table for table in before if before[table] != after.get(table, 0)}
    assert changed <= {"users", "toril_outbox"}
    assert before["users"] - after["users"] == 2  # once for the name, once for the address
    welcomes = await staged("welcome", email=address)
    assert [job["userId"] for job in welcomes] == [namesake.id]
    async with transaction() as session:
        assert (await session.get_one(User, namesake.id)).name == name


async def test_a_job_that_is_being_run_is_looked_at_again(
    desk: Desk, now: datetime, queues: testing.Manual
) -> None:
    ann = await make_ann(desk)
    async with transaction() as session:
        receipt = await erasure.erase(session, desk.organization_id, ann.id, now, actor=desk.admin)
    started, free = asyncio.Event(), asyncio.Event()

    async def hold(_: toril.Job) -> None:
        started.set()
        await free.wait()

    queue = app.queue("email")
    await queue.add("send", {"to": ann.email, "subject": "s", "template": "generic", "data": {}})
    worker = toril.Worker("email", hold, url=queue.url, prefix=queue.prefix)
    running = asyncio.create_task(worker.run())
    try:
        await asyncio.wait_for(started.wait(), 20.0)
        assert await erasure.clear_queues(database(), app, receipt.id, now) == 1
        async with transaction() as session:
            assert (await session.get_one(ErasureReceipt, receipt.id)).completed_at is None
    finally:
        free.set()
        worker.stop()
        await running
    assert await erasure.clear_queues(database(), app, receipt.id, now) == 0
    async with transaction() as session:
        assert (await session.get_one(ErasureReceipt, receipt.id)).completed_at is not None


async def test_who_is_not_erased(desk: Desk, other_desk: Desk, now: datetime) -> None:
    for user_id, actor, error in (
        (other_desk.customer.user_id, desk.admin, NotFound),
        ("nobody", desk.admin, NotFound),
        (desk.admin.user_id, desk.admin, Invalid),
        (desk.admin.user_id, None, Invalid),
    ):
        with pytest.raises(error):
            async with transaction() as session:
                await erasure.erase(session, desk.organization_id, user_id, now, actor=actor)


async def test_the_erasure_route(desk: Desk, other_desk: Desk, api: httpx.AsyncClient) -> None:
    ann = await make_ann(desk)
    body = {"userId": ann.id}
    assert (await api.post("/admin/erasures", json=body, headers=desk.headers(Role.AGENT))).status_code == 403
    answer = await api.post("/admin/erasures", json=body, headers=other_desk.headers(Role.ADMIN))
    assert answer.status_code == 404
    answer = await api.post("/admin/erasures", json=body, headers=desk.headers(Role.ADMIN))
    assert answer.status_code == 202
    receipt = answer.json()["data"]
    assert (receipt["userId"], receipt["completedAt"]) == (ann.id, None)
    listed = await api.get("/admin/erasures", headers=desk.headers(Role.ADMIN))
    assert [entry["id"] for entry in listed.json()["data"]] == [receipt["id"]]
    assert (await api.get("/admin/erasures", headers=other_desk.headers(Role.ADMIN))).json()["data"] == []


async def test_the_command_erases_and_prints_the_receipt(
    desk: Desk, queues: testing.Manual, valkey_url: str
) -> None:
    address = (await make_ann(desk)).email
    async with transaction() as session:
        slug = await session.scalar(
            text("SELECT slug FROM organizations WHERE id = :id"), {"id": desk.organization_id}
        )
    for email, org in ((address, "nowhere"), ("nobody@x.example", str(slug))):
        with pytest.raises(Problem):
            await erase_person(email, org)
    printed = await erase_person(address, str(slug))
    assert printed.startswith("receipt ")
    assert "account: 1" in printed
    assert address not in printed
    assert "users" not in await tables_naming(address)
