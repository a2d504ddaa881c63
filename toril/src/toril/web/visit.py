"""One request to a page: who makes it, what it asks for, and the page that it gets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from urllib.parse import parse_qsl, quote, unquote

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from ..errors import InvalidOption
from ..inspection.query import Shown
from ..job import Json
from ..queue import Queue
from ..record import Job
from .access import CSRF_COOKIE, CSRF_FIELD, Act, Identity, csrf_token, is_own_wish, settled
from .links import Links, unsegment
from .redaction import Part, Place
from .site import Site

TOLD_COOKIE = "toril_told"
THEME_COOKIE = "toril_theme"
MOST_FIELDS, MOST_BYTES = 2000, 2_000_000
"""Of a form."""


class NotThere(Exception):
    """There is no such page, queue or job; the message says which."""


class Refused(Exception):
    """The visitor may not do this; the message says why."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a form has sent: fields in their order."""

    fields: tuple[tuple[str, str], ...]

    def get(self, name: str, otherwise: str = "") -> str:
        """The last value of a field."""
        return next((value for key, value in reversed(self.fields) if key == name), otherwise)

    def all(self, name: str) -> list[str]:
        """All values of a field."""
        return [value for key, value in self.fields if key == name]


class Visit:
    """A request by somebody who may look."""

    def __init__(self, site: Site, request: Request, identity: Identity) -> None:
        self.site = site
        self.request = request
        self.identity = identity
        self.links = Links(site.base_path + request.scope.get("root_path", ""))
        self.now = datetime.now(UTC)

    @cached_property
    def _csrf(self) -> str:
        return csrf_token(self.request)

    def asked(self, name: str, otherwise: str = "") -> str:
        """A parameter of the address."""
        return str(self.request.query_params.get(name, otherwise))

    def number(self, name: str, otherwise: int = 0) -> int:
        """A parameter of the address that is a whole number from 0; what is none counts for `otherwise`."""
        text = self.asked(name)
        return min(int(text), 2**40) if text.isascii() and text.isdecimal() else otherwise

    def segment(self, name: str) -> str:
        """A part of the path."""
        return unsegment(self.request.path_params[name])

    async def queue(self, name: str | None = None) -> Queue:
        """The queue of this name, or that the path names. Raises NotThere."""
        wanted = self.segment("queue") if name is None else name
        found = await self.site.registry.find(wanted)
        if found is None:
            raise NotThere(f"There is no queue {wanted!r}.")
        return found

    async def form(self) -> Form:
        """The form that was sent by our own page. Raises Refused, InvalidOption."""
        body = b""
        async for chunk in self.request.stream():
            body += chunk
            if len(body) > MOST_BYTES:
                raise InvalidOption("the form is too large")
        try:
            fields = parse_qsl(
                body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"
            )
        except ValueError:  # not UTF-8, or too many fields
            raise InvalidOption("the form cannot be read") from None
        form = Form(tuple(fields))
        if not is_own_wish(self.request, form.get(CSRF_FIELD)):
            raise Refused(
                "This was not sent by a page of the dashboard, or that page is too old. Load it again."
            )
        return form

    def may_try(self) -> bool:
        """Whether buttons that change something are shown at all."""
        return self.identity.may_act and not self.site.read_only

    async def check(self, act: Act) -> None:
        """Let an act pass, and tell who listens to acts. Raises Refused."""
        if self.site.read_only:
            raise Refused("This dashboard is for looking only.")
        if not self.identity.may_act or not await settled(self.site.may_act(self.identity, act)):
            raise Refused(f"You may not do this ({act.verb}) here.")
        await self.site.note(self.identity, act)

    def hide(self, value: Json, queue: str, name: str, part: Part) -> Json:
        """A value as it may be shown."""
        return self.site.redact(value, Place(queue, name, part))

    @property
    def shown(self) -> Shown:
        """A job's payload as it may be shown and searched."""
        return lambda job: self.hide(job.data, job.queue, job.name, "data")

    def error_of(self, job: Job) -> str:
        """Why a job failed last, as it may be shown; empty if it did not."""
        reason = job.failed_reason
        return "" if reason is None else str(self.hide(reason, job.queue, job.name, "error"))

    def render(self, template: str, status: int = 200, **context: object) -> Response:
        """Make a page."""
        theme = self.request.cookies.get(THEME_COOKIE, "")
        # A script that looks at the page again takes nothing away from the page that is to come.
        is_seen = self.request.headers.get("sec-fetch-dest", "document") == "document"
        told = unquote(self.request.cookies.get(TOLD_COOKIE, "")) if is_seen else ""
        page = self.site.templates.get_template(template).render(
            site=self.site,
            links=self.links,
            identity=self.identity,
            acting=self.may_try(),
            csrf=self._csrf,
            now=self.now,
            here=self.here,
            theme=theme if theme in {"light", "dark"} else "",
            told=told[:500],
            **context,
        )
        response = HTMLResponse(page, status)
        self._set(response, CSRF_COOKIE, self._csrf)
        if told:
            response.delete_cookie(TOLD_COOKIE, path=f"{self.links.root}/")
        return response

    @property
    def here(self) -> str:
        """The address of this page, to come back to."""
        path = self.links.root + quote(self.request.scope["path"].removeprefix(self._mounted), safe="/~:@")
        query = self.request.url.query
        return f"{path}?{query}" if query else path

    @property
    def _mounted(self) -> str:
        # Starlette leaves the mounted path in `path`; other servers may have taken it off.
        root: str = self.request.scope.get("root_path", "")
        return root if self.request.scope["path"].startswith(root) else ""

    def go(self, to: str, told: str = "") -> Response:
        """Send the visitor to a page of ours, which tells what was done."""
        response = RedirectResponse(self.links.back(to), 303)
        if told:
            self._set(response, TOLD_COOKIE, quote(told[:500]), max_age=60)
        return response

    def _set(self, response: Response, name: str, value: str, max_age: int | None = None) -> None:
        secure = self.request.url.scheme == "https"
        path = f"{self.links.root}/"
        response.set_cookie(name, value, max_age, path=path, secure=secure, httponly=True, samesite="strict")


def encoded(value: Json) -> str:
    """JSON for a hidden field."""
    return msgspec.json.encode(value).decode()
