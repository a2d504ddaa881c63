"""Links that prove by themselves that we handed them out: HMAC-SHA256 over file, name and last moment."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime
from urllib.parse import urlencode

from insightdesk.kit.errors import Forbidden
from insightdesk.reports.storage.keys import check_key, check_name

LINK_PATH = "/files/"


class LinkRefused(Forbidden):
    """The link was altered, was never ours, or has expired; it is not said which."""

    def __init__(self) -> None:
        super().__init__("the link is not valid, or has expired")


def sign_link(secret: str, key: str, *, name: str, expires_at: datetime) -> str:
    """The path of a link to the file ``key``, which is saved as ``name``.

    Raises:
        BadKey: No file has such a key or name.
    """
    expires = int(expires_at.timestamp())
    signature = _signature(secret, check_key(key), check_name(name), expires)
    return f"{LINK_PATH}{key}?{urlencode({'name': name, 'expires': expires, 'signature': signature})}"


def verify_link(secret: str, key: str, *, name: str, expires: int, signature: str, now: datetime) -> None:
    """Make sure that ``sign_link`` made this link, and that it still holds.

    The signature is compared in constant time, and before anything else is looked at.

    Raises:
        LinkRefused: It did not, or it does not.
    """
    expected = _signature(secret, key, name, expires)
    genuine = hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
    if not genuine or now.timestamp() >= expires:
        raise LinkRefused


def _signature(secret: str, key: str, name: str, expires: int) -> str:
    # JSON keeps the parts apart: no part can lend characters to its neighbour.
    text = json.dumps(["file", key, name, expires])
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
