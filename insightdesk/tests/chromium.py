"""Chromium for tests of pages: real windows on a real server, and everything that goes wrong in them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import resources

import uvicorn
from browsers import PASSWORD
from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright

from insightdesk.accounts.service import Principal
from insightdesk.main import create_app

WIDTHS = {"desk": 1280, "phone": 390}
HEIGHT = 844
_AXE = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
# Best practices too, not only what a standard demands.
_RUN_AXE = (
    "async () => (await axe.run(document, {resultTypes: ['violations'], iframes: false})).violations"
    ".map(v => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map(n => n.html).join(' ')}`)"
)


@dataclass
class Window:
    """A tab, and what went wrong in it: errors of scripts and of the console, which tells of violations of
    the policy too, and requests to anywhere but the server."""

    page: Page
    address: str
    troubles: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Begin to note what goes wrong."""
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("request", self._on_request)

    def _on_console(self, told: ConsoleMessage) -> None:
        if told.type in ("error", "warning"):
            self.troubles.append(f"{self.page.url}: {told.text}")

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self.address, "data:")):
            self.troubles.append(f"{self.page.url} asked for {request.url}")

    async def open(self, path: str) -> None:
        """Go to a page of the desk."""
        await self.page.goto(self.address + path)

    async def sign_in(self, who: Principal) -> None:
        """Log in by the form that the present page shows, and wait for what it hides."""
        await self.page.fill("input[name=email]", who.email)
        await self.page.fill("input[name=password]", PASSWORD)
        await self.page.click("button[type=submit]")
        await self.page.wait_for_selector("#logout")

    async def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        wider: int = await self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return wider

    async def inaccessible(self) -> list[str]:
        """What axe finds."""
        if not await self.page.evaluate("() => 'axe' in window"):
            await self.page.evaluate(_AXE)
        found: list[str] = await self.page.evaluate(_RUN_AXE)
        return found


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """The application on a port of its own; gives its address."""
    config = uvicorn.Config(create_app(), port=0, log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The browser."""
    path = shutil.which("chromium")
    assert path is not None, "no Chromium: apt-get install chromium"
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        await browser.close()


@asynccontextmanager
async def window(browser: Browser, address: str, *, width: int = WIDTHS["desk"]) -> AsyncIterator[Window]:
    """A tab with cookies of its own. What has gone wrong in it by its end fails the test."""
    context = await browser.new_context(viewport={"width": width, "height": HEIGHT})
    opened = Window(await context.new_page(), address)
    opened.watch()
    yield opened
    await context.close()
    assert opened.troubles == []
