"""The page at `/`, its fragments, and the stream that says when to fetch them again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from importlib import resources

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from insightdesk.accounts.access import CurrentPrincipal
from insightdesk.database import transaction
from insightdesk.kit import clock
from insightdesk.kit.errors import NotFound
from insightdesk.pages import queries, view
from insightdesk.pages.rendering import html

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_PERIOD = 1.0  # seconds between two looks at whether something changed
_ASSETS = {
    "app.css": "text/css",
    "app.js": "text/javascript",
    "admin.js": "text/javascript",
    "personal.js": "text/javascript",
    "exports.js": "text/javascript",
}


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
    return html("ticket.html", ticket=found[0], rows=found[1], me=principal)


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
async def asset(name: str) -> Response:
    """The style sheet and the script."""
    if name not in _ASSETS:
        raise NotFound("there is no such file")
    text = resources.files("insightdesk.pages").joinpath("static", name).read_text(encoding="utf-8")
    return Response(
        text,
        media_type=_ASSETS[name],
        headers={"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"},
    )
