"""`toril top`."""

from __future__ import annotations

import contextlib
import shutil
import sys
from typing import Annotated

import typer

from ...queue import Queue
from ...storage.address import Address, server_url
from ...storage.discovery import queue_names
from ..completion import complete_queue
from ..console import Printer, console
from ..opening import opened
from ..options import NoColor, Prefix, Url
from ..run import run
from ..telling import NotDone


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
    no_color: NoColor = False,
) -> None:
    """Watch queues live: rates, backlogs, workers, jobs that run long; look into jobs; pause, retry, cancel.

    Keys: arrows choose, Enter looks into a queue or a job, `?` tells the others, `q` quits.
    """
    if not once and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise NotDone("no terminal is here; --once prints what there is now")
    run(_top(queue or [], server_url(url), prefix, interval, once, no_color))


async def _top(names: list[str], url: str, prefix: str, interval: float, once: bool, no_color: bool) -> None:
    # They bring rich, which other commands do without.
    from .frame import draw
    from .session import Session
    from .view import View
    from .watch import MOST, Watcher

    async with contextlib.AsyncExitStack() as stack:
        queues = [await stack.enter_async_context(opened(name, url, prefix)) for name in names]
        for name in [] if names else (await queue_names(url, prefix))[:MOST]:
            queues.append(await stack.enter_async_context(Queue(name, url, prefix=prefix)))
        watcher = Watcher(queues)
        title = f"toril top  {Address.of(url)}"
        if not once:
            await Session(watcher, console(no_color), title, interval).run()
            return
        size = shutil.get_terminal_size()
        sight = await watcher.look(View(), size.columns)
        printer = Printer(no_color)
        for line in draw(View(), sight, title, "", size.columns, max(size.lines, 2 * len(queues) + 24))[:-2]:
            printer.line(line.plain.rstrip(), str(line.style))
