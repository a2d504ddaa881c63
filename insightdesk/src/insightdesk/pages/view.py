"""The frame of a page: who looks at it, and the links that he may follow."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import HTMLResponse

from insightdesk.accounts.access import current_principal
from insightdesk.accounts.models import Role
from insightdesk.accounts.service import Principal
from insightdesk.kit.errors import Unauthorized
from insightdesk.pages.rendering import MAIL_POLICY, headers, html

__all__ = ["Link", "framed", "login_page", "page", "visitor"]


@dataclass(frozen=True)
class Link:
    """A page in the navigation, and who sees it there."""

    path: str
    label: str
    roles: frozenset[Role] = frozenset(Role)


_ADMIN = frozenset({Role.ADMIN})
_STAFF = frozenset({Role.ADMIN, Role.AGENT})
_LINKS = (
    Link("/", "Desk"),
    Link("/ui/sla", "Service levels", _STAFF),
    Link("/ui/exports", "Exports", _STAFF),
    Link("/mail", "Mail", _ADMIN),
    Link("/mail/templates", "Templates", _ADMIN),
    Link("/ui/admin/overview", "Admin", _ADMIN),
    Link("/preferences", "Preferences"),
)


async def visitor(request: Request) -> Principal | None:
    """Who looks at a page; None for somebody who has to log in first."""
    try:
        return await current_principal(request)
    except Unauthorized:
        return None


def login_page() -> HTMLResponse:
    """What a page shows to whom it does not know; after the login it shows itself."""
    return html("login.html")


def page(template: str, me: Principal, path: str, **values: object) -> HTMLResponse:
    """A whole page with its navigation, in which `path` is where we are."""
    links = [link for link in _LINKS if me.role in link.roles]
    return html(template, me=me, links=links, here=path, **values)


def framed(document: str) -> HTMLResponse:
    """A mail's HTML part, for a sandboxed frame."""
    return HTMLResponse(document, headers=headers(MAIL_POLICY))
