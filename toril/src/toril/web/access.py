"""Who may look, who may act, and whether a request is the visitor's own wish."""

from __future__ import annotations

import hmac
import inspect
import secrets
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

T = TypeVar("T")

CSRF_COOKIE = "toril_csrf"
CSRF_FIELD = "csrf"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who looks.

    Attributes:
        name: What the pages and the log call them; may be empty.
        may_act: Whether they may change anything.
    """

    name: str = ""
    may_act: bool = True


@dataclass(frozen=True, slots=True)
class Act:
    """Something that somebody wants to do.

    Attributes:
        verb: `retry`, `promote`, `cancel`, `remove`, `priority`, `delay`, `pause`, `resume`, `drain`,
            `clean`, or of schedulers `run`.
        queue: The queue's name.
        job_ids: The jobs that it is done to; empty when it is done to the queue or to a whole state.
        state: The state whose jobs all are meant; empty if it is no such act.
        scheduler_id: The scheduler that is meant; empty if none is.
    """

    verb: str
    queue: str
    job_ids: tuple[str, ...] = ()
    state: str = ""
    scheduler_id: str = ""


Answer = Identity | Response | None
Authorize = Callable[[Request], Answer | Awaitable[Answer]]
"""Tells who looks: an identity, None to refuse, or a response, say to a login page."""
MayAct = Callable[[Identity, Act], bool | Awaitable[bool]]
"""Tells whether somebody may do something."""
OnAct = Callable[[Identity, Act], Awaitable[None] | None]
"""Hears of each act before it is done, for an audit log."""


def anyone(_request: Request) -> Identity:
    """Let everybody look and act: for a dashboard that is reached by its users alone."""
    return Identity()


async def settled(value: T | Awaitable[T]) -> T:
    """What a hook has returned, awaited if it is to be."""
    if inspect.isawaitable(value):
        awaited: T = await value
        return awaited
    return value


def csrf_token(request: Request) -> str:
    """The visitor's token, new if there is none that can be one."""
    found = request.cookies.get(CSRF_COOKIE, "")
    return found if len(found) == 43 and found.isascii() else secrets.token_urlsafe(32)


def is_own_wish(request: Request, token: str) -> bool:
    """Whether a request that changes something comes from our own pages.

    A browser tells where a request comes from (`Sec-Fetch-Site`, else `Origin`): another site's is
    refused. The form's token must be the cookie's, which other sites cannot read.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None and site not in {"same-origin", "none"}:
        return False
    if site is None and origin is not None and urlsplit(origin).netloc != request.headers.get("host", ""):
        return False
    known = request.cookies.get(CSRF_COOKIE, "")
    return bool(known) and hmac.compare_digest(known.encode(), token.encode())


def is_known_host(request: Request, hosts: Collection[str] | None) -> bool:
    """Whether the request names one of the hosts that we answer for; any of them if None.

    Where nobody logs in, this keeps a foreign page out whose name was made to lead here (DNS rebinding).
    """
    if hosts is None:
        return True
    name = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    return name in hosts
