"""Bursts: the first at once, the rest of five minutes in one mail, and nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from desks import Desk
from sqlalchemy import select

import toril
from insightdesk.database import transaction
from insightdesk.email import gathering
from insightdesk.email.gathering import Kept, Told, decide
from insightdesk.email.kinds import NotificationKind
from insightdesk.email.models import Delivery, MailNotice
from insightdesk.email.preferences import set_quiet_hours
from insightdesk.email.repository import Staged
from insightdesk.kit import clock
from insightdesk.tickets import service as tickets
from insightdesk.tickets.models import Visibility
from insightdesk.tickets.schemas import MessageInput, TicketInput

MESSAGE = NotificationKind.NEW_MESSAGE
NOW = clock.now()


async def open_ticket(desk: Desk) -> str:
    async with transaction() as session:
        wanted = TicketInput(subject="Printer", body="It burns", assignee_id=None)
        return (await tickets.create_ticket(session, desk.customer, wanted, NOW)).id


async def say(desk: Desk, ticket_id: str, body: str, *, internal: bool = False) -> str:
    visibility = Visibility.INTERNAL if internal else Visibility.PUBLIC
    async with transaction() as session:
        wanted = MessageInput(body=body, visibility=visibility)
        return (await tickets.add_message(session, desk.agent, ticket_id, wanted, clock.now())).id


async def notice(
    desk: Desk,
    ticket_id: str,
    key: str,
    at: float,
    message_id: str | None = None,
    kind: NotificationKind = MESSAGE,
) -> Told | Kept | None:
    async with transaction() as session:
        return await gathering.notice(
            session,
            f"{ticket_id}:{key}",
            ticket_id,
            desk.customer.user_id,
            kind,
            message_id,
            NOW + timedelta(seconds=at),
        )


async def close(kept: object, at: float) -> Staged | datetime | None:
    assert isinstance(kept, Kept)
    async with transaction() as session:
        return await gathering.close(session, kept.window_id, NOW + timedelta(seconds=at))


async def mails(ticket_id: str) -> Sequence[Delivery]:
    async with transaction() as session:
        rows = await session.scalars(
            select(Delivery).where(Delivery.ticket_id == ticket_id).order_by(Delivery.id)
        )
        return rows.all()


async def test_the_first_at_once_and_the_rest_in_one_mail_when_the_window_closes(desk: Desk) -> None:
    ticket = await open_ticket(desk)
    said = [await say(desk, ticket, f"word {number}") for number in range(4)]
    assert isinstance(await notice(desk, ticket, "0", 0, said[0]), Told)
    kept = [await notice(desk, ticket, str(number), number, said[number]) for number in (1, 2, 3)]
    assert {each.closes_at for each in kept if isinstance(each, Kept)} == {NOW + timedelta(minutes=5)}
    assert await close(kept[0], 299) == NOW + timedelta(minutes=5)
    assert isinstance(await close(kept[0], 300), Staged)
    first, rest = await mails(ticket)
    assert "word 0" in first.text
    assert all(f"word {number}" in rest.text for number in (1, 2, 3))
    assert "3 new messages" in rest.text
    assert "word 0" not in rest.text
    # The window has closed, so the next is told at once.
    assert await close(kept[0], 301) is None
    assert isinstance(await notice(desk, ticket, "9", 302, await say(desk, ticket, "later")), Told)


async def test_a_job_that_runs_again_tells_nothing_twice(desk: Desk) -> None:
    ticket = await open_ticket(desk)
    said = [await say(desk, ticket, f"word {number}") for number in range(2)]
    first = await notice(desk, ticket, "0", 0, said[0])
    assert isinstance(first, Told)
    again = await notice(desk, ticket, "0", 400, said[0])
    assert again == Told(Staged(first.delivery.delivery_id, new=False))
    kept = await notice(desk, ticket, "1", 10, said[1])
    assert isinstance(await notice(desk, ticket, "1", 20, said[1]), Kept)
    await close(kept, 300)
    assert len(await mails(ticket)) == 2


async def test_at_the_same_moment_one_is_first(desk: Desk) -> None:
    ticket = await open_ticket(desk)
    said = [await say(desk, ticket, f"word {number}") for number in range(4)]
    outcomes = await asyncio.gather(*(notice(desk, ticket, str(n), 0, said[n]) for n in range(4)))
    assert sorted(type(each).__name__ for each in outcomes) == ["Kept", "Kept", "Kept", "Told"]
    await close(next(each for each in outcomes if isinstance(each, Kept)), 300)
    text = "".join(mail.text for mail in await mails(ticket))
    assert all(text.count(f"word {number}") == 1 for number in range(4))


async def test_a_producer_that_names_no_message_loses_none(desk: Desk) -> None:
    ticket = await open_ticket(desk)
    await say(desk, ticket, "word 0")
    await notice(desk, ticket, "0", 0)
    for number in (1, 2):
        await say(desk, ticket, f"word {number}")
    kept = [await notice(desk, ticket, str(number), number) for number in (1, 2)]
    await close(kept[0], 300)
    text = "".join(mail.text for mail in await mails(ticket))
    assert all(text.count(f"word {number}") == 1 for number in range(3))


async def test_kinds_people_and_tickets_have_windows_of_their_own(desk: Desk) -> None:
    one, two = await open_ticket(desk), await open_ticket(desk)
    for ticket in (one, two):
        for kind in (NotificationKind.STATUS_CHANGE, NotificationKind.TICKET_RESOLVED):
            assert isinstance(await notice(desk, ticket, kind.value, 0, kind=kind), Told)


async def test_several_changes_are_counted(desk: Desk) -> None:
    ticket, kind = await open_ticket(desk), NotificationKind.STATUS_CHANGE
    await notice(desk, ticket, "0", 0, kind=kind)
    kept = [await notice(desk, ticket, str(n), n, kind=kind) for n in (1, 2)]
    await close(kept[0], 300)
    assert "2 changes" in (await mails(ticket))[1].text


async def test_internal_notes_never_reach_a_customer(desk: Desk) -> None:
    ticket = await open_ticket(desk)
    secret = await say(desk, ticket, "he is difficult", internal=True)
    await notice(desk, ticket, "0", 0, secret)
    await notice(desk, ticket, "1", 400)
    assert all("difficult" not in mail.text + mail.html for mail in await mails(ticket))


async def test_quiet_hours_keep_even_the_first_until_they_are_over(desk: Desk) -> None:
    ticket = await open_ticket(desk)
    wall = NOW.astimezone(ZoneInfo("Asia/Tokyo")).replace(second=0, microsecond=0)
    async with transaction() as session:
        await set_quiet_hours(
            session,
            desk.organization_id,
            desk.customer.user_id,
            (
                (wall - timedelta(hours=1)).time(),
                (wall + timedelta(hours=2)).time(),
                "Asia/Tokyo",
            ),
        )
    kept = await notice(desk, ticket, "0", 0, await say(desk, ticket, "good night"))
    assert isinstance(kept, Kept)
    assert kept.closes_at == wall + timedelta(hours=2)
    assert await close(kept, 3600) == kept.closes_at
    assert await mails(ticket) == []
    # What cannot wait does not.
    breach = await notice(desk, ticket, "1", 0, kind=NotificationKind.SLA_BREACH)
    assert isinstance(breach, Told)
    assert isinstance(await close(kept, (kept.closes_at - NOW).total_seconds()), Staged)


async def test_a_stranger_is_told_nothing(desk: Desk, other_desk: Desk) -> None:
    ticket = await open_ticket(desk)
    with pytest.raises(toril.Fail, match="does not exist"):
        await notice(other_desk, ticket, "0", 0)
    async with transaction() as session:
        assert (await session.scalars(select(MailNotice).where(MailNotice.key == f"{ticket}:0"))).all() == []


def test_what_is_kept_and_until_when() -> None:
    soon, late = NOW + timedelta(minutes=1), NOW + timedelta(hours=8)
    assert decide(None, None, NOW) is None
    assert decide(NOW, None, NOW) is None
    assert decide(soon, None, NOW) == soon
    assert decide(soon, late, NOW) == late
    assert decide(None, late, NOW) == late
