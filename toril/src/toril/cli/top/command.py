"""`toril top`."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import AsyncIterator
from typing import Annotated

import typer

from ...queue import Queue
from ...running import run
from ...storage.address import Address, server_url
from ...storage.discovery import queue_names
from ..completion import complete_queue
from ..console import Printer, console, print_json
from ..opening import opened
from ..options import AsJson, NoColor, Prefix, Url
from ..telling import NotDone

MOST = 200
"""How many queues are looked at."""


def top(
    queue: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUEUE",
            help="Names of queues; all that are there if none.",
            autocompletion=complete_queue,
        ),
    ] = None,
    interval: Annotated[
        float, typer.Option("--interval", "-i", min=0.1, help="Seconds between two looks.")
    ] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print what there is now, and end.")] = False,
    url: Url = None,
    prefix: Prefix = "bull",
    as_json: AsJson = False,
    no_color: NoColor = False,
) -> None:
    """Watch queues live: rates, backlogs, workers, jobs that run long; look into jobs; pause, retry, cancel.

    Keys: arrows choose, Enter looks into a queue or a job, `?` tells the others, `q` quits. With `--json` it
    looks once.
    """
    names, server = queue or [], server_url(url)
    if once or as_json:
        run(_once(names, server, prefix, as_json, no_color))
    elif sys.stdin.isatty() and sys.stdout.isatty():
        run(_watch(names, server, prefix, interval, no_color))
    else:
        raise NotDone("no terminal is here; --once prints what there is now")


async def _watch(names: list[str], url: str, prefix: str, interval: float, no_color: bool) -> None:
    # They bring rich, which other commands do without.
    from .session import Session
    from .watch import Watcher

    async with _queues(names, url, prefix) as queues:
        await Session(Watcher(queues), console(no_color), _title(url), interval).run()


async def _once(names: list[str], url: str, prefix: str, as_json: bool, no_color: bool) -> None:
    from .frame import draw
    from .view import View
    from .watch import Watcher

    size = shutil.get_terminal_size()
    async with _queues(names, url, prefix) as queues:
        sight = await Watcher(queues).look(View(), size.columns)
    if as_json:
        print_json([row.as_dict() for row in sight.rows])
        return
    printer = Printer(no_color)
    height = max(size.lines, 2 * len(queues) + 24)
    for line in draw(View(), sight, _title(url), "", size.columns, height)[:-2]:
        printer.line(line.plain.rstrip(), str(line.style))


@contextlib.asynccontextmanager
async def _queues(names: list[str], url: str, prefix: str) -> AsyncIterator[list[Queue]]:
    """The queues that are meant: those named, or the first `MOST` that are there."""
    async with contextlib.AsyncExitStack() as stack:
        queues = [await stack.enter_async_context(opened(name, url, prefix)) for name in names]
        for name in [] if names else (await queue_names(url, prefix))[:MOST]:
            queues.append(await stack.enter_async_context(Queue(name, url, prefix=prefix)))
        yield queues


def _title(url: str) -> str:
    return f"toril top  {Address.of(url)}"
