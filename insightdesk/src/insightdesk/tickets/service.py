"""What happens to tickets. Each function works in the caller's transaction: the ticket, its clocks and
the jobs that follow are stored together or not at all."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts import service as accounts
from insightdesk.accounts import teams
from insightdesk.accounts.models import Role, User
from insightdesk.accounts.service import Principal
from insightdesk.email.kinds import NotificationKind
from insightdesk.kit.errors import Forbidden, Invalid, NotFound
from insightdesk.kit.pagination import PageRequest
from insightdesk.sla import service as sla
from insightdesk.sla.models import Metric
from insightdesk.tickets import notices, repository
from insightdesk.tickets.auto_close import service as auto_close
from insightdesk.tickets.auto_close.models import LateReply
from insightdesk.tickets.models import Message, Ticket, TicketStatus, Visibility
from insightdesk.tickets.notices import Notice
from insightdesk.tickets.schemas import SUBJECT_LIMIT, MessageInput, TicketInput, TicketPatch


async def create_ticket(
    session: AsyncSession, actor: Principal, wanted: TicketInput, now: datetime
) -> Ticket:
    """Open a ticket with its first message, and start its clocks."""
    for_others = not (wanted.assignee_id is wanted.team_id is None) or wanted.customer_id not in (
        None,
        actor.user_id,
    )
    if for_others and not actor.role.is_staff:
        raise Forbidden("a customer opens tickets for himself, and does not assign them")
    customer_id = actor.user_id if wanted.customer_id is None else wanted.customer_id
    if customer_id != actor.user_id:
        await _member(session, actor, customer_id, "customerId")
    if wanted.assignee_id is not None:
        await _assignee(session, actor, wanted.assignee_id)
    if wanted.team_id is not None:
        await teams.require_team(session, actor.organization_id, wanted.team_id)
    ticket = Ticket(
        organization_id=actor.organization_id,
        number=await repository.next_number(session, actor.organization_id),
        subject=wanted.subject,
        status=TicketStatus.OPEN,
        priority=wanted.priority,
        customer_id=customer_id,
        assignee_id=wanted.assignee_id,
        team_id=wanted.team_id,
        created_at=now,
        updated_at=now,
    )
    session.add(ticket)
    await session.flush()
    session.add(_message(ticket, actor, wanted.body, Visibility.PUBLIC, now))
    await repository.add_participants(session, ticket, {customer_id}, now)
    await sla.open_clocks(session, ticket, now)
    watchers = set() if ticket.assignee_id else await accounts.staff_ids(session, ticket.organization_id)
    told = [
        Notice(ticket.id, "created", NotificationKind.TICKET_CREATED, actor.user_id, {customer_id}, watchers)
    ]
    if ticket.assignee_id:
        told.append(
            Notice(ticket.id, "assigned", NotificationKind.ASSIGNMENT, actor.user_id, {ticket.assignee_id})
        )
    await notices.stage(session, told)
    return ticket


async def list_tickets(
    session: AsyncSession,
    reader: Principal,
    page: PageRequest,
    status: TicketStatus | None,
    tag: str | None = None,
) -> tuple[Sequence[Ticket], int]:
    """A page of the tickets that the reader may see, and how many there are."""
    return await repository.tickets(
        session, reader.organization_id, page, customer_id=_restriction(reader), status=status, tag=tag
    )


async def get_ticket(session: AsyncSession, reader: Principal, ticket_id: str) -> Ticket:
    """One ticket, if the reader may see it."""
    return await _ticket(session, reader, ticket_id, for_update=False)


async def lock_ticket(session: AsyncSession, actor: Principal, ticket_id: str) -> Ticket:
    """One ticket that the actor may see, locked until the transaction ends."""
    return await _ticket(session, actor, ticket_id, for_update=True)


async def get_messages(session: AsyncSession, reader: Principal, ticket_id: str) -> Sequence[Message]:
    """What the reader may see of what was said."""
    return await repository.messages(session, ticket_id, internal=reader.role.is_staff)


async def add_message(
    session: AsyncSession, actor: Principal, ticket_id: str, wanted: MessageInput, now: datetime
) -> Message:
    """Say something on a ticket.

    A public word of staff is a response. A customer's word waits for the next one; it wakes a ticket that
    waited on him, and reopens one that was done; where the organization wants it so, his word on a closed
    ticket begins a new one instead, on which the returned message stands.
    """
    public = wanted.visibility is Visibility.PUBLIC
    if not public and not actor.role.is_staff:
        raise Forbidden("internal notes are for staff")
    ticket = await _ticket(session, actor, ticket_id, for_update=True)
    if ticket.status is TicketStatus.CLOSED and not actor.role.is_staff:
        rules = await auto_close.rules(session, ticket.organization_id)
        if rules.late_reply is LateReply.FOLLOW_UP:
            return await _follow_up(session, actor, ticket, wanted.body, now)
    message = _message(ticket, actor, wanted.body, wanted.visibility, now)
    session.add(message)
    await session.flush()
    ticket.updated_at = now
    if public and actor.role.is_staff and actor.user_id != ticket.customer_id:
        await sla.staff_answered(session, ticket, now)
    if not actor.role.is_staff and ticket.status is not TicketStatus.OPEN:
        await _change_status(session, ticket, TicketStatus.OPEN, now)
    if not actor.role.is_staff:
        await sla.customer_wrote(session, ticket, now)
    # Who took part is told before the author joins; of an internal note, staff alone.
    participants = await repository.participant_ids(session, ticket.id)
    await repository.add_participants(session, ticket, {actor.user_id}, now)
    staff = await accounts.staff_ids(session, ticket.organization_id)
    recipients = participants | ({ticket.assignee_id} if ticket.assignee_id else set())
    await notices.stage(
        session,
        [
            Notice(
                ticket.id,
                "message_added",
                NotificationKind.NEW_MESSAGE,
                actor.user_id,
                recipients if public else recipients & staff,
                set() if ticket.assignee_id else staff,
                message.id,
            )
        ],
    )
    return message


async def _follow_up(
    session: AsyncSession, customer: Principal, closed: Ticket, body: str, now: datetime
) -> Message:
    """Open a ticket that goes on where a closed one ended; returns its first message."""
    wanted = TicketInput(subject=_follow_up_subject(closed.subject), body=body, priority=closed.priority)
    ticket = await create_ticket(session, customer, wanted, now)
    ticket.follow_up_of = closed.id
    [message] = await repository.messages(session, ticket.id, internal=False)
    return message


def _follow_up_subject(subject: str) -> str:
    return subject if subject.startswith("Re: ") else f"Re: {subject}"[:SUBJECT_LIMIT]


async def update_ticket(
    session: AsyncSession, actor: Principal, ticket_id: str, patch: TicketPatch, now: datetime
) -> Ticket:
    """Change status, priority, assignee or team. What is as wanted already changes nothing, tells nobody."""
    if not actor.role.is_staff:
        raise Forbidden("only staff may change a ticket")
    ticket = await _ticket(session, actor, ticket_id, for_update=True)
    told: list[Notice] = []
    changes: dict[str, object] = {}
    if "assignee_id" in patch.model_fields_set and patch.assignee_id != ticket.assignee_id:
        if patch.assignee_id is not None:
            await _assignee(session, actor, patch.assignee_id)
            told.append(
                Notice(ticket.id, "assigned", NotificationKind.ASSIGNMENT, actor.user_id, {patch.assignee_id})
            )
        ticket.assignee_id = patch.assignee_id
        changes["assigneeId"] = patch.assignee_id
    if "team_id" in patch.model_fields_set and patch.team_id != ticket.team_id:
        if patch.team_id is not None:
            await teams.require_team(session, actor.organization_id, patch.team_id)
        ticket.team_id = patch.team_id
        changes["teamId"] = patch.team_id
    if patch.priority is not None and patch.priority is not ticket.priority:
        ticket.priority = patch.priority
        changes["priority"] = patch.priority
    if changes.keys() & {"teamId", "priority"}:
        await sla.retarget(session, ticket, now)
    if patch.status is not None and patch.status is not ticket.status:
        await _change_status(session, ticket, patch.status, now)
        changes["status"] = patch.status
        told.append(await _status_notice(session, ticket, actor))
    if not changes:
        return ticket
    if changes.keys() & {"teamId", "priority"} and "status" not in changes:
        told.append(Notice(ticket.id, "updated", None, actor.user_id, await _involved(session, ticket)))
    ticket.updated_at = now
    accounts.audit(session, actor, "ticket.updated", "ticket", ticket.id, **changes)
    await notices.stage(session, told)
    return ticket


async def _change_status(session: AsyncSession, ticket: Ticket, status: TicketStatus, now: datetime) -> None:
    """Set the status, with the timestamps and clocks that go with it."""
    was = ticket.status
    ticket.status = status
    if status.is_done:
        await sla.fulfil(session, ticket, list(Metric), now)
        ticket.resolved_at = ticket.resolved_at or now
    else:
        ticket.resolved_at = None
    ticket.closed_at = now if status is TicketStatus.CLOSED else None
    ticket.closed_reason = "closed_by_staff" if status is TicketStatus.CLOSED else None
    if was.is_done and not status.is_done:
        await sla.reopen(session, ticket, now)
    if status is TicketStatus.PENDING:
        await sla.pause(session, ticket, now)
    elif status is TicketStatus.OPEN and was is TicketStatus.PENDING:
        await sla.resume(session, ticket, now)


async def organizations_of_tickets(session: AsyncSession, ids: Collection[str]) -> dict[str, set[str]]:
    """The organization of each of these tickets that exists; for no person's eyes."""
    found = await repository.owners(session, ids) if ids else []
    return {ticket: {organization} for ticket, organization in found}


