"""The board of promises: what is broken, what comes next, what waits; and how well the last weeks went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts.access import CurrentPrincipal
from insightdesk.accounts.models import Role, Team, User
from insightdesk.database import transaction
from insightdesk.kit import clock
from insightdesk.pages import view
from insightdesk.pages.rendering import html
from insightdesk.pages.view import PageRoute
from insightdesk.sla import service as sla
from insightdesk.sla.models import SlaClock
from insightdesk.tickets.models import Ticket

__all__ = ["router"]

router = APIRouter(prefix="/ui/sla", include_in_schema=False, route_class=PageRoute)

_LIMIT = 100  # clocks that are shown
_WEEKS = 4  # of attainment


@dataclass(frozen=True)
class Row:
    """A clock that still runs, or whose broken promise is still open."""

    clock: SlaClock
    ticket: Ticket
    assignee: str | None
    team: str | None


@dataclass(frozen=True)
class Totals:
    """The organization's open clocks, also those that are not shown."""

    broken: int
    soon: int
    running: int
    paused: int


@router.get("")
async def page(principal: CurrentPrincipal) -> HTMLResponse:
    """The whole page; for staff."""
    principal.require(Role.ADMIN, Role.AGENT)
    now = clock.now()
    async with transaction() as session:
        live = await _live(session, principal.organization_id, now)
        weeks = await sla.attainment(session, principal.organization_id, now - timedelta(weeks=_WEEKS), now)
    return view.page("sla.html", principal, "/ui/sla", weeks=list(reversed(weeks)), **live)


@router.get("/live")
async def live(principal: CurrentPrincipal) -> HTMLResponse:
    """The part that changes."""
    principal.require(Role.ADMIN, Role.AGENT)
    async with transaction() as session:
        return html("_sla.html", **await _live(session, principal.organization_id, clock.now()))


async def _live(session: AsyncSession, organization_id: str, now: datetime) -> dict[str, object]:
    rows = await _rows(session, organization_id)
    return {"rows": rows, "totals": await _totals(session, organization_id, now), "now": now}


async def _rows(session: AsyncSession, organization_id: str) -> Sequence[Row]:
    """What is due first, first; what is paused, last."""
    found = await session.execute(
        select(SlaClock, Ticket, User.name, Team.name)
        .join(Ticket, Ticket.id == SlaClock.ticket_id)
        .outerjoin(User, User.id == Ticket.assignee_id)
        .outerjoin(Team, Team.id == Ticket.team_id)
        .where(SlaClock.organization_id == organization_id, SlaClock.fulfilled_at.is_(None))
        .order_by(SlaClock.paused_since.is_not(None), SlaClock.due_at, SlaClock.id)
        .limit(_LIMIT)
    )
    return [Row(*row) for row in found]


async def _totals(session: AsyncSession, organization_id: str, now: datetime) -> Totals:
    open_still = SlaClock.breached_at.is_(None)
    running = open_still & SlaClock.paused_since.is_(None)
    counts = await session.execute(
        select(
            func.count().filter(~open_still),
            func.count().filter(running & (SlaClock.due_at < now + timedelta(hours=1))),
            func.count().filter(running),
            func.count().filter(open_still & SlaClock.paused_since.is_not(None)),
        ).where(SlaClock.organization_id == organization_id, SlaClock.fulfilled_at.is_(None))
    )
    return Totals(*counts.one())
