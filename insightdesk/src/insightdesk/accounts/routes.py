"""REST of login and users."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request, Response

from insightdesk.accounts import service
from insightdesk.accounts.access import SESSION_COOKIE, CurrentAdmin, CurrentPrincipal
from insightdesk.accounts.models import Role
from insightdesk.accounts.passwords import sign_session
from insightdesk.accounts.schemas import LoginInput, PrincipalView, UserInput, UserView
from insightdesk.accounts.throttle import LoginThrottle
from insightdesk.database import transaction
from insightdesk.kit.envelope import Envelope, ok
from insightdesk.kit.errors import TooMany, Unauthorized
from insightdesk.settings import get_settings

router = APIRouter(prefix="/api", tags=["accounts"])
_throttle = LoginThrottle()


@router.post("/login")
async def login(body: LoginInput, request: Request, response: Response) -> Envelope[PrincipalView]:
    """Open a session: a signed cookie that scripts cannot read."""
    key = f"{request.client.host if request.client else ''}|{body.email.lower()}"
    if not _throttle.is_open(key, time.monotonic()):
        raise TooMany("too many failed logins; try again in five minutes")
    try:
        async with transaction() as session:
            principal = await service.login(session, body.email, body.password, body.organization)
    except Unauthorized:
        _throttle.record_failure(key, time.monotonic())
        raise
    _throttle.forget(key)
    settings = get_settings()
    lifetime = int(settings.session_hours * 3600)
    response.set_cookie(
        SESSION_COOKIE,
        sign_session(settings.secret.get_secret_value(), principal.user_id, int(time.time()) + lifetime),
        max_age=lifetime,
        httponly=True,
        samesite="lax",
        secure=settings.secure_cookies,
    )
    return ok(PrincipalView.model_validate(principal))


@router.post("/logout")
async def logout(response: Response) -> Envelope[None]:
    """Close the browser's session."""
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax")
    return ok(None)


@router.get("/me")
async def me(principal: CurrentPrincipal) -> Envelope[PrincipalView]:
    """Who you are."""
    return ok(PrincipalView.model_validate(principal))


@router.get("/users")
async def list_users(principal: CurrentPrincipal) -> Envelope[list[UserView]]:
    """The organization's people; for staff."""
    principal.require(Role.ADMIN, Role.AGENT)
    async with transaction() as session:
        users = await service.list_users(session, principal.organization_id)
        return ok([UserView.model_validate(user) for user in users])


@router.post("/users", status_code=201)
async def create_user(body: UserInput, admin: CurrentAdmin) -> Envelope[UserView]:
    """A new user of the administrator's organization; a welcome mail is sent."""
    async with transaction() as session:
        user = await service.create_user(
            session, admin.organization_id, body.email, body.name, body.role, password=body.password
        )
        service.audit(session, admin, "user.created", "user", user.id, role=user.role)
        return ok(UserView.model_validate(user))
