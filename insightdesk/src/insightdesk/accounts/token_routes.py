"""REST of bearer tokens: one's own, and for administrators the organization's."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter

from insightdesk.accounts import tokens
from insightdesk.accounts.access import CurrentPrincipal
from insightdesk.accounts.schemas import IssuedView, TokenInput, TokenView
from insightdesk.database import transaction
from insightdesk.kit import clock
from insightdesk.kit.envelope import Envelope, ok

router = APIRouter(prefix="/api/tokens", tags=["tokens"])


@router.get("")
async def list_tokens(principal: CurrentPrincipal) -> Envelope[list[TokenView]]:
    """Your tokens that are not revoked; an administrator's are the organization's."""
    async with transaction() as session:
        found = await tokens.list_tokens(session, principal)
    return ok([TokenView.model_validate(token) for token in found])


@router.post("", status_code=201)
async def create_token(body: TokenInput, principal: CurrentPrincipal) -> Envelope[IssuedView]:
    """A new token for yourself. Its text is shown this once."""
    async with transaction() as session:
        issued = await tokens.issue_own(
            session,
            principal,
            now=clock.now(),
            name=body.name,
            lifetime=timedelta(days=body.expires_in_days),
            scope=body.scope,
        )
    view = TokenView.model_validate(issued.kept)
    return ok(IssuedView(**view.model_dump(), token=issued.token))


@router.delete("/{token_id}")
async def revoke_token(token_id: str, principal: CurrentPrincipal) -> Envelope[None]:
    """Take a token back."""
    async with transaction() as session:
        await tokens.revoke(session, principal, token_id, clock.now())
    return ok(None)
