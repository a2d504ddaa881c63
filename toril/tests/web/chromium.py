"""Chromium before a dashboard: a page that notes everything that goes wrong in it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources

import uvicorn
from playwright.async_api import Browser, Page, async_playwright

from toril.web import Dashboard

_AXE = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
_RUN_AXE = (
    "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"
    ".map(v => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map(n => n.html).join(' ')}`)"
)


class Window:
    """A tab before a dashboard.

    Attributes:
        troubles: Errors of scripts, of the console (which tells of the policy), requests to elsewhere.
    """

    def __init__(self, page: Page, address: str, width: int) -> None:
        self.page = page
        self.address = address
        self.width = width
        self.troubles: list[str] = []
        page.on("console", lambda told: self.troubles.append(told.text) if told.type == "error" else None)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on(
            "request",
            lambda request: None if request.url.startswith(address) else self.troubles.append(request.url),
        )

    async def open(self, path: str) -> None:
        """Go to a page, and see that it fits, that axe finds nothing, and that nothing went wrong."""
        await self.page.goto(self.address + path)
        await self.check()

    async def check(self) -> None:
        """See that the present page is as it must be."""
        wide = await self.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= self.width, f"{self.page.url} is {wide} wide"
        await self.page.evaluate(_AXE)
        found = await self.page.evaluate(_RUN_AXE)
        assert not found, f"{self.page.url}: {found}"
        assert self.troubles == []

    async def told(self) -> str:
        """What the page tells of the last act."""
        await self.page.wait_for_selector(".told")
        return await self.page.inner_text(".told")


@asynccontextmanager
async def served(dashboard: Dashboard) -> AsyncIterator[str]:
    """The dashboard on a port of its own; gives its address."""
    config = uvicorn.Config(dashboard, port=0, log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        dashboard.end_streams()
        server.should_exit = True
        await serving


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The browser."""
    path = shutil.which("chromium")
    assert path is not None, "no Chromium: apt-get install chromium"
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def window(
    browser: Browser, address: str, *, width: int = 1280, scheme: str = "light", script: bool = True
) -> AsyncIterator[Window]:
    """A tab with cookies of its own. What has gone wrong in it by its end fails the test."""
    # What fades in has too little contrast on its way, which axe would find now and then.
    context = await browser.new_context(
        reduced_motion="reduce",
        viewport={"width": width, "height": 844},
        color_scheme=scheme,  # type: ignore[arg-type]
        java_script_enabled=script,
    )
    opened = Window(await context.new_page(), address, width)
    yield opened
    await context.close()
    assert opened.troubles == []
