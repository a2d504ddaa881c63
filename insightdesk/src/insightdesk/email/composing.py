"""From a wish to a stored delivery: the mail is rendered once, in the transaction that wants it."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parseaddr

from sqlalchemy.ext.asyncio import AsyncSession

import toril
from insightdesk.email import repository, unsubscribe
from insightdesk.email.registry import find
from insightdesk.email.rendering import Desk, render
from insightdesk.email.repository import Staged
from insightdesk.kit import clock
from insightdesk.settings import get_settings

__all__ = ["mail_domain", "stage"]


async def stage(
    session: AsyncSession,
    *,
    organization_id: str,
    recipient: str,
    template: str,
    data: Mapping[str, toril.Json],
    key: str,
    user_id: str | None = None,
    ticket_id: str | None = None,
) -> Staged:
    """Stores one mail unless the organization has one under the key; the first rendering stands.

    Raises:
        UnknownTemplate: the registry has no such template.
        InvalidData: the data do not fit it.
    """
    found = await repository.delivery_of_key(session, organization_id, key)
    if found is not None:
        return Staged(found, new=False)
    kind = find(template)
    now = clock.now()
    stop = unsubscribe.link(user_id, kind.name, now) if user_id is not None and kind.optional else None
    name = await repository.organization_name(session, organization_id)
    mail = render(kind.name, data, Desk(name, get_settings().base_url), unsubscribe_url=stop)
    return await repository.store(
        session,
        key,
        organization_id=organization_id,
        recipient=recipient,
        template=kind.name,
        mail=mail,
        domain=mail_domain(),
        user_id=user_id,
        ticket_id=ticket_id,
        unsubscribe_url=stop,
        now=now,
    )


def mail_domain() -> str:
    """The domain of our own sender, for message ids."""
    return parseaddr(get_settings().email_from)[1].rpartition("@")[2] or "localhost"