async def _status_notice(session: AsyncSession, ticket: Ticket, actor: Principal) -> Notice:
    action, kind = {
        TicketStatus.RESOLVED: ("resolved", NotificationKind.TICKET_RESOLVED),
        TicketStatus.CLOSED: ("closed", NotificationKind.TICKET_CLOSED),
    }.get(ticket.status, ("updated", NotificationKind.STATUS_CHANGE))
    return Notice(ticket.id, action, kind, actor.user_id, await _involved(session, ticket))


async def _involved(session: AsyncSession, ticket: Ticket) -> set[str]:
    participants = await repository.participant_ids(session, ticket.id)
    return participants | ({ticket.assignee_id} if ticket.assignee_id else set())


async def _ticket(session: AsyncSession, reader: Principal, ticket_id: str, *, for_update: bool) -> Ticket:
    ticket = await repository.ticket(
        session, reader.organization_id, ticket_id, customer_id=_restriction(reader), for_update=for_update
    )
    if ticket is None:
        raise NotFound("ticket not found")
    return ticket


def _restriction(reader: Principal) -> str | None:
    """The customer whose tickets alone may be read; None for staff."""
    return None if reader.role.is_staff else reader.user_id


async def _member(session: AsyncSession, actor: Principal, user_id: str, field: str) -> User:
    user = await accounts.find_user(session, actor.organization_id, user_id)
    if user is None:
        raise Invalid(f"{field}: no such user in this organization")
    return user


async def _assignee(session: AsyncSession, actor: Principal, user_id: str) -> None:
    user = await _member(session, actor, user_id, "assigneeId")
    if user.role is Role.CUSTOMER:
        raise Invalid("assigneeId: a customer cannot be assigned a ticket")


def _message(ticket: Ticket, author: Principal, body: str, visibility: Visibility, now: datetime) -> Message:
    return Message(
        organization_id=ticket.organization_id,
        ticket_id=ticket.id,
        author_id=author.user_id,
        body=body,
        visibility=visibility,
        created_at=now,
    )
