"""REST of login and users."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from insightdesk.accounts import service, sessions
from insightdesk.accounts.access import (
    CurrentAdmin,
    CurrentPrincipal,
    clear_session,
    not_from_elsewhere,
    session_token,
    set_session,
)
from insightdesk.accounts.models import Role
from insightdesk.accounts.schemas import LoginInput, PrincipalView, UserInput, UserView
from insightdesk.database import transaction
from insightdesk.kit import clock
from insightdesk.kit.envelope import Envelope, ok

router = APIRouter(prefix="/api", tags=["accounts"])


def client_address(request: Request) -> str:
    """Where a request came from."""
    return request.client.host if request.client else ""


@router.post("/login", dependencies=[Depends(not_from_elsewhere)])
async def login(body: LoginInput, request: Request, response: Response) -> Envelope[PrincipalView]:
    """Open a session: a cookie that scripts cannot read."""
    opened = await sessions.log_in(
        body.email,
        body.password,
        body.organization,
        address=client_address(request),
        presented=session_token(request),
        now=clock.now(),
    )
    set_session(response, opened)
    return ok(PrincipalView.model_validate(opened.principal))


@router.post("/logout")
async def logout(principal: CurrentPrincipal, request: Request, response: Response) -> Envelope[None]:
    """End the browser's session."""
    if token := session_token(request):
        async with transaction() as session:
            await sessions.log_out(session, token)
    clear_session(response)
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
