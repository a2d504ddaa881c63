"""The desk in a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from chromium import Window, chromium, served, window
from playwright.async_api import Browser


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--pictures FOLDER` keeps what the walk through all pages has seen."""
    parser.addoption("--pictures", type=Path, help="write pictures of the pages there")


@pytest.fixture
async def address(db: None, valkey_url: str) -> AsyncIterator[str]:
    """The application on a port, for a browser."""
    async with served() as where:
        yield where


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with chromium() as found:
        yield found


@pytest.fixture
async def desktop(browser: Browser, address: str) -> AsyncIterator[Window]:
    """A window of a desktop's width."""
    async with window(browser, address) as opened:
        yield opened


@pytest.fixture
def pictures(pytestconfig: pytest.Config) -> Path | None:
    """Where pictures are to be kept; None if they are not wanted."""
    folder: Path | None = pytestconfig.getoption("--pictures", None)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    return folder
