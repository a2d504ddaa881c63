"""Pages of mail: what was sent and what became of it, previews, a person's wishes, and the one-click stop."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import HTMLResponse

from insightdesk.accounts.access import CurrentAdmin, CurrentPrincipal
from insightdesk.database import transaction
from insightdesk.email import service, unsubscribe
from insightdesk.email.models import DeliveryState
from insightdesk.email.previews import in_scheme, preview
from insightdesk.email.registry import REGISTRY, UnknownTemplate
from insightdesk.email.rendering import RenderedMail
from insightdesk.email.routes import preferences_of
from insightdesk.kit import clock
from insightdesk.kit.errors import NotFound
from insightdesk.kit.local_time import zone_names
from insightdesk.pages import queries, view
from insightdesk.pages.rendering import html
from insightdesk.pages.view import PageRoute

__all__ = ["router"]

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_PAGE = 50  # mails of one page of the outbox
Token = Annotated[str, Path(max_length=2000)]


@router.get("/mail")
async def outbox(
    me: CurrentAdmin,
    state: Annotated[DeliveryState | None, Query()] = None,
    before: Annotated[str | None, Query(max_length=64)] = None,
) -> HTMLResponse:
    """The organization's mails by state, newest first, and how the providers stand."""
    async with transaction() as session:
        mails = await queries.outbox(session, me, state, before, _PAGE)
        providers = await service.provider_statuses(session)
    return view.page(
        "outbox.html",
        me,
        "/mail",
        mails=mails,
        more=len(mails) == _PAGE,
        state=state,
        states=list(DeliveryState),
        providers=providers,
        now=clock.now(),
    )


@router.get("/mail/templates")
async def templates(me: CurrentAdmin) -> HTMLResponse:
    """Every mail that there is."""
    shown = [(template, preview(template.name).subject) for template in REGISTRY.values()]
    return view.page("mail_templates.html", me, "/mail/templates", templates=shown)


@router.get("/mail/templates/{name}")
async def template(name: str, me: CurrentAdmin) -> HTMLResponse:
    """One mail with its sample, as a desk and a phone show it, and its text part."""
    return view.page("mail_template.html", me, "/mail/templates", name=name, mail=_preview(name))


@router.get("/mail/templates/{name}/html")
async def template_html(
    name: str, _: CurrentAdmin, scheme: Literal["", "light", "dark"] = ""
) -> HTMLResponse:
    """The HTML part of a preview, for its frame; light or dark, else as the system is."""
    return view.framed(in_scheme(_preview(name).html, scheme))


@router.get("/mail/stop/{token}")
async def ask_to_stop(token: Token) -> HTMLResponse:
    """Asks whether mails of one kind shall stop. Looking changes nothing: programs follow links too."""
    wish = unsubscribe.read(token, clock.now())
    return html("mail_stop.html", kind=wish.type.replace("_", " "), done=False)


@router.post("/mail/stop/{token}")
async def stop(token: Token) -> HTMLResponse:
    """Stops them: by the button of that page, or by a mail program's one click (RFC 8058). Needs no login,
    since the signed link says who it is."""
    wish = await unsubscribe.stop(token, clock.now())
    return html("mail_stop.html", kind=wish.type.replace("_", " "), done=True)


@router.get("/preferences")
async def preferences(me: CurrentPrincipal) -> HTMLResponse:
    """What the reader wants to be told, and when not."""
    return view.page(
        "preferences.html", me, "/preferences", wishes=await preferences_of(me), zones=zone_names()
    )


def _preview(name: str) -> RenderedMail:
    try:
        return preview(name)
    except UnknownTemplate as error:
        raise NotFound("there is no such template") from error
