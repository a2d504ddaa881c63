"""Daily digest and weekly report: what is sent to whom and when, over changes of clocks, once each."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
from desks import Desk, make_desk
from moved_clock import MovedClock, Sent, desk_in
from queries import counted, staged
from sqlalchemy import insert, select, update

from insightdesk.accounts import service as accounts
from insightdesk.accounts.models import Organization, Role, User
from insightdesk.database import database, new_id, transaction
from insightdesk.email import preferences
from insightdesk.email.kinds import Channel
from insightdesk.email.models import Delivery
from insightdesk.reports.digest import jobs as digest_jobs
from insightdesk.reports.digest import service as digest
from insightdesk.reports.local_runs import service as local_runs
from insightdesk.reports.local_runs.repository import Run
from insightdesk.reports.weekly import service as weekly
from insightdesk.schedules import DAILY_DIGEST
from insightdesk.tickets import service as tickets
from insightdesk.tickets.models import Priority, Ticket
from insightdesk.tickets.schemas import TicketInput, TicketPatch
from toril import outbox, testing

pytestmark = pytest.mark.usefixtures("quiet_database")

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
NEW_YORK, BERLIN, SYDNEY = "America/New_York", "Europe/Berlin", "Australia/Sydney"


async def open_ticket(
    desk: Desk, at: datetime, priority: Priority = Priority.HIGH, assignee_id: str | None = None
) -> Ticket:
    """Tickets of high priority are promised nothing at a test's desk."""
    wanted = TicketInput(
        subject="Help", body="Please", customer_id=desk.customer.user_id,
        priority=priority, assignee_id=assignee_id,
    )  # fmt: skip
    async with transaction() as session:
        return await tickets.create_ticket(session, desk.admin, wanted, at)


async def patch(desk: Desk, ticket: Ticket, at: datetime, **changes: object) -> None:
    async with transaction() as session:
        await tickets.update_ticket(session, desk.admin, ticket.id, TicketPatch(**changes), at)


async def digests(desk: Desk) -> list[Delivery]:
    async with transaction() as session:
        rows = await session.scalars(
            select(Delivery)
            .where(Delivery.organization_id == desk.organization_id, Delivery.template == "daily_digest")
            .order_by(Delivery.id)
        )
        return list(rows)


# Clocks change on the Sunday between Friday and Monday; `utc` is when it is 08:00 on Friday, and 08:00
# and 09:00 on Monday.
@pytest.mark.parametrize(
    ("zone", "friday", "utc"),
    [
        (NEW_YORK, "2027-03-12", ["2027-03-12 13:00", "2027-03-15 12:00", "2027-03-15 13:00"]),
        (NEW_YORK, "2027-11-05", ["2027-11-05 12:00", "2027-11-08 13:00", "2027-11-08 14:00"]),
        (BERLIN, "2027-03-26", ["2027-03-26 07:00", "2027-03-29 06:00", "2027-03-29 07:00"]),
        (BERLIN, "2027-10-29", ["2027-10-29 06:00", "2027-11-01 07:00", "2027-11-01 08:00"]),
        (SYDNEY, "2027-04-02", ["2027-04-01 21:00", "2027-04-04 22:00", "2027-04-04 23:00"]),
        (SYDNEY, "2027-10-01", ["2027-09-30 22:00", "2027-10-03 21:00", "2027-10-03 22:00"]),
    ],
)
async def test_over_a_change_of_clocks_each_is_sent_at_its_local_time_once(
    db: None, monkeypatch: pytest.MonkeyPatch, zone: str, friday: str, utc: list[str]
) -> None:
    desk = await desk_in(zone, LONG_AGO)
    day = date.fromisoformat(friday)
    start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    await open_ticket(desk, start - timedelta(days=1), assignee_id=desk.agent.user_id)
    clock = MovedClock(monkeypatch, start, desk)
    await clock.until(start + timedelta(days=4))
    thursday, sunday = day - timedelta(days=1), day + timedelta(days=2)
    assert clock.sent == [
        Sent(utc[0], desk.agent.email, f"daily-digest:{desk.agent.user_id}:{thursday}"),
        Sent(utc[1], desk.agent.email, f"daily-digest:{desk.agent.user_id}:{sunday}"),
        Sent(utc[2], desk.admin.email, f"weekly-report:{desk.admin.user_id}:{sunday - timedelta(days=6)}"),
    ]


