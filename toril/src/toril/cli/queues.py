"""`toril stats`, `toril pause`, `toril resume`: whole queues."""

from __future__ import annotations

from typing import Annotated

import typer

from ..queue import Queue
from ..running import run
from ..storage.address import server_url
from ..storage.discovery import queue_names
from .completion import complete_queue
from .console import Printer, print_json
from .opening import opened
from .options import AsJson, NoColor, Prefix, Url

Queues = Annotated[
    list[str],
    typer.Argument(metavar="QUEUE", help="Names of queues.", autocompletion=complete_queue),
]


def stats(
    queue: Annotated[
        list[str] | None,
        typer.Option(
            "--queue", "-q", help="A queue; all that are there if none.", autocompletion=complete_queue
        ),
    ] = None,
    url: Url = None,
    prefix: Prefix = "bull",
    as_json: AsJson = False,
    no_color: NoColor = False,
) -> None:
    """Count the jobs of each queue by state."""
    counts = run(_counts(server_url(url), queue, prefix))
    if as_json:
        print_json(counts)
        return
    printer = Printer(no_color)
    if not counts:
        printer.line("no queues there")
        return
    states = [
        state
        for state in next(iter(counts.values()))
        if state != "paused" or any(found[state] for found in counts.values())
    ]
    rows = [[name, *(f"{found[state]:,}" for state in states)] for name, found in counts.items()]
    names = [state.upper() for state in states]
    printer.table(["QUEUE", *names], rows, names)


async def _counts(url: str, queues: list[str] | None, prefix: str) -> dict[str, dict[str, int]]:
    counts = {}
    for name in queues or await queue_names(url, prefix):
        async with Queue(name, url, prefix=prefix) as queue:
            counts[name] = await queue.get_job_counts()
    return counts


def pause(
    queue: Queues,
    url: Url = None,
    prefix: Prefix = "bull",
    as_json: AsJson = False,
    no_color: NoColor = False,
) -> None:
    """Let no worker start further jobs of some queues; what runs goes on."""
    run(_set_paused(queue, url, prefix, True))
    _tell(queue, True, as_json, no_color)


def resume(
    queue: Queues,
    url: Url = None,
    prefix: Prefix = "bull",
    as_json: AsJson = False,
    no_color: NoColor = False,
) -> None:
    """Let workers go on with some queues."""
    run(_set_paused(queue, url, prefix, False))
    _tell(queue, False, as_json, no_color)


def _tell(names: list[str], paused: bool, as_json: bool, no_color: bool) -> None:
    if as_json:
        print_json({name: {"paused": paused} for name in names})
    else:
        Printer(no_color).line(f"{'paused' if paused else 'resumed'}: {', '.join(names)}")


async def _set_paused(names: list[str], url: str | None, prefix: str, paused: bool) -> None:
    for name in names:
        async with opened(name, url, prefix) as queue:
            await (queue.pause() if paused else queue.resume())
