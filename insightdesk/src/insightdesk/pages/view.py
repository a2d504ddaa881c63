"""The frame of a page: who looks at it, and the links that he may follow."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from insightdesk.accounts.access import current_principal
from insightdesk.accounts.models import Role
from insightdesk.accounts.service import Principal
from insightdesk.kit.errors import DeskError, Invalid, Unauthorized, explain
from insightdesk.pages.rendering import MAIL_POLICY, headers, html

__all__ = ["ADMINISTRATION", "Link", "PageRoute", "framed", "login_page", "page", "problem_page", "visitor"]


@dataclass(frozen=True)
class Link:
    """A page in the navigation, and who sees it there."""

    path: str
    label: str
    roles: frozenset[Role] = frozenset(Role)


ADMINISTRATION = "/ui/admin/overview"
"""Where the administrators' pages begin."""

_ADMIN = frozenset({Role.ADMIN})
_STAFF = frozenset({Role.ADMIN, Role.AGENT})
_LINKS = (
    Link("/", "Desk"),
    Link("/ui/sla", "Service levels", _STAFF),
    Link("/ui/exports", "Exports", _STAFF),
    Link("/mail", "Mail", _ADMIN),
    Link("/mail/templates", "Templates", _ADMIN),
    Link(ADMINISTRATION, "Admin", _ADMIN),
    Link("/preferences", "Preferences"),
)


class PageRoute(APIRoute):
    """A route whose failures are pages: the login in its place for who has no session, else what is wrong."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await answer(request)
            except Unauthorized:
                if request.headers.get("sec-fetch-mode", "navigate") != "navigate":
                    raise  # a script that asks for a part of a page must not be given another page
                return login_page()
            except DeskError as error:
                return problem_page(error.status, str(error))
            except RequestValidationError as error:
                return problem_page(Invalid.status, explain(error.errors()))

        return shown


async def visitor(request: Request) -> Principal | None:
    """Who looks at a page; None for somebody who has to log in first."""
    try:
        return await current_principal(request)
    except Unauthorized:
        return None


def login_page() -> HTMLResponse:
    """What a page shows to whom it does not know; after the login it shows itself."""
    return html("login.html")


def problem_page(status: int, problem: str) -> HTMLResponse:
    """What a page shows in its place when it cannot be had."""
    shown = html("problem.html", problem=problem)
    shown.status_code = status
    return shown


def page(template: str, me: Principal, path: str, **values: object) -> HTMLResponse:
    """A whole page with its navigation, in which `path` is where we are."""
    links = [link for link in _LINKS if me.role in link.roles]
    return html(template, me=me, links=links, here=path, **values)


def framed(document: str) -> HTMLResponse:
    """A mail's HTML part, for a sandboxed frame."""
    return HTMLResponse(document, headers=headers(MAIL_POLICY))
