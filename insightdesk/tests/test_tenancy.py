"""The line between organizations, which the database itself holds whatever a query forgets to ask."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from desks import Desk
from fastapi import FastAPI
from sqlalchemy import Column, MetaData, Table, Text, create_engine, func, select, text, update
from sqlalchemy.exc import ProgrammingError

import toril
from insightdesk import tenancy
from insightdesk.accounts.models import Organization, Role, User
from insightdesk.database import database, sqlalchemy_url, transaction
from insightdesk.jobs import app as jobs
from insightdesk.tables import metadata
from insightdesk.tenancy import NobodyYet, RequestBoundary, everyone, tenant_tables, within
from insightdesk.tickets.models import Ticket, TicketStatus


async def make_ticket(api: httpx.AsyncClient, desk: Desk) -> str:
    response = await api.post(
        "/api/tickets", json={"subject": "Ours", "body": "!"}, headers=desk.headers(Role.CUSTOMER)
    )
    return str(response.json()["data"]["id"])


async def test_every_table_of_tenants_is_guarded(db: None) -> None:
    async with transaction() as session:
        rows = await session.execute(
            text(
                "SELECT relname, relrowsecurity, EXISTS (SELECT FROM pg_policies p "
                "WHERE p.tablename = relname AND p.policyname = 'one_organization' "
                "AND 'insightdesk_member' = ANY (p.roles)) "
                "FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            )
        )
        guarded = {name for name, secured, policy in rows if secured and policy}
        columns = await session.scalars(
            text(
                "SELECT table_name FROM information_schema.columns "
                "WHERE table_schema = 'public' AND column_name = 'organization_id'"
            )
        )
        assert guarded == {*columns, "organizations"}
    assert guarded == {table.name for table, _ in tenant_tables(metadata)}


async def test_a_query_that_forgets_the_organization_sees_its_own_alone(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk
) -> None:
    for one in (desk, other_desk):
        await make_ticket(api, one)
    seen = 0
    with within(desk.organization_id):
        async with transaction() as session:
            for table, column in tenant_tables(metadata):
                owners = set(await session.scalars(select(table.c[column]).distinct()))
                assert owners <= {desk.organization_id}, table.name
                seen += bool(owners)
    assert seen >= 6


async def test_nothing_is_written_across_the_line(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk
) -> None:
    ticket_id = await make_ticket(api, desk)
    with within(other_desk.organization_id):
        async with transaction() as session:
            changed = await session.scalars(
                update(Ticket).values(status=TicketStatus.CLOSED).returning(Ticket.organization_id)
            )
            assert set(changed) <= {other_desk.organization_id}
            assert await session.get(Ticket, ticket_id) is None
            for table in ("tickets", "users", "api_tokens"):
                assert set(await session.scalars(text(f"DELETE FROM {table} RETURNING organization_id"))) <= {
                    other_desk.organization_id
                }
        with pytest.raises(ProgrammingError, match="row-level security"):
            async with transaction() as session:
                session.add(
                    User(
                        organization_id=desk.organization_id,
                        email="spy@x.example",
                        name="Spy",
                        role=Role.ADMIN,
                    )
                )
    async with transaction() as session:
        kept = await session.get_one(Ticket, ticket_id)
        assert kept.status is TicketStatus.OPEN
        people = await session.scalar(
            select(func.count()).select_from(User).where(User.organization_id == desk.organization_id)
        )
        assert people == len(Role)


async def test_a_row_cannot_be_given_to_another_organization(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk
) -> None:
    ticket_id = await make_ticket(api, desk)
    gift = update(Ticket).where(Ticket.id == ticket_id).values(organization_id=other_desk.organization_id)
    with within(desk.organization_id):
        async with transaction() as session:
            with pytest.raises(ProgrammingError, match="row-level security"):
                await session.execute(gift)
            await session.rollback()


async def test_a_connection_goes_back_unrestricted(desk: Desk, other_desk: Desk) -> None:
    wanted = {desk.organization_id, other_desk.organization_id}
    for _ in range(database().engine.pool.size() + 1):  # type: ignore[attr-defined]
        with within(desk.organization_id):
            async with transaction() as session:
                assert list(await session.scalars(select(Organization.id))) == [desk.organization_id]
        with pytest.raises(ZeroDivisionError), within(desk.organization_id):
            async with transaction():
                raise ZeroDivisionError
        async with transaction() as session:
            assert set(await session.scalars(select(Organization.id))) >= wanted


async def test_a_route_that_proves_nobody_reaches_nothing(desk: Desk) -> None:
    app = FastAPI()

    @app.get("/forgetful")
    async def forgetful() -> int:
        async with transaction() as session:
            return len(list(await session.scalars(select(User.id))))

    @app.get("/public")
    async def public() -> int:
        with everyone():
            async with transaction() as session:
                return len(list(await session.scalars(select(User.id).limit(1))))

    transport = httpx.ASGITransport(RequestBoundary(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as client:
        with pytest.raises(NobodyYet):
            await client.get("/forgetful")
        assert (await client.get("/public")).json() == 1
    async with transaction() as session:  # what a request may reach ends with it
        assert await session.scalar(select(func.count()).select_from(Organization)) >= 1


async def test_a_job_that_names_its_organization_sees_that_one_alone(
    desk: Desk, other_desk: Desk, valkey_url: str
) -> None:
    seen: dict[str, set[str]] = {}

    async def look(job: toril.Job) -> None:
        async with transaction() as session:
            seen[job.name] = set(await session.scalars(select(Organization.id)))

    async with toril.Queue(f"look-{desk.organization_id}", url=valkey_url) as queue:
        worker = toril.Worker(queue.name, look, url=valkey_url, middleware=[tenancy.confine_job])
        running = asyncio.create_task(worker.run())
        confined = await queue.add("confined", {"organizationId": desk.organization_id})
        free = await queue.add("free", {})
        await confined.wait(timeout=10)
        await free.wait(timeout=10)
        worker.stop()
        await running
    assert seen["confined"] == {desk.organization_id}
    assert seen["free"] >= {desk.organization_id, other_desk.organization_id}
    assert tenancy.confine_job in jobs._middleware


def test_a_table_made_later_is_guarded_by_itself(postgres_url: str, database_url: str) -> None:
    later = MetaData()
    Table("organizations", later, Column("id", Text, primary_key=True))
    Table("later", later, Column("id", Text, primary_key=True), Column("organization_id", Text))
    engine = create_engine(sqlalchemy_url(postgres_url))
    with engine.connect() as connection:  # never committed
        connection.execute(text("CREATE SCHEMA elsewhere; SET LOCAL search_path = elsewhere"))
        later.create_all(connection)
        for _ in range(2):
            tenancy.install(connection, later)
        connection.execute(text("INSERT INTO later VALUES ('1', 'a'), ('2', 'b')"))
        connection.execute(
            text("SELECT set_config('role', 'insightdesk_member', true), "
                 "set_config('insightdesk.organization', 'a', true)")
        )  # fmt: skip
        assert list(connection.scalars(text("SELECT id FROM later"))) == ["1"]
    engine.dispose()
