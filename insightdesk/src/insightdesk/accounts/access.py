"""How a request proves who makes it: a bearer token, or the session's cookie."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import Depends, Request

from insightdesk.accounts import service
from insightdesk.accounts.models import Role
from insightdesk.accounts.passwords import read_session
from insightdesk.accounts.service import Principal
from insightdesk.database import transaction
from insightdesk.kit import clock
from insightdesk.kit.errors import Unauthorized
from insightdesk.settings import get_settings

SESSION_COOKIE = "insightdesk_session"


async def authenticate(authorization: str | None, cookie: str | None) -> Principal:
    """Who made a request with this ``Authorization`` header or session cookie.

    Raises:
        Unauthorized: Neither proves anything.
    """
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("the Authorization header must be `Bearer <token>`")
        async with transaction() as session:
            return await service.principal_of_token(session, token.strip(), clock.now())
    user_id = read_session(get_settings().secret.get_secret_value(), cookie, time.time()) if cookie else None
    if user_id is None:
        raise Unauthorized("log in, or send `Authorization: Bearer <token>`")
    async with transaction() as session:
        return await service.principal_of_session(session, user_id)


async def current_principal(request: Request) -> Principal:
    """The dependency of every route that needs a user."""
    return await authenticate(request.headers.get("authorization"), request.cookies.get(SESSION_COOKIE))


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]


def current_admin(principal: CurrentPrincipal) -> Principal:
    """The dependency of every route for administrators alone."""
    principal.require(Role.ADMIN)
    return principal


CurrentAdmin = Annotated[Principal, Depends(current_admin)]
