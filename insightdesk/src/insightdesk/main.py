"""The web application: wiring, nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from insightdesk import jobs
from insightdesk.accounts import organization_routes
from insightdesk.accounts import routes as accounts
from insightdesk.accounts import team_routes as teams
from insightdesk.accounts import token_routes as tokens
from insightdesk.admin import routes as admin
from insightdesk.admin.metrics import DeskMetrics
from insightdesk.database import close_database
from insightdesk.dead_letters import routes as dead_letters
from insightdesk.email import routes as mail
from insightdesk.kit.errors import documented_errors, install_error_handlers
from insightdesk.kit.guard import Bounds, SecurityHeaders
from insightdesk.pages import exports as exports_page
from insightdesk.pages import mails as pages_mails
from insightdesk.pages import personal as personal_pages
from insightdesk.pages import routes as pages_routes
from insightdesk.pages import sla as sla_pages
from insightdesk.pages.admin import engine as engine_pages
from insightdesk.pages.admin import people as people_pages
from insightdesk.pages.admin import promises as promise_pages
from insightdesk.pages.admin import records as record_pages
from insightdesk.pages.admin import routes as admin_pages
from insightdesk.pages.admin import settings as settings_pages
from insightdesk.realtime import routes as notifications
from insightdesk.realtime import server as realtime_server
from insightdesk.reports.exports import routes as exports
from insightdesk.reports.storage import routes as files
from insightdesk.retention import archive_routes
from insightdesk.retention import routes as retention
from insightdesk.settings import get_settings
from insightdesk.sla import routes as sla
from insightdesk.tenancy import RequestBoundary
from insightdesk.tickets import routes as tickets
from insightdesk.tickets import tags
from insightdesk.tickets.auto_close import routes as auto_close

__all__ = ["create_app"]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    sweeping = asyncio.create_task(app.state.screens.run(), name="socket sweep")
    yield
    sweeping.cancel()
    await asyncio.wait({sweeping})
    await app.state.screens.close()
    await app.state.dashboard.close()
    await jobs.app.close()
    await close_database()


def create_app() -> FastAPI:
    """The API, the pages and the live notifications as one ASGI application."""
    # No pages of the framework's own: they fetch scripts from elsewhere.
    app = FastAPI(
        title="InsightDesk",
        version="0.1.0",
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        responses=documented_errors(),
    )
    install_error_handlers(app)
    for router in (
        accounts.router,
        tokens.router,
        organization_routes.router,
        teams.router,
        tickets.router,
        tags.router,
        auto_close.router,
        sla.router,
        exports.router,
        files.router,
        retention.router,
        notifications.router,
        archive_routes.router,
        mail.router,
        admin.router,
        dead_letters.router,
        admin_pages.router,
        settings_pages.router,
        people_pages.router,
        promise_pages.router,
        record_pages.router,
        engine_pages.router,
        pages_mails.router,
        sla_pages.router,
        personal_pages.router,
        exports_page.router,
        pages_routes.router,
    ):
        app.include_router(router)
    app.state.screens = realtime_server.mount(app)
    app.state.dashboard = engine_pages.create_dashboard()
    app.mount(engine_pages.PATH, app.state.dashboard)
    app.state.metrics = DeskMetrics()
    # The last one is the outermost.
    app.add_middleware(RequestBoundary)
    app.add_middleware(Bounds)
    app.add_middleware(SecurityHeaders, tls=get_settings().cookies_are_secure)
    return app
