"""What the jobs `send` and `welcome` do: store a delivery under the job's key, then hand it over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email.utils import getaddresses, parseaddr, quote

import toril
from insightdesk.database import transaction
from insightdesk.email import repository
from insightdesk.email.composing import stage
from insightdesk.email.delivery import deliver
from insightdesk.email.registry import UnknownTemplate
from insightdesk.email.rendering import InvalidData
from insightdesk.kit.schema import check_storable

__all__ = ["send_generic", "send_welcome"]


async def send_generic(
    key: str,
    to: str | Sequence[str],
    subject: str,
    template: str,
    data: Mapping[str, toril.Json],
    organization_id: str | None = None,
) -> list[str]:
    """Sends a mail that a producer chose: any template of the registry, with its data.

    The template `generic` is worded by its data: `body` (or `html`, which is sanitised), and a list of
    whatever else there is. Without an organization, it is the one that knows the address.

    Returns:
        The deliveries that were stored but not handed over: of several recipients each gets a mail of her
        own, so that one who is refused keeps none from the others.
    """
    named = [to] if isinstance(to, str) else list(to)
    everyone = [_spelled(name, spec) for name, spec in getaddresses(named) if spec]
    words = {**data, "subject": subject}
    if len(everyone) < 2:
        await deliver(await _stage(key, organization_id, named[0] if named else "", template, words))
        return []
    return [await _stage(f"{key}:{each}", organization_id, each, template, words) for each in everyone]


def _spelled(name: str, spec: str) -> str:
    return f'"{quote(name)}" <{spec}>' if name else spec


async def send_welcome(key: str, user_id: str, email: str, name: str) -> None:
    """Greets a new user at the address that the job carries."""
    async with transaction() as session:
        user = await repository.user_with_address(session, user_id, email)
    organization_id = user.organization_id if user else None
    known = user.id if user else None
    await deliver(await _stage(key, organization_id, email, "welcome", {"name": name}, user_id=known))


async def _stage(
    key: str,
    organization_id: str | None,
    to: str,
    template: str,
    data: Mapping[str, toril.Json],
    *,
    user_id: str | None = None,
) -> str:
    try:
        check_storable([to, organization_id])
    except ValueError as error:
        raise toril.Fail(f"the recipient cannot be stored: {error}") from error
    async with transaction() as session:
        if organization_id is None:
            organization_id = await repository.organization_of_address(session, parseaddr(to)[1] or to)
        elif not await repository.organization_exists(session, organization_id):
            raise toril.Fail(f"there is no organization {organization_id[:100]!r}")
        if organization_id is None:
            raise toril.Fail(f"no organization knows the address {to[:100]!r}")
        try:
            staged = await stage(
                session,
                organization_id=organization_id,
                recipient=to,
                template=template,
                data=data,
                key=key,
                user_id=user_id,
            )
        except (UnknownTemplate, InvalidData) as error:
            raise toril.Fail(str(error)) from error
    return staged.delivery_id
