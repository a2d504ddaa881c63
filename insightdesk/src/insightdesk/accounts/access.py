"""How a request proves who makes it: a bearer token, or the session's cookie."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Response
from fastapi.security import APIKeyCookie, HTTPBearer

from insightdesk.accounts import sessions, tokens
from insightdesk.accounts.models import Role, Scope
from insightdesk.accounts.passwords import csrf_token, is_csrf_token
from insightdesk.accounts.service import Principal
from insightdesk.accounts.sessions import Opened
from insightdesk.database import transaction
from insightdesk.kit import clock
from insightdesk.kit.errors import Forbidden, Unauthorized
from insightdesk.settings import get_settings
from insightdesk.tenancy import everyone, stay_within

SESSION_COOKIE = "insightdesk_session"
CSRF_COOKIE = "insightdesk_csrf"
CSRF_HEADER = "X-CSRF-Token"

_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
# Both only tell the OpenAPI document what is asked for; they refuse nobody.
_bearer_docs = HTTPBearer(
    auto_error=False, scheme_name="token", description="A token of `insightdesk token create`."
)
_cookie_docs = APIKeyCookie(
    name=SESSION_COOKIE,
    auto_error=False,
    scheme_name="session",
    description=f"What `POST /api/login` sets. A request that changes anything needs the header "
    f"`{CSRF_HEADER}` too, with the value of the cookie `{CSRF_COOKIE}`.",
)


def cookie_name(name: str) -> str:
    """The name under which a cookie is set. The prefix keeps other hosts of the domain from setting it."""
    return f"__Host-{name}" if get_settings().cookies_are_secure else name


def session_token(request: Request) -> str | None:
    """What the request's session cookie holds."""
    return request.cookies.get(cookie_name(SESSION_COOKIE))


async def authenticate(authorization: str | None, cookie: str | None) -> Principal:
    """Who made a request with this ``Authorization`` header or session cookie; the header counts first.

    Raises:
        Unauthorized: Neither proves anything.
    """
    now = clock.now()
    with everyone():
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer" or not token.strip():
                raise Unauthorized("the Authorization header must be `Bearer <token>`")
            async with transaction() as session:
                return await tokens.principal_of_token(session, token.strip(), now)
        if not cookie:
            raise Unauthorized("log in, or send `Authorization: Bearer <token>`")
        async with transaction() as session:
            return await sessions.principal_of_session(session, cookie, now)


async def current_principal(request: Request) -> Principal:
    """The dependency of every route that needs a user. From here on the request sees the user's
    organization alone.

    Raises:
        Unauthorized: Nobody is proved.
        Forbidden: The token may only read; or a browser changes something without the token of its page.
    """
    authorization, cookie = request.headers.get("authorization"), session_token(request)
    principal = await authenticate(authorization, cookie)
    if request.method not in _HARMLESS:
        principal.require_scope(Scope.WRITE)
        if authorization is None and not is_csrf_token(request.headers.get(CSRF_HEADER, ""), cookie or ""):
            raise Forbidden(f"send the cookie {cookie_name(CSRF_COOKIE)} as the header {CSRF_HEADER} too")
    stay_within(principal.organization_id)
    return principal


async def _documented(
    request: Request,
    _token: Annotated[object, Depends(_bearer_docs)],
    _session: Annotated[object, Depends(_cookie_docs)],
) -> Principal:
    return await current_principal(request)


CurrentPrincipal = Annotated[Principal, Depends(_documented)]


async def current_admin(principal: CurrentPrincipal) -> Principal:
    """The dependency of every route for administrators alone."""
    principal.require(Role.ADMIN)
    return principal


CurrentAdmin = Annotated[Principal, Depends(current_admin)]


def not_from_elsewhere(request: Request) -> None:
    """The dependency of routes that are called before there is a session: a page of another site may not
    log its visitor in under an account of its own.

    Raises:
        Forbidden: The browser says that another site made the request.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("this request comes from another site")


def set_session(response: Response, opened: Opened) -> None:
    """Give the browser its session's cookie, and the one that its pages read for the CSRF header."""
    secure = get_settings().cookies_are_secure
    for name, value, hidden in (
        (SESSION_COOKIE, opened.token, True),
        (CSRF_COOKIE, csrf_token(opened.token), False),
    ):
        response.set_cookie(
            cookie_name(name), value, max_age=opened.lifetime, httponly=hidden, samesite="lax", secure=secure
        )


def clear_session(response: Response) -> None:
    """Take both cookies away."""
    secure = get_settings().cookies_are_secure
    for name, hidden in ((SESSION_COOKIE, True), (CSRF_COOKIE, False)):
        response.delete_cookie(cookie_name(name), httponly=hidden, samesite="lax", secure=secure)