async def test_many_scans_at_once_begin_each_run_once(db: None) -> None:
    desk = await desk_in(BERLIN, LONG_AGO)
    now = datetime(2027, 6, 1, 6, 0, tzinfo=UTC)
    begun: list[Run] = []

    async def stage(_: object, runs: list[Run]) -> None:
        begun.extend(run for run in runs if run.organization_id == desk.organization_id)

    scans = [local_runs.begin_due(database(), "daily-digest", DAILY_DIGEST, now, stage) for _ in range(5)]  # type: ignore[arg-type]
    await asyncio.gather(*scans)
    assert begun == [Run(desk.organization_id, date(2027, 6, 1))]


async def test_a_missed_run_is_made_up_once_within_its_bound(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await desk_in(BERLIN, LONG_AGO)
    await open_ticket(desk, LONG_AGO, assignee_id=desk.agent.user_id)
    # No worker from Tuesday to Thursday 11:00: Wednesday's is too old, Thursday's is made up.
    clock = MovedClock(monkeypatch, datetime(2027, 6, 3, 9, 0, tzinfo=UTC), desk)
    await clock.until(datetime(2027, 6, 3, 20, 0, tzinfo=UTC))
    assert [(mail.utc, mail.key) for mail in clock.sent if mail.recipient == desk.agent.email] == [
        ("2027-06-03 09:00", f"daily-digest:{desk.agent.user_id}:2027-06-02")
    ]


async def test_a_change_of_zone_sends_no_second_digest_of_the_day(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await desk_in(BERLIN, LONG_AGO)
    await open_ticket(desk, LONG_AGO, assignee_id=desk.agent.user_id)
    clock = MovedClock(monkeypatch, datetime(2027, 6, 2, 5, 0, tzinfo=UTC), desk)
    await clock.until(datetime(2027, 6, 2, 8, 0, tzinfo=UTC))
    async with transaction() as session:
        await session.execute(
            update(Organization).where(Organization.id == desk.organization_id).values(time_zone=NEW_YORK)
        )
    await clock.until(datetime(2027, 6, 2, 18, 0, tzinfo=UTC))
    assert len([mail for mail in clock.sent if mail.recipient == desk.agent.email]) == 1


async def test_an_organization_made_today_is_not_told_of_yesterday(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await desk_in("UTC", datetime(2027, 6, 2, 9, 0, tzinfo=UTC))
    await open_ticket(desk, datetime(2027, 6, 2, 9, 0, tzinfo=UTC))
    clock = MovedClock(monkeypatch, datetime(2027, 6, 2, 9, 0, tzinfo=UTC), desk)
    await clock.until(datetime(2027, 6, 2, 12, 0, tzinfo=UTC))
    assert clock.sent == []


async def test_an_unknown_zone_hides_no_other_organization(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    lost, found = await desk_in("Mars/Olympus", LONG_AGO), await desk_in("UTC", LONG_AGO)
    await open_ticket(found, LONG_AGO)
    clock = MovedClock(monkeypatch, datetime(2027, 6, 2, 8, 0, tzinfo=UTC), found)
    await clock.until(datetime(2027, 6, 2, 8, 0, tzinfo=UTC))
    assert found.agent.email in {mail.recipient for mail in clock.sent}
    async with transaction() as session:
        await session.execute(
            update(Organization).where(Organization.id == lost.organization_id).values(time_zone="UTC")
        )


async def test_a_digest_tells_the_organizations_day_and_the_agents_own_queue(db: None) -> None:
    desk = await desk_in(NEW_YORK, LONG_AGO)
    zone = ZoneInfo(NEW_YORK)
    day = date(2027, 11, 10)
    inside = datetime(2027, 11, 10, 23, 59, tzinfo=zone)
    before, after = datetime(2027, 11, 9, 23, 59, tzinfo=zone), datetime(2027, 11, 11, 0, 0, tzinfo=zone)
    old = await open_ticket(desk, before, assignee_id=desk.agent.user_id)
    waiting = await open_ticket(desk, inside, assignee_id=desk.agent.user_id)
    solved = await open_ticket(desk, before)
    await patch(desk, solved, inside, status="resolved")
    await patch(desk, waiting, inside, status="pending")
    await open_ticket(desk, after)
    async with transaction() as session:
        assert await digest.send(session, desk.organization_id, desk.agent.user_id, day, after)
    [mail] = await digests(desk)
    assert "Wednesday, 10 November 2027" in mail.text
    for fact in ("Opened: 1", "Solved: 1", "Promises broken: 0", "Waiting on customers now: 1",
                 "In your queue now: 2", f"#{old.number} Help"):  # fmt: skip
        assert fact in mail.text, mail.text
    assert mail.recipient == desk.agent.email


def test_mondays_digest_begins_with_friday() -> None:
    assert digest.period(date(2027, 3, 14)) == (date(2027, 3, 12), date(2027, 3, 14))
    assert digest.period(date(2027, 3, 11)) == (date(2027, 3, 11), date(2027, 3, 11))


async def test_an_empty_digest_is_not_sent(db: None) -> None:
    desk = await make_desk()
    async with transaction() as session:
        assert not await digest.send(
            session,
            desk.organization_id,
            desk.agent.user_id,
            date(2027, 6, 1),
            datetime(2027, 6, 2, 8, tzinfo=UTC),
        )
    assert await digests(desk) == []


async def test_each_active_agent_has_one_mail_however_often_the_job_runs(db: None) -> None:
    desk, other = await make_desk(), await make_desk()
    now = datetime(2027, 6, 2, 8, tzinfo=UTC)
    await open_ticket(desk, now - timedelta(days=1))
    async with transaction() as session:
        second = await accounts.create_user(
            session, desk.organization_id, "second@x.example", "Second", Role.AGENT, welcome=False
        )
        gone = await accounts.create_user(
            session, desk.organization_id, "gone@x.example", "Gone", Role.AGENT, welcome=False
        )
        gone.active = False
    for _ in range(2):
        async with transaction() as session:
            assert await digest.stage_agents(session, desk.organization_id, date(2027, 6, 1)) == 2
    jobs = await staged("daily-digest-agent", organizationId=desk.organization_id)
    assert {job["agentId"] for job in jobs} == {desk.agent.user_id, second.id}
    for agent_id in [*(job["agentId"] for job in jobs), gone.id, desk.admin.user_id, other.agent.user_id]:
        async with transaction() as session:
            await digest.send(session, desk.organization_id, agent_id, date(2027, 6, 1), now)
    assert sorted(mail.recipient for mail in await digests(desk)) == sorted([desk.agent.email, second.email])


async def test_who_does_not_want_one_gets_none(db: None) -> None:
    desk, day = await make_desk(), date(2027, 6, 1)
    for person, type_ in ((desk.agent, "daily_digest"), (desk.admin, "weekly_report")):
        async with transaction() as session:
            wanted = {(type_, Channel.EMAIL): False}
            await preferences.choose(session, desk.organization_id, person.user_id, wanted)
    async with transaction() as session:
        assert await digest.stage_agents(session, desk.organization_id, day) == 0
        assert await weekly.stage_admins(session, desk.organization_id, day) == 0


async def test_the_briefs_job_of_an_organization_is_served(db: None, valkey_url: str) -> None:
    desk = await make_desk()
    await open_ticket(desk, datetime(2027, 6, 1, 12, tzinfo=UTC))
    async with testing.manual(digest_jobs.app, url=valkey_url) as manual:
        queue = digest_jobs.app.queue("reports")
        await queue.add("daily-digest", {"organizationId": desk.organization_id, "date": "2027-06-01"})
        await queue.add("daily-digest", {"organizationId": "nobody", "date": "2027-06-01"})
        await queue.add("daily-digest", {"organizationId": desk.organization_id, "date": "yesterday"})
        done = await manual.drain()
        assert (done.completed, done.failed) == (1, 2)
        relay = outbox.OutboxRelay(database().engine, url=valkey_url, prefix=digest_jobs.app.prefix)
        while await relay.run_once():
            pass
        await relay.close()
        await manual.drain()
    assert [mail.recipient for mail in await digests(desk)] == [desk.agent.email]


async def test_statements_do_not_grow_with_agents_or_tickets(db: None) -> None:
    desk = await make_desk()
    now = datetime(2027, 6, 2, 8, tzinfo=UTC)
    await open_ticket(desk, now, assignee_id=desk.agent.user_id)

    async def count(day: date) -> int:
        async with counted() as sent, transaction() as session:
            await digest.stage_agents(session, desk.organization_id, day)
            await digest.send(session, desk.organization_id, desk.agent.user_id, day, now)
            await weekly.stage_admins(session, desk.organization_id, day)
            await weekly.send(session, desk.organization_id, desk.admin.user_id, day)
        return len(sent)

    few = await count(date(2027, 6, 1))
    async with transaction() as session:
        await session.execute(
            insert(User),
            [
                {
                    "id": new_id(), "organization_id": desk.organization_id, "email": f"{number}@x.example",
                    "name": "An agent", "role": Role.AGENT if number % 2 else Role.ADMIN,
                }
                for number in range(60)
            ],
        )  # fmt: skip
    for _ in range(30):
        await open_ticket(desk, now, assignee_id=desk.agent.user_id)
    assert await count(date(2027, 6, 3)) == few


async def test_a_weekly_report_tells_how_promises_were_kept(db: None) -> None:
    desk = await desk_in(SYDNEY, LONG_AGO)
    zone = ZoneInfo(SYDNEY)
    inside = datetime(2027, 4, 4, 12, tzinfo=zone)
    await open_ticket(desk, inside)
    ticket = await open_ticket(desk, inside, Priority.URGENT)
    await patch(desk, ticket, inside + timedelta(minutes=2), status="resolved")
    async with transaction() as session:
        assert await weekly.send(session, desk.organization_id, desk.admin.user_id, date(2027, 3, 29))
        assert not await weekly.send(session, desk.organization_id, desk.agent.user_id, date(2027, 3, 29))
    async with transaction() as session:
        [mail] = await session.scalars(
            select(Delivery).where(
                Delivery.organization_id == desk.organization_id, Delivery.template == "weekly_report"
            )
        )
    assert "Monday, 29 March 2027 to Sunday, 4 April 2027" in mail.text
    for fact in ("Opened: 2", "Solved: 1", "Unsolved now: 1", "How promises were kept",
                 "100 %: resolution", "0 %: first response"):  # fmt: skip
        assert fact in mail.text, mail.text


async def test_an_administrator_sets_the_zone(desk: Desk, api: httpx.AsyncClient) -> None:
    path = "/api/settings/organization"
    shown = (await api.get(path, headers=desk.headers(Role.AGENT))).json()["data"]
    assert (shown["id"], shown["timeZone"]) == (desk.organization_id, "UTC")
    body = {"name": "Desk", "timeZone": SYDNEY}
    assert (await api.put(path, json=body, headers=desk.headers(Role.AGENT))).status_code == 403
    changed = (await api.put(path, json=body, headers=desk.headers(Role.ADMIN))).json()["data"]
    assert (changed["name"], changed["timeZone"]) == ("Desk", SYDNEY)
    for zone in ("Mars/Olympus", "", "../x", "UTC\0"):
        answer = await api.put(path, json={**body, "timeZone": zone}, headers=desk.headers(Role.ADMIN))
        assert answer.status_code == 422, zone
