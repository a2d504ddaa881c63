"""The signed link by which a person stops mails of one kind without a login."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from insightdesk.accounts.models import User
from insightdesk.database import transaction
from insightdesk.email.kinds import Channel
from insightdesk.email.preferences import choose
from insightdesk.kit.errors import Forbidden
from insightdesk.settings import get_settings
from insightdesk.tenancy import everyone

__all__ = ["InvalidLink", "Wish", "link", "read", "stop"]

_LIFETIME = timedelta(days=90)


class InvalidLink(Forbidden):
    """The link was altered, or is too old."""


@dataclass(frozen=True)
class Wish:
    """Who wants to stop which mails."""

    user_id: str
    type: str


def link(user_id: str, type_: str, now: datetime) -> str:
    """The address that stops mails of this type to this person; it works for 90 days."""
    content = json.dumps([user_id, type_, int((now + _LIFETIME).timestamp())]).encode()
    payload = base64.urlsafe_b64encode(content).decode().rstrip("=")
    return f"{get_settings().base_url}/mail/stop/{payload}.{_signature(payload)}"


def read(token: str, now: datetime) -> Wish:
    """What a link's last part asks for.

    Raises:
        InvalidLink: we did not make it, or its time is over.
    """
    payload, _, signature = token.partition(".")
    if not hmac.compare_digest(signature.encode("utf-8", "replace"), _signature(payload).encode()):
        raise InvalidLink("this link is not one of ours")
    user_id, type_, expires = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    if now.timestamp() >= expires:
        raise InvalidLink("this link is too old; sign in to choose what you are told")
    return Wish(user_id, type_)


def _signature(payload: str) -> str:
    secret = get_settings().secret.get_secret_value().encode()
    text = f"unsubscribe:{payload}".encode("utf-8", "replace")
    return hmac.new(secret, text, hashlib.sha256).hexdigest()


async def stop(token: str, now: datetime) -> Wish:
    """Does what a link asks for; as often as one likes.

    Raises:
        InvalidLink: we did not make it, its time is over, or the person is gone.
    """
    wish = read(token, now)
    with everyone():
        async with transaction() as session:
            user = await session.get(User, wish.user_id)
            if user is None:
                raise InvalidLink("this link is not one of ours")
            await choose(session, user.organization_id, user.id, {(wish.type, Channel.EMAIL): False})
    return wish
