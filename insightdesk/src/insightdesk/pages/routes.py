"""The page at `/`, its fragments, and the stream that says when to fetch them again."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import PurePath

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts import service as accounts
from insightdesk.accounts import teams
from insightdesk.accounts.access import CurrentPrincipal
from insightdesk.accounts.service import Principal
from insightdesk.database import transaction
from insightdesk.kit import clock
from insightdesk.kit.errors import NotFound
from insightdesk.pages import queries, view
from insightdesk.pages.rendering import html
from insightdesk.tickets.models import Priority, TicketStatus

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_PERIOD = 1.0  # seconds between two looks at whether something changed
_TYPES = {".css": "text/css", ".js": "text/javascript"}


@router.get("/")
async def page(request: Request) -> HTMLResponse:
    """The board for whoever has a session, the login form for the rest."""
    me = await view.visitor(request)
    if me is None:
        return view.login_page()
    async with transaction() as session:
        board = await queries.board(session, me)
    return view.page("page.html", me, "/", board=board, now=clock.now())


@router.get("/ui/board")
async def board(principal: CurrentPrincipal) -> HTMLResponse:
    """Both lists."""
    async with transaction() as session:
        return html("board.html", board=await queries.board(session, principal), now=clock.now())


@router.get("/ui/tickets/{ticket_id}")
async def ticket(ticket_id: str, principal: CurrentPrincipal) -> HTMLResponse:
    """A ticket's messages."""
    async with transaction() as session:
        found = await queries.messages(session, principal, ticket_id)
        if found is None:
            raise NotFound("there is no such ticket")
        of_staff = await _choices(session, principal) if principal.role.is_staff else {}
    return html("ticket.html", ticket=found[0], rows=found[1], me=principal, **of_staff)


async def _choices(session: AsyncSession, principal: Principal) -> dict[str, object]:
    """What staff may set a ticket to."""
    return {
        "statuses": list(TicketStatus),
        "priorities": list(Priority),
        "staff": await accounts.list_staff(session, principal.organization_id),
        "teams": await teams.list_teams(session, principal.organization_id),
    }


@router.get("/ui/mails/{delivery_id}")
async def mail(delivery_id: str, principal: CurrentPrincipal) -> HTMLResponse:
    """A mail's reader."""
    async with transaction() as session:
        found = await queries.mail(session, principal, delivery_id)
    if found is None:
        raise NotFound("there is no such mail")
    return html("mail.html", mail=found, me=principal)


@router.get("/ui/mails/{delivery_id}/html")
async def mail_html(delivery_id: str, principal: CurrentPrincipal) -> HTMLResponse:
    """A mail's HTML part, for the sandboxed frame."""
    async with transaction() as session:
        found = await queries.mail(session, principal, delivery_id)
    if found is None:
        raise NotFound("there is no such mail")
    return view.framed(found.html)


@router.get("/ui/events")
async def events(request: Request, principal: CurrentPrincipal) -> StreamingResponse:
    """Server-sent events: `change` whenever the lists are out of date."""

    async def stream() -> AsyncIterator[str]:
        last = ""
        while not await request.is_disconnected():
            async with transaction() as session:
                now = await queries.fingerprint(session, principal)
            yield f"event: change\ndata: {abs(hash(now))}\n\n" if now != last else ": still here\n\n"
            last = now
            await asyncio.sleep(_PERIOD)

    return StreamingResponse(
        stream(),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.get("/ui/{name}")
async def asset(name: str, request: Request) -> Response:
    """A style sheet or a script."""
    found = _assets().get(name)
    if found is None:
        raise NotFound("there is no such file")
    headers = {"Cache-Control": "no-cache", "ETag": found.tag, "X-Content-Type-Options": "nosniff"}
    if request.headers.get("if-none-match") == found.tag:
        return Response(status_code=304, headers=headers)
    return Response(found.content, media_type=found.type, headers=headers)


@dataclass(frozen=True)
class _Asset:
    content: bytes
    type: str
    tag: str


@lru_cache(maxsize=1)
def _assets() -> dict[str, _Asset]:
    found = {}
    for file in resources.files("insightdesk.pages").joinpath("static").iterdir():
        content = file.read_bytes()
        kind = _TYPES[PurePath(file.name).suffix]
        found[file.name] = _Asset(content, kind, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
    return found
