"""The web application: wiring, nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from insightdesk import jobs
from insightdesk.accounts import routes as accounts
from insightdesk.accounts import team_routes as teams
from insightdesk.admin import routes as admin
from insightdesk.database import close_database
from insightdesk.dead_letters import routes as dead_letters
from insightdesk.kit.errors import install_error_handlers
from insightdesk.pages import routes as pages_routes
from insightdesk.realtime import server as realtime_server
from insightdesk.reports import routes as reports
from insightdesk.retention import routes as retention
from insightdesk.sla import routes as sla
from insightdesk.tenancy import RequestBoundary
from insightdesk.tickets import routes as tickets
from insightdesk.tickets import tags
from insightdesk.tickets.auto_close import routes as auto_close

__all__ = ["create_app"]


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield
    await jobs.app.close()
    await close_database()


def create_app() -> FastAPI:
    """The API, the pages and the live notifications as one ASGI application."""
    app = FastAPI(title="InsightDesk", version="0.1.0", lifespan=_lifespan)
    install_error_handlers(app)
    for router in (
        accounts.router,
        teams.router,
        tickets.router,
        tags.router,
        auto_close.router,
        sla.router,
        reports.router,
        retention.router,
        admin.router,
        dead_letters.router,
        pages_routes.router,
    ):
        app.include_router(router)
    realtime_server.mount(app)
    app.add_middleware(RequestBoundary)
    return app
