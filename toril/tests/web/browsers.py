"""A visitor of a dashboard as a browser is: cookies, and the fields of the pages' forms."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from html.parser import HTMLParser

import httpx
import pytest

import toril


class Browser(httpx.AsyncClient):
    """Sends what the forms of a page would send."""

    csrf = ""

    async def see(self, path: str, status: int = 200) -> str:
        """The text of a page."""
        answer = await self.get(path)
        assert answer.status_code == status, answer.text
        if found := re.search(r'name="csrf" value="([^"]+)"', answer.text):
            self.csrf = found[1]
        return answer.text

    async def submit(self, path: str, **fields: object) -> httpx.Response:
        """Send a form, as our own page does."""
        data = {name: value if isinstance(value, list) else str(value) for name, value in fields.items()}
        headers = {"sec-fetch-site": "same-origin", "origin": "http://jobs.test"}
        return await self.post(path, data={"csrf": self.csrf, **data}, headers=headers)


Browsing = Callable[..., AbstractAsyncContextManager[Browser]]


class Texts(HTMLParser):
    """The texts of a page that are seen, and its tags with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.seen.append(data)

    def __contains__(self, text: str) -> bool:
        return text in " ".join(" ".join(self.seen).split())


async def fail(
    queue: toril.Queue, name: str, data: object = None, error: str = "no room", **options: object
) -> str:
    """The id of a job that has failed for good."""
    job = await queue.add(name, data, **options)  # type: ignore[arg-type]

    async def handler(job: toril.Job) -> None:
        await job.log(f"tried {job.id}")
        raise ValueError(error)

    worker = toril.Worker(queue.name, handler, url=queue.url, name="breaker")
    task = asyncio.create_task(worker.run(handle_signals=False))
    try:
        with pytest.raises(toril.JobFailed):
            await job.wait(timeout=20)
    finally:
        worker.stop()
        await task
    return job.id
