"""Which page is where, and what stands before each: who looks, and what a page says when it goes wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from ..errors import ConnectionFailed, InvalidOption, JobNotFound, ServerRefused, TorilError
from .access import is_known_host, settled
from .pages import act, events, failures, job, jobs, overview, queue, schedulers, workers
from .site import Site
from .visit import NotThere, Refused, Visit

Page = Callable[[Visit], Awaitable[Response]]


class _Static(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if b"v=" in scope.get("query_string", b""):
            response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


def routes() -> list[BaseRoute]:
    """All pages."""
    pages: list[tuple[str, str, Page]] = [
        ("GET", "/", overview.show),
        ("GET", "/queues/{queue}", queue.show),
        ("GET", "/queues/{queue}/jobs", jobs.show),
        ("GET", "/queues/{queue}/jobs/{job}", job.show),
        ("GET", "/queues/{queue}/jobs/{job}/raw", job.raw),
        ("GET", "/failures", failures.show),
        ("GET", "/schedulers", schedulers.show),
        ("GET", "/workers", workers.show),
        ("GET", "/events", events.stream),
        ("POST", "/confirm", act.confirm),
        ("POST", "/act", act.act),
    ]
    static = Mount("/static", _Static(directory=Path(__file__).parent / "static"))
    return [
        *(Route(path, guarded(page), methods=[method]) for method, path, page in pages),
        static,
        Route("/{rest:path}", guarded(_nothing)),
    ]


async def _nothing(_visit: Visit) -> Response:
    raise NotThere("There is no such page.")


def guarded(page: Page) -> Callable[[Request], Awaitable[Response]]:
    """Put before a page what stands before each."""

    async def endpoint(request: Request) -> Response:
        site: Site = request.app.state.site
        if not is_known_host(request, site.hosts):
            return PlainTextResponse("This host name is not one of the dashboard's.", 421)
        who = await settled(site.authorize(request))
        if isinstance(who, Response):
            return who
        if who is None:
            return PlainTextResponse("You may not look at this.", 403)
        visit = Visit(site, request, who)
        try:
            return await page(visit)
        except NotThere as error:
            return visit.render("error.html", 404, heading="Not there", text=str(error))
        except Refused as error:
            return visit.render("error.html", 403, heading="Refused", text=str(error))
        except InvalidOption as error:
            return visit.render("error.html", 400, heading="That cannot be meant", text=str(error))
        except JobNotFound as error:
            return visit.render("error.html", 404, heading="Not there", text=str(error))
        except (ConnectionFailed, ServerRefused) as error:
            return visit.render("error.html", 503, heading="The server does not answer", text=str(error))
        except TorilError as error:
            return visit.render("error.html", 500, heading="That cannot be shown", text=str(error))

    return endpoint
