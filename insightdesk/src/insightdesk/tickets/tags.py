"""Tags: short words that staff put on tickets, and the REST of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts import service as accounts
from insightdesk.accounts.access import CurrentPrincipal
from insightdesk.accounts.models import Role
from insightdesk.accounts.service import Principal
from insightdesk.database import transaction
from insightdesk.kit import clock
from insightdesk.kit.envelope import Envelope, ok
from insightdesk.kit.errors import Invalid
from insightdesk.tickets import repository, service
from insightdesk.tickets.models import Ticket
from insightdesk.tickets.schemas import TAG_LIMIT

MAX_TAGS = 20

router = APIRouter(prefix="/api/tickets/{ticket_id}/tags", tags=["tickets"])

Tag = Annotated[str, Path(max_length=TAG_LIMIT, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


@router.put("/{tag}")
async def add_tag(ticket_id: str, tag: Tag, principal: CurrentPrincipal) -> Envelope[list[str]]:
    """Put a tag on a ticket; one that is there stays. `no-auto-close` keeps it from closing by itself."""
    return ok(await _change(principal, ticket_id, tag, wanted=True))


@router.delete("/{tag}")
async def remove_tag(ticket_id: str, tag: Tag, principal: CurrentPrincipal) -> Envelope[list[str]]:
    """Take a tag off a ticket."""
    return ok(await _change(principal, ticket_id, tag, wanted=False))


async def in_use(session: AsyncSession, organization_id: str) -> dict[str, int]:
    """Each tag of the organization's open and pending tickets, and on how many of them it is."""
    return await repository.tags_of_unsolved(session, organization_id)


async def unsolved(session: AsyncSession, organization_id: str, tag: str, limit: int) -> Sequence[Ticket]:
    """The newest open and pending tickets with a tag."""
    return await repository.unsolved_with_tag(session, organization_id, tag, limit)


async def _change(principal: Principal, ticket_id: str, tag: str, *, wanted: bool) -> list[str]:
    """Put on or take off; returns the ticket's tags, sorted.

    Raises:
        Invalid: The ticket has `MAX_TAGS` already.
    """
    principal.require(Role.ADMIN, Role.AGENT)
    async with transaction() as session:
        ticket = await service.lock_ticket(session, principal, ticket_id)
        tags = set(ticket.tags) | {tag} if wanted else set(ticket.tags) - {tag}
        if len(tags) > MAX_TAGS:
            raise Invalid(f"a ticket has at most {MAX_TAGS} tags")
        if tags != set(ticket.tags):
            ticket.tags = sorted(tags)
            ticket.updated_at = clock.now()
            action = "ticket.tagged" if wanted else "ticket.untagged"
            accounts.audit(session, principal, action, "ticket", ticket.id, tag=tag)
        return ticket.tags
