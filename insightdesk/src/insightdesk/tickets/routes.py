"""REST of tickets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts.access import CurrentPrincipal
from insightdesk.database import transaction
from insightdesk.kit import clock
from insightdesk.kit.envelope import Envelope, ok
from insightdesk.kit.pagination import Page, PageQuery
from insightdesk.sla import service as sla
from insightdesk.sla.schemas import ClockView
from insightdesk.tickets import service
from insightdesk.tickets.models import Ticket, TicketStatus
from insightdesk.tickets.schemas import (
    TAG_LIMIT,
    MessageInput,
    MessageView,
    TicketDetail,
    TicketInput,
    TicketPatch,
    TicketView,
)

router = APIRouter(prefix="/api/tickets", tags=["tickets"])


async def _views(session: AsyncSession, tickets: Sequence[Ticket]) -> list[TicketView]:
    clocks = await sla.clocks_of(session, [ticket.id for ticket in tickets])
    views = []
    for ticket in tickets:
        sla_view = [ClockView.model_validate(clock) for clock in clocks[ticket.id]]
        views.append(TicketView.model_validate(ticket).model_copy(update={"sla": sla_view}))
    return views


@router.post("", status_code=201)
async def create_ticket(body: TicketInput, principal: CurrentPrincipal) -> Envelope[TicketView]:
    """Open a ticket."""
    async with transaction() as session:
        ticket = await service.create_ticket(session, principal, body, clock.now())
        [view] = await _views(session, [ticket])
    return ok(view)


@router.get("")
async def list_tickets(
    principal: CurrentPrincipal,
    page: PageQuery,
    status: TicketStatus | None = None,
    tag: Annotated[str | None, Query(max_length=TAG_LIMIT)] = None,
) -> Envelope[Page[TicketView]]:
    """Tickets that you may see, newest first."""
    async with transaction() as session:
        tickets, total = await service.list_tickets(session, principal, page, status, tag)
        views = await _views(session, tickets)
    return ok(Page(items=views, total=total, page=page.page, page_size=page.page_size))


@router.get("/{ticket_id}")
async def get_ticket(ticket_id: str, principal: CurrentPrincipal) -> Envelope[TicketDetail]:
    """One ticket with its messages."""
    async with transaction() as session:
        ticket = await service.get_ticket(session, principal, ticket_id)
        messages = await service.get_messages(session, principal, ticket_id)
        [view] = await _views(session, [ticket])
        views = [MessageView.model_validate(message) for message in messages]
    return ok(TicketDetail(**view.model_dump(), messages=views))


@router.post("/{ticket_id}/messages", status_code=201)
async def add_message(
    ticket_id: str, body: MessageInput, principal: CurrentPrincipal
) -> Envelope[MessageView]:
    """Say something on a ticket."""
    async with transaction() as session:
        message = await service.add_message(session, principal, ticket_id, body, clock.now())
    return ok(MessageView.model_validate(message))


@router.patch("/{ticket_id}")
async def update_ticket(
    ticket_id: str, body: TicketPatch, principal: CurrentPrincipal
) -> Envelope[TicketView]:
    """Change status, priority, assignee or team."""
    async with transaction() as session:
        ticket = await service.update_ticket(session, principal, ticket_id, body, clock.now())
        [view] = await _views(session, [ticket])
    return ok(view)
