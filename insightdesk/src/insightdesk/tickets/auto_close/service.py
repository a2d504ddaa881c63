"""Closing what has been resolved for long enough.

A scan closes and warns in bounded batches, each a transaction with the jobs that tell people: a crash
loses at most the batch at hand, which the next scan finds again. Two scans at once share the tickets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk import outbox
from insightdesk.accounts import service as accounts
from insightdesk.accounts.service import Principal
from insightdesk.database import Database
from insightdesk.email.kinds import NotificationKind
from insightdesk.tickets import notices
from insightdesk.tickets.auto_close import repository
from insightdesk.tickets.auto_close.models import DEFAULT_AFTER_DAYS, LateReply
from insightdesk.tickets.auto_close.repository import Touched
from insightdesk.tickets.notices import Notice

REASON = "auto_closed_after_resolution"
"""Why a ticket was closed, as the brief names it."""

NOTICE = timedelta(days=2)
"""How long before it closes a ticket's customer is warned."""

BATCH = 500


@dataclass(frozen=True)
class Rules:
    """What an organization wants.

    Attributes:
        after_days: days of 24 hours that a ticket stays resolved before it is closed; None for ever.
        late_reply: what a customer's reply to a closed ticket does.
    """

    after_days: int | None = DEFAULT_AFTER_DAYS
    late_reply: LateReply = LateReply.REOPEN


@dataclass(frozen=True)
class Scanned:
    """What one scan did."""

    closed: int
    warned: int


def wait(after_days: int) -> timedelta:
    """How long a ticket stays resolved: days of 24 hours, whatever clocks do meanwhile."""
    return timedelta(hours=24 * after_days)


async def rules(session: AsyncSession, organization_id: str) -> Rules:
    """The organization's rules, the defaults where it has set none."""
    own = await repository.settings_of(session, organization_id)
    return Rules() if own is None else Rules(own.after_days, own.late_reply)


async def set_rules(session: AsyncSession, actor: Principal, wanted: Rules) -> None:
    """Set the rules of the actor's organization; they hold for tickets that are resolved now, too."""
    await repository.put_settings(session, actor.organization_id, wanted.after_days, wanted.late_reply)
    accounts.audit(
        session,
        actor,
        "auto_close.set",
        "organization",
        actor.organization_id,
        afterDays=wanted.after_days,
        lateReply=wanted.late_reply,
    )


async def scan(database: Database, now: datetime, *, batch: int = BATCH) -> Scanned:
    """Close all that is due at ``now``, then warn of what is due within `NOTICE`, until nothing is left."""
    closed = warned = 0
    while True:
        async with database.transaction() as session:
            done = await repository.close_due(session, now, REASON, batch)
            await _tell_closed(session, done)
        closed += len(done)
        if not done:  # a batch that somebody else has changed a part of is no end
            break
    while True:
        async with database.transaction() as session:
            told = await repository.mark_warned(session, now, NOTICE, batch)
            await _stage_warnings(session, told)
        warned += len(told)
        if not told:
            break
    return Scanned(closed, warned)


async def close(session: AsyncSession, ticket_id: str, reason: str, now: datetime) -> bool:
    """Close one ticket, if it is resolved and not exempt.

    Returns:
        False when it is not, or no more: a ticket that was reopened meanwhile stays open.
    """
    done = await repository.close_one(session, ticket_id, now, reason)
    await _tell_closed(session, done)
    return bool(done)


async def _tell_closed(session: AsyncSession, closed: Sequence[Touched]) -> None:
    await notices.stage(
        session,
        [
            Notice(
                ticket.ticket_id,
                "closed",
                NotificationKind.TICKET_CLOSED,
                None,
                {ticket.customer_id},
                {ticket.assignee_id} if ticket.assignee_id else (),
            )
            for ticket in closed
        ],
    )


async def _stage_warnings(session: AsyncSession, warned: Sequence[Touched]) -> None:
    from insightdesk.tickets.auto_close.jobs import warn_of_auto_close  # its module's handlers call us

    jobs = [warn_of_auto_close.new_job(ticket_id=ticket.ticket_id) for ticket in warned]
    if jobs:
        await outbox.enqueue(session, warn_of_auto_close.queue, *jobs)
