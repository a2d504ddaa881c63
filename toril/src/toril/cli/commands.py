"""The commands."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ..queue import Queue
from ..storage.address import server_url
from ..storage.discovery import queue_names
from .doctor import doctor
from .run import run
from .worker import alive, worker

app = typer.Typer(no_args_is_help=True, add_completion=True, help="Jobs on Valkey/Redis, shared with BullMQ.")

Url = Annotated[str | None, typer.Option(help="The server; by default TORIL_URL or the local one.")]
Prefix = Annotated[str, typer.Option(help="What all keys begin with.")]


app.command()(worker)
app.command()(alive)
app.command()(doctor)


@app.command()
def stats(
    url: Url = None,
    queue: Annotated[list[str] | None, typer.Option(help="A queue; all that are there if none.")] = None,
    prefix: Prefix = "bull",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Count the jobs of each queue by state."""
    counts = run(_counts(server_url(url), queue, prefix))
    if as_json:
        typer.echo(json.dumps(counts, indent=2))
        return
    if not counts:
        typer.echo("no queues there")
        return
    # A worker's process does without this: it is four megabytes.
    from rich.console import Console
    from rich.table import Table

    states = [
        state
        for state in next(iter(counts.values()))
        if state != "paused" or any(found[state] for found in counts.values())
    ]
    table = Table("queue", *states, box=None)
    for name, found in counts.items():
        table.add_row(name, *(str(found[state]) for state in states))
    console = Console()
    # Into a pipe or a file nothing is cut off.
    console.print(table, width=None if console.is_terminal else 200)


async def _counts(url: str, queues: list[str] | None, prefix: str) -> dict[str, dict[str, int]]:
    counts = {}
    for name in queues or await queue_names(url, prefix):
        async with Queue(name, url, prefix=prefix) as queue:
            counts[name] = await queue.get_job_counts()
    return counts
