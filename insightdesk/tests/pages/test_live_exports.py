"""How far an export is, on its page: told by the server, and asked for where that is not possible."""

from __future__ import annotations

import asyncio

import pytest
from chromium import Window
from desks import Desk
from exports import add_tickets
from lived_in import live_in
from playwright.async_api import Request, WebSocketRoute, expect
from sqlalchemy import select, update

from insightdesk.database import transaction
from insightdesk.reports.exports.live import tell
from insightdesk.reports.exports.models import Export, ExportState

pytestmark = pytest.mark.browser


async def running(desk: Desk) -> Export:
    """An export that is being made."""
    await live_in(desk)
    async with transaction() as session:
        export = await session.scalar(
            select(Export).where(
                Export.organization_id == desk.organization_id, Export.state == ExportState.QUEUED
            )
        )
        assert export is not None
        export.state, export.rows_done, export.rows_total = ExportState.RUNNING, 10, 1000
        return export


def watch_lists(opened: Window) -> list[str]:
    """Notes when the page fetches its list."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/ui/exports/list"):
            asked.append(request.url)

    opened.page.on("request", note)
    return asked


async def finish(export: Export) -> None:
    async with transaction() as session:
        await session.execute(update(Export).where(Export.id == export.id).values(state=ExportState.DONE))


async def test_progress_is_pushed_and_not_asked_for(desktop: Window, desk: Desk, other_desk: Desk) -> None:
    export = await running(desk)
    asked = watch_lists(desktop)
    await desktop.open("/ui/exports")
    await desktop.sign_in(desk.admin)
    row = desktop.page.locator(f"[data-export='{export.id}']")
    await expect(desktop.page.locator("html")).to_have_attribute("data-line", "live")
    await expect(row.locator(".percent")).to_have_text("1 %")
    before = len(asked)
    for done, text in ((250, "25 %"), (1000, "99 %")):
        await tell(export, ExportState.RUNNING, done, 1000)
        await expect(row.locator(".percent")).to_have_text(text)
        await expect(row.locator(".rows")).to_have_text(f"{done:,} of 1,000")
    await asyncio.sleep(1.5)  # longer than a page that asks would wait, while something is being made
    assert len(asked) == before
    await finish(export)
    await tell(export, ExportState.DONE, 1000, 1000)
    await expect(row.locator(".tag")).to_have_text("done")
    assert len(asked) == before + 1


async def test_progress_is_asked_for_while_the_socket_is_away(desktop: Window, desk: Desk) -> None:
    export = await running(desk)

    async def away(route: WebSocketRoute) -> None:
        await route.close()

    await desktop.page.route_web_socket("**/socket.io/**", away)
    await desktop.open("/ui/exports")
    await desktop.sign_in(desk.admin)
    row = desktop.page.locator(f"[data-export='{export.id}']")
    await expect(row.locator(".percent")).to_have_text("1 %")
    assert await desktop.page.get_attribute("html", "data-line") != "live"
    await finish(export)
    await expect(row.locator(".tag")).to_have_text("done")


async def test_an_export_is_asked_for_followed_and_fetched(
    desktop: Window, desk: Desk, working: None
) -> None:
    await add_tickets(desk, 3)
    page = desktop.page
    await desktop.open("/ui/exports")
    await desktop.sign_in(desk.agent)
    await page.fill("[name='filters.from']", "2026-02-02")
    await page.fill("[name='filters.to']", "2026-02-01")
    await page.click("form [type=submit]")
    await expect(page.locator("[name='filters.to'][aria-invalid]")).to_be_focused()
    desktop.troubles.clear()
    await page.fill("[name='filters.from']", "")
    await page.fill("[name='filters.to']", "")
    await expect(page.locator("html")).to_have_attribute("data-line", "live")
    await page.click("form [type=submit]")
    await expect(page.locator("#exports .tag")).to_have_text("done", timeout=20_000)
    async with page.expect_download() as download:
        await page.click("text=Download")
    content = (await (await download.value).path()).read_text(encoding="utf-8")
    assert content.count("Printer") == 3
